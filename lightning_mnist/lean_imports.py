"""Imports the training stack in half of its time: what is not used is left out.

On its way to a counter of right answers torchmetrics, which Lightning imports, imports all of
Matplotlib, torchvision and SciPy's signal processing, for plots and for image and audio metrics:
more than a second of computing. And Python looks for garbage among the million objects of what is
imported, again and again, and once more when the process ends: another second.
"""

import atexit
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from typing import Any

UNUSED = ("matplotlib", "scipy", "torchvision")


@contextmanager
def without_garbage() -> Iterator[None]:
    """What is imported within is never searched for garbage; where torch is there, it is late."""
    if "torch" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.freeze)


def import_torchmetrics() -> None:
    """Import torchmetrics as if those were not installed; all else can import them afterwards."""
    if "torchmetrics" in sys.modules:
        return
    imports: Any = import_module("lightning_utilities.core.imports")  # where torchmetrics asks
    version, find_spec = imports._version, imports.find_spec
    imports._version = _unless_unused(version, _not_found)
    imports.find_spec = _unless_unused(find_spec, lambda name: None)
    try:
        import_module("torchmetrics")
    finally:
        imports._version, imports.find_spec = version, find_spec
        imports.package_available.cache_clear()
        imports.module_available.cache_clear()


def _unless_unused(
    right: Callable[..., Any], otherwise: Callable[[str], Any]
) -> Callable[..., Any]:
    def ask(name: str, *args: Any) -> Any:
        return otherwise(name) if name.split(".")[0] in UNUSED else right(name, *args)

    return ask


def _not_found(name: str) -> None:
    raise PackageNotFoundError(name)
