"""Lets torchvision, and so Lightning, be imported beside a torch that it was not built for.

The registry has torchvision as a CUDA build only. Beside a CPU-only torch its compiled library
does not load, and ``import torchvision`` then dies with "operator torchvision::nms does not
exist", because it attaches fake kernels to operators that nobody has defined. torchmetrics
imports torchvision, and Lightning imports torchmetrics. Defining the two schemas is enough:
nothing in this project calls a compiled torchvision operator.

Where the builds match the library loads, defines its own operators, and nothing is changed.
"""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# A torch library lives as long as its Python object: keep it as long as the process.
_kept: list[object] = []


class _BeforeTorchvision(MetaPathFinder):
    """Sees the first import of torchvision coming, whoever asks, and finds nothing itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            define_missing_operators()
        return None


def install() -> None:
    """Mend torchvision when it is first imported; costs nothing until then."""
    if "torchvision" not in sys.modules:
        sys.meta_path.insert(0, _BeforeTorchvision())


def define_missing_operators() -> bool:
    """Define the operators' schemas if torchvision's compiled library does not load.

    Returns:
        Whether they had to be defined.
    """
    import torch  # with torchvision, which needs it anyway

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.submodule_search_locations is None:
        return False
    for library in Path(spec.submodule_search_locations[0]).glob("_C.*"):
        try:
            torch.ops.load_library(library)
        except OSError:
            continue
        return False
    definitions = torch.library.Library("torchvision", "DEF")
    for schema in SCHEMAS:
        definitions.define(schema)
    _kept.append(definitions)
    return True
