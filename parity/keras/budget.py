"""How much of a training's time its guard may take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = 0.03
"""Of the time since the first step, at most."""
AT_FIRST = 0.1
"""Seconds that are allowed all the same: nobody waits for them, and what is broken shows early."""


class Budget:
    """Allows what takes no more than a share of the time that passes, or a moment in all.

    An infinite share allows all.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.spent = self.last = 0.0
        self.began = time.monotonic()

    def begin(self) -> None:
        """Count from now on."""
        self.spent, self.began = 0.0, time.monotonic()

    @property
    def allows(self) -> bool:
        """Whether there is time for what takes as long as it did last."""
        return self.spent + self.last <= max(AT_FIRST, self.share * (time.monotonic() - self.began))

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Measures what is done within."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.last = time.monotonic() - start
            self.spent += self.last
