"""Train, evaluate and use an MLP on handwritten digits with PyTorch Lightning.

``predict(checkpoint, images)`` reads digits with a trained model; `DigitClassifier` and
`DigitsDataModule` are what ``python -m lightning_mnist fit`` trains, and on what. Importing the
package is cheap; torch and Lightning load with what needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import parity  # noqa: F401 - it sees to it that Lightning can be imported

if TYPE_CHECKING:
    from lightning_mnist.api import predict
    from lightning_mnist.data.datamodule import DigitsDataModule
    from lightning_mnist.errors import InputError
    from lightning_mnist.module import DigitClassifier
    from lightning_mnist.ranks import RankLostError
    from parity.watch.alarm import CollapsedError

    __version__: str

_HOMES = {
    "CollapsedError": "parity.watch.alarm",
    "DigitClassifier": "lightning_mnist.module",
    "DigitsDataModule": "lightning_mnist.data.datamodule",
    "InputError": "lightning_mnist.errors",
    "RankLostError": "lightning_mnist.ranks",
    "predict": "lightning_mnist.api",
}
__all__ = [
    "CollapsedError",
    "DigitClassifier",
    "DigitsDataModule",
    "InputError",
    "RankLostError",
    "__version__",
    "predict",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for: Lightning alone takes seconds."""
    if name == "__version__":
        from importlib.metadata import version

        return version("lightning-mnist")
    if name not in _HOMES:
        raise AttributeError(f"module 'lightning_mnist' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
