"""Keras 3's optimisers for torch: the same arithmetic in the same order, not only the same names.

What torch's own do otherwise: epsilon has another value and another place (after the bias
correction, outside the root), weight decay is added to the gradient, defaults differ. And even
where Keras computes in float64, TensorFlow takes some settings through float32: a relative 6e-6
of every step of Adam.

Where the bits differ from Keras', torch has fused a product and a sum into one rounding, or MKL's
square root, which is not correctly rounded, was used. RMSprop and Adagrad fuse nothing.
"""

from lightning_mnist.optimizers.adam import KerasAdam, KerasAdamW, KerasNadam
from lightning_mnist.optimizers.descent import KerasAdagrad, KerasRMSprop, KerasSGD
from lightning_mnist.optimizers.muon import KerasMuon

__all__ = [
    "KerasAdagrad",
    "KerasAdam",
    "KerasAdamW",
    "KerasMuon",
    "KerasNadam",
    "KerasRMSprop",
    "KerasSGD",
]
