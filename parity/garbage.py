"""Imports frameworks in two thirds of their time: garbage is hardly looked for meanwhile."""

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

FRAMEWORKS = ("torch", "tensorflow")
SELDOM = 100_000
"""New objects until Python looks again; 700 is its own habit. A program may train where it is
imported, and so it does look."""


@contextmanager
def without_garbage() -> Iterator[None]:
    """What is imported within is never searched for garbage; where a framework is, it is late.

    Python would search the million objects of what is imported again and again, and once more when
    the process ends: a third of the time that it takes to start.
    """
    if any(name in sys.modules for name in FRAMEWORKS):
        yield
        return
    usual = gc.get_threshold()
    gc.set_threshold(SELDOM)
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(*usual)
        atexit.register(gc.freeze)
