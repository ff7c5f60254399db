"""The judge: are two separately trained models the same model?

``parity.compare(a, b)`` compares run directories, folders of them, or prediction files;
``parity.assert_parity(a, b)`` does so in a test. Both sides import `parity.run_record` and
`parity.watch` from here, and so the package itself imports nothing that takes time.
"""

from typing import TYPE_CHECKING, Any

from parity import torchvision_ops

if TYPE_CHECKING:
    from parity.judge.comparison import Comparison, assert_parity, compare
    from parity.judge.verdict import Thresholds, Verdict

__all__ = ["Comparison", "Thresholds", "Verdict", "assert_parity", "compare"]

torchvision_ops.install()


def __getattr__(name: str) -> Any:
    """Import what is asked for: SciPy alone takes a second."""
    if name not in __all__:
        raise AttributeError(f"module 'parity' has no attribute {name!r}")
    from parity.judge import comparison, verdict

    return getattr(verdict if name in ("Thresholds", "Verdict") else comparison, name)
