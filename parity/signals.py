"""SIGTERM and SIGINT: asked to end, a run says how to go on, and its exit code says what asked."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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


@contextmanager
def ending_at_once() -> Iterator[None]:
    """Have either signal end what is within at once.

    Raises:
        StoppedError: one has come, be it that what it interrupted has caught it: Keras does where
            it looks for the shape of a tensor (3.15).
    """
    asked: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        raise StoppedError(number)

    with handled_by(end):
        try:
            yield
        except Exception as error:
            if asked:
                raise StoppedError(asked[0]) from error
            raise
    if asked:
        raise StoppedError(asked[0])


class Waiting:
    """Signals that wait for a moment from which a training can go on; a second one does not."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self._handled = ExitStack()

    def begin(self) -> None:
        """From now on a signal waits."""
        self._handled.enter_context(handled_by(self._note))

    def end(self) -> None:
        """From now on it does as it did before."""
        self._handled.close()

    def obey(self) -> None:
        """Raise `StoppedError` where a signal has come."""
        if self.asked is not None:
            raise StoppedError(self.asked)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.obey()
        self.asked = number
