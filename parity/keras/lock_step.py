"""A compiled Keras model as a side of the divergence ladder, in lock step with another."""

from typing import Any

import keras
from numpy.typing import NDArray

from parity.keras.calls import Call, as_array, unchanged, watch
from parity.keras.names import SHAPING, function_name, kind_of, named_calls, variables
from parity.keras.outputs import beginning
from parity.keras.training import gradients, step

Array = NDArray[Any]
Table = dict[str, Array]


class LockStep:
    """The protocol of `parity.sides.lockstep` for any compiled model; NumPy in and out.

    Args:
        model: Compiled with optimiser and loss.
        x: A batch for it, [B, ...]; needed for a subclass that has never been called.

    Raises:
        ValueError: the model is not compiled, or `x` is needed.
    """

    def __init__(self, model: keras.Model, x: Any = None) -> None:
        if not model.compiled:
            raise ValueError(f"the model {model.name} is not compiled: call its compile() first")
        self.model = model
        self.variables = variables(model, x)

    def weights(self) -> Table:
        """Copies of all weights and moving statistics."""
        return {name: as_array(variable) for name, variable in self.variables.items()}

    def set_weights(self, weights: Table) -> None:
        """Take all of `weights`."""
        for name, variable in self.variables.items():
            variable.assign(weights[name])

    def forward(self, images: Array, training: bool) -> Table:
        """What each layer gives, float [B, ...]: first ``pixels``, last ``logits``.

        ``pixels`` is what the network behind the preprocessing is fed. ``logits`` is what the model
        gives, or, where it ends in a softmax or sigmoid and the loss takes probabilities, what that
        is fed.
        """
        with unchanged(self.model):
            outputs, calls = watch(self.model, images, training)
        table = {"pixels": as_array(calls[beginning(calls)].inputs)}
        if self._makes_probabilities(calls[-1], outputs):
            outputs = calls.pop().inputs
        for name, call in named_calls(calls)[beginning(calls) :]:
            if call.outputs is not outputs and kind_of(call) not in SHAPING:
                table[name] = as_array(call.outputs)
        return table | {"logits": as_array(outputs)}

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        """Loss and gradients in training mode; moving statistics and seeds stay as they were."""
        return gradients(self.model, images, labels)

    def step(self, images: Array, labels: Array) -> float:
        """One optimiser step, the way `fit` takes it."""
        return step(self.model, images, labels)

    def _makes_probabilities(self, last: Call, outputs: Any) -> bool:
        """Whether the model ends in a softmax or sigmoid, and its loss expects that."""
        if last.outputs is not outputs or function_name(last) not in ("softmax", "sigmoid"):
            return False
        loss = self.model.loss
        name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
        return name.lower().endswith("crossentropy") and not getattr(loss, "from_logits", False)
