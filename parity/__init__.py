"""The judge: are two separately trained models the same model?

``parity.compare(a, b)`` compares run directories, folders of them, prediction files or arrays;
``parity.assert_parity(a, b)`` does so in a test, and ``parity.diagnose(run)`` says what is wrong
with one model. Both sides import `parity.run_record` and `parity.watch` from here, and so the
package itself imports nothing that takes time.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from parity import torchvision_ops

if TYPE_CHECKING:
    from parity.api import Comparison, assert_parity, compare, diagnose
    from parity.errors import ParityError
    from parity.judge.comparable import CannotCompareError
    from parity.judge.verdict import Thresholds, Verdict
    from parity.run_record import RunRecordError
    from parity.sides.jobs import SideFailedError
    from parity.watch.alarm import CollapsedError
    from parity.watch.diagnosis import Finding

    __version__: str

__all__ = [
    "CannotCompareError",
    "CollapsedError",
    "Comparison",
    "Finding",
    "ParityError",
    "RunRecordError",
    "SideFailedError",
    "Thresholds",
    "Verdict",
    "__version__",
    "assert_parity",
    "compare",
    "diagnose",
]

_HOMES = {
    "CannotCompareError": "parity.judge.comparable",
    "CollapsedError": "parity.watch.alarm",
    "Finding": "parity.watch.diagnosis",
    "ParityError": "parity.errors",
    "RunRecordError": "parity.run_record",
    "SideFailedError": "parity.sides.jobs",
    "Thresholds": "parity.judge.verdict",
    "Verdict": "parity.judge.verdict",
}
"""Where a name is defined, unless that is `parity.api`."""

torchvision_ops.install()


def __getattr__(name: str) -> Any:
    """Import what is asked for: SciPy alone takes a second."""
    if name == "ladder":  # a room that can be called
        return import_module("parity.ladder")
    if name not in __all__:
        raise AttributeError(f"module 'parity' has no attribute {name!r}")
    if name == "__version__":
        return metadata.version("lightning-mnist")
    return getattr(import_module(_HOMES.get(name, "parity.api")), name)
