"""SIGTERM and SIGINT: asked to end, a run says how to go on, and its exit code says what asked."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ASKING = (signal.SIGTERM, signal.SIGINT)
Handler = Callable[[int, FrameType | None], None] | signal.Handlers


class StoppedError(BaseException):
    """A signal has asked the program to end; not an `Exception`, so that nothing goes on."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number
        """As shells have it: 143 and 130."""
        self.advice = ""
        """How to go on, where that is possible."""

    def __str__(self) -> str:
        return super().__str__() + self.advice


def stop(number: int, frame: FrameType | None) -> None:
    """End at once."""
    raise StoppedError(number)


@contextmanager
def handled_by(handler: Handler) -> Iterator[None]:
    """Call `handler` for either signal; only the main thread can set this."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, handler) for number in ASKING}
    try:
        yield
    finally:
        for number, handled in former.items():
            signal.signal(number, handled)
