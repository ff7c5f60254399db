"""Calls of functions, counted."""

import sys
from collections.abc import Callable
from types import FrameType


class CallCounter:
    """Calls of Python and of C functions in this thread, from `start` to `stop`."""

    def __init__(self) -> None:
        self.python = self.c = 0

    def start(self) -> None:
        """Count from here."""
        sys.setprofile(self._count)

    def stop(self) -> dict[str, int]:
        """Count no more; the calls by kind."""
        sys.setprofile(None)
        return {"python": self.python, "c": self.c}

    def _count(self, frame: FrameType, event: str, argument: object) -> None:
        self.python += event == "call"
        self.c += event == "c_call"


def count_calls(run: Callable[[], object]) -> dict[str, int]:
    """Calls by kind while `run` runs."""
    counter = CallCounter()
    counter.start()
    try:
        run()
    finally:
        counts = counter.stop()
    return counts
