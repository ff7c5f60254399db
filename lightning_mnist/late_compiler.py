"""Has torch's compiler, ``torch._dynamo``, imported once something is compiled, and not before.

Lightning imports it for the name of a class and to have functions called past it, torch's
optimisers to say that there is nothing to compile: a second of processor time, with Inductor, ONNX
and SymPy, for a process that compiles nothing. Until somebody wants more of it than that, a module
that can do no more stands in its place.
"""

import sys
from abc import ABC
from collections.abc import Callable, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_loader
from types import FunctionType, ModuleType
from typing import Any

NAME = "torch._dynamo"


class _StandIn(ModuleType):
    """All that a process wants of the compiler which compiles nothing; everything else loads it."""

    class OptimizedModule(ABC):  # noqa: B024 - the compiler's own is registered
        """For `isinstance`, which is right: nothing is compiled before the compiler is there."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self._when_there: list[Callable[[Any], None]] = []

    def graph_break(self, msg: str = "") -> None:
        """Break no graph: nothing is traced."""

    def disable(self, *args: Any, **kwargs: Any) -> Any:
        """Have a function called as it is, and as the compiler says from when it is there."""
        function = args[0] if args else None
        if not isinstance(function, FunctionType):
            return _compiler(self).disable(*args, **kwargs)
        called: Callable[..., Any] = function

        def ask(compiler: Any) -> None:
            nonlocal called
            called = compiler.disable(*args, **kwargs)

        @wraps(function)
        def past_the_compiler(*args: Any, **kwargs: Any) -> Any:
            return called(*args, **kwargs)

        self._when_there.append(ask)
        return past_the_compiler

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__all__":  # looked for in every module
            raise AttributeError(name)
        return getattr(_compiler(self), name)


class _Finder(MetaPathFinder, Loader):
    """Finds the stand-in where the compiler is wanted, and the compiler where a part of it is."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == NAME:
            spec = PathFinder.find_spec(fullname, path, target)
            if spec is not None:
                spec.loader = self
            return spec
        stand_in = sys.modules.get(NAME)
        if fullname.startswith(f"{NAME}.") and isinstance(stand_in, _StandIn):
            _compiler(stand_in)
            if fullname in sys.modules:  # it has brought this part in
                return spec_from_loader(fullname, _Imported(sys.modules[fullname]))
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn()

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing to run."""


class _Imported(Loader):
    """Hands over a module that was imported while it was looked for."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = self._module


def install() -> None:
    """Have the compiler wait, unless it has been imported."""
    if NAME not in sys.modules and not any(isinstance(f, _Finder) for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _compiler(stand_in: _StandIn) -> Any:
    """The compiler itself, from now on in the place of what stands in for it."""
    if sys.modules.get(NAME) is not stand_in:
        return import_module(NAME)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    del sys.modules[NAME]
    vars(sys.modules["torch"]).pop("_dynamo", None)
    compiler = import_module(NAME)
    _StandIn.OptimizedModule.register(compiler.OptimizedModule)
    for ask in stand_in._when_there:
        ask(compiler)
    return compiler
