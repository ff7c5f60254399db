"""Entry points, ``module:function`` or ``file.py:function``, and the adapter for what they give."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from parity.garbage import without_garbage

Precision = Literal["float64", "float32"]
Build = Callable[..., Any]
ADAPTERS = {"lightning": "parity.lightning", "torch": "parity.torch", "keras": "parity.keras"}
"""What knows a framework's objects, by the packages of their classes; the first that fits."""


def load_entry(entry: str) -> Build:
    """The function or class that an entry point names; modules of the current folder count.

    Raises:
        ValueError: there is no such module, file or function.
    """
    module, _, name = entry.rpartition(":")
    if not module or not name:
        raise ValueError(f"{entry!r}; expected MODULE:FUNCTION or FILE.py:FUNCTION")
    try:
        home: Any = _from_file(Path(module)) if module.endswith(".py") else imported(module)
        build: Build = getattr(home, name)
    except (ImportError, AttributeError, OSError) as error:
        raise ValueError(f"{entry!r} cannot be imported ({error})") from error
    return build


def built(entry: str, flags: list[str], precision: Precision) -> Any:
    """What an entry point gives: called with the flags and the precision, or with nothing.

    A function that asks for nothing is given nothing, so that a program's own, or a class, serves.
    """
    build = load_entry(entry)
    try:
        signature = inspect.signature(build)
        signature.bind()
    except ValueError:  # a built-in has none
        return build(flags, precision)
    except TypeError:
        return build(*_asked(entry, signature, flags, precision))
    asks = {"flags", "precision"} & set(signature.parameters)
    return build(flags, precision) if asks else build()


def _asked(
    entry: str, signature: inspect.Signature, flags: list[str], precision: Precision
) -> tuple[list[str], Precision]:
    """The flags and the precision, for a function that can be given both.

    Raises:
        ValueError: it asks for something else.
    """
    try:
        signature.bind(flags, precision)
    except TypeError:
        asks = [name for name, one in signature.parameters.items() if one.default is one.empty]
        raise ValueError(
            f"{entry!r} asks for {', '.join(asks)}, which nobody knows here; give a function of "
            "no arguments that returns the model"
        ) from None
    return flags, precision


def adapter_of(thing: Any) -> str | None:
    """The adapter for an object of a framework; None where there is none."""
    families = {cls.__module__.split(".")[0] for cls in type(thing).__mro__}
    return next((name for family, name in ADAPTERS.items() if family in families), None)


def imported(module: str) -> Any:
    """A module and, it may be, the framework that it imports."""
    with without_garbage():
        return importlib.import_module(module)


def _from_file(path: Path) -> Any:
    """A file of Python as a module; what lies beside it can be imported by it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"{path}: no such file of Python")
    sys.path.insert(0, str(path.resolve().parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    with without_garbage():
        spec.loader.exec_module(module)
    return module
