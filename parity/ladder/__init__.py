"""The divergence ladder: the first rung at which two sides part, and why.

The room is also its only command in Python: ``parity.ladder(a, b, x, y)`` is
`parity.ladder.together.ladder`, whatever of the room has been imported before.
"""

import sys
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from parity.ladder.together import ladder

        return ladder(*args, **kwargs)


sys.modules[__name__].__class__ = _Room
