"""Imports the training stack in half of its time: what is not used is left out.

On its way to a counter of right answers torchmetrics, which Lightning imports, imports all of
Matplotlib, torchvision and SciPy's signal processing, for plots and for image and audio metrics:
more than a second of computing. `parity.garbage` saves another second.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from typing import Any

UNUSED = ("matplotlib", "scipy", "torchvision")


def import_torchmetrics() -> bool:
    """Import torchmetrics as if those were not installed; all else can import them afterwards.

    Returns:
        Whether it was imported. Otherwise whoever needs it imports it the ordinary way: it is there
        already, or the library that it asks is not the one that this knows.
    """
    if "torchmetrics" in sys.modules:
        return False
    try:
        with _hidden(UNUSED):
            import_module("torchmetrics")
    except Exception:  # of any kind: this saves a second, and must never cost a training
        for name in [name for name in sys.modules if name.split(".")[0] == "torchmetrics"]:
            del sys.modules[name]
        return False
    return True


@contextmanager
def _hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """Have lightning_utilities, which torchmetrics asks what is installed, not find `packages`.

    The names that it is told to use are private: where one is missing, or is no function any more,
    `AttributeError` or `TypeError` is raised and nothing has been changed.
    """
    asked: Any = import_module("lightning_utilities.core.imports")
    version, find_spec = asked._version, asked.find_spec
    forget = (asked.package_available.cache_clear, asked.module_available.cache_clear)
    for function in (version, find_spec, *forget):
        if not callable(function):
            raise TypeError(f"{function!r} is no function")

    def unless_hidden(right: Callable[..., Any], otherwise: Callable[[str], Any]) -> Any:
        def ask(name: str, *args: Any, **kwargs: Any) -> Any:
            hidden = name.split(".")[0] in packages
            return otherwise(name) if hidden else right(name, *args, **kwargs)

        return ask

    asked._version = unless_hidden(version, _not_found)
    asked.find_spec = unless_hidden(find_spec, lambda name: None)
    try:
        yield
    finally:
        asked._version, asked.find_spec = version, find_spec
        for clear in forget:
            clear()


def _not_found(name: str) -> None:
    raise PackageNotFoundError(name)
