"""Lets torchvision, and so Lightning, be imported beside a torch that it was not built for.

The registry has torchvision as a CUDA build only. Beside a CPU-only torch its compiled library
does not load, and ``import torchvision`` then dies with "operator torchvision::nms does not
exist", because it attaches fake kernels to operators that nobody has defined. torchmetrics
imports torchvision, and Lightning imports torchmetrics. Defining the two schemas is enough:
nothing in this project calls a compiled torchvision operator.

Where the builds match the library loads, defines its own operators, and nothing is changed.

All packages of this project import `parity`, which installs this: whichever of them comes first,
torchvision and Lightning can be imported afterwards. Until then it needs the standard library only.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# A torch library lives as long as its Python object: keep it as long as the process.
_kept: list[object] = []


class _BeforeTorchvision(MetaPathFinder):
    """Has torchvision mended when it is imported, not when it is only asked for."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "torchvision":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _MendingLoader(spec.loader)
        return spec


class _MendingLoader(Loader):
    """The loader of torchvision, which defines what is missing first."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.loader
        define_missing_operators(module.__spec__)
        self.loader.exec_module(module)


def install() -> None:
    """Mend torchvision when it is first imported; costs nothing until then."""
    if "torchvision" not in sys.modules:
        sys.meta_path.insert(0, _BeforeTorchvision())


def define_missing_operators(torchvision: ModuleSpec) -> bool:
    """Define the operators' schemas if torchvision's compiled library does not load.

    Returns:
        Whether they had to be defined.
    """
    import torch  # torchvision needs it anyway

    for folder in torchvision.submodule_search_locations or []:
        for library in Path(folder).glob("_C.*"):
            try:
                torch.ops.load_library(library)
            except OSError:
                continue
            return False
    if not _kept:  # otherwise it is imported once more
        definitions = torch.library.Library("torchvision", "DEF")
        for schema in SCHEMAS:
            definitions.define(schema)
        _kept.append(definitions)
    return True
