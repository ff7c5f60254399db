"""Any Keras model, seen from outside: its layers, answers, weights, gradients and steps.

The one adapter of Keras: whatever a program calls its layers, they have the same names and layouts
here as in `parity.torch`, and everything is NumPy.
"""

from parity.keras.checking import check
from parity.keras.guard import CollapseGuard
from parity.keras.lock_step import LockStep
from parity.keras.names import layers, variables
from parity.keras.outputs import answers, dead_units, fed, kernels
from parity.keras.training import gradients, set_weights, step, weights

__all__ = [
    "CollapseGuard", "LockStep", "answers", "check", "dead_units", "fed", "gradients", "kernels",
    "layers", "set_weights", "step", "variables", "weights",
]  # fmt: skip
