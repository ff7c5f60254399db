"""A compiled Keras model as a side of the divergence ladder, in lock step with another."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from parity.keras.calls import Call, as_array, unchanged, watch
from parity.keras.dropout import rate_of, undropped
from parity.keras.names import SHAPING, function_name, kind_of, named_calls, snake_case, variables
from parity.keras.outputs import beginning
from parity.keras.settings import layer_settings, optimizer_settings
from parity.keras.training import gradients, step

Array = NDArray[Any]
Table = dict[str, Array]
DIGITS = ("x_train", "y_train", "x_test", "y_test")
PIXELS, LOGITS = "pixels", "logits"


class LockStep:
    """The protocol of `parity.sides.lockstep` for any compiled model; NumPy in and out.

    Args:
        model: Compiled with optimiser and loss.

    Raises:
        ValueError: the model is not compiled.
    """

    def __init__(self, model: keras.Model) -> None:
        if not model.compiled:
            raise ValueError(f"the model {model.name} is not compiled: call its compile() first")
        self.model = model
        self._variables: dict[str, keras.Variable] = {}
        self.apart: Callable[[Any], Any] = lambda images: images
        """From a batch to what the model takes: several arrays where it has several inputs."""
        self._compiled: Any = None
        """Keras' step without dropout; the model's own stays as it is."""

    def read(self, path: Path) -> Table:
        """The arrays `DIGITS` of an ``.npz`` file."""
        with np.load(path, allow_pickle=False) as file:
            digits = {name: file[name] for name in DIGITS}
        self.see(digits["x_train"][:2])
        return digits

    def see(self, images: Array) -> None:
        """Find the layers, in the order in which they work on a batch."""
        self._variables = variables(self.model, self.apart(images))

    @property
    def variables(self) -> dict[str, keras.Variable]:
        """All weights and moving statistics, by canonical name.

        Raises:
            ValueError: the model is a subclass that has never been called, and no batch was seen.
        """
        self._variables = self._variables or variables(self.model)
        return self._variables

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
        gives, or, where it ends in a softmax or sigmoid that Keras' crossentropy undoes, what that
        is fed.
        """
        named, outputs = self._calls(images, training)
        begin = beginning([call for _, call in named])
        table = {PIXELS: as_array(named[begin][1].inputs)}
        for name, call in named[begin:]:
            if kind_of(call) not in SHAPING or name == LOGITS:
                table[name] = as_array(call.outputs)
        return table | ({} if LOGITS in table else {LOGITS: as_array(outputs)})

    def rates(self, images: Array) -> Table:
        """Of each dropout at work, in order, the share that it drops where it is not left off."""
        with unchanged(self.model):
            _, calls = watch(self.model, self.apart(images), training=True)
        dropping = [call for call in calls if kind_of(call) == "dropout"]
        return {
            f"dropout {place}": np.array(rate_of(as_array(call.inputs), as_array(call.outputs)))
            for place, call in enumerate(dropping)
        }

    def fed(self, images: Array, training: bool) -> Table:
        """What each layer is fed, under the names of `forward`."""
        return {name: as_array(call.inputs) for name, call in self._calls(images, training)[0]}

    def forced(self, images: Array, training: bool, fed: Table) -> Table:
        """What each layer gives where it is fed what `fed` has, of another side, under its name."""
        order = [name for name, _ in self._calls(images, training)[0]]

        def instead(place: int) -> Array | None:
            return fed.get(order[place]) if place < len(order) else None

        with unchanged(self.model), undropped(self.model, training):
            outputs, calls = watch(self.model, self.apart(images), training, instead)
        given = {name: as_array(call.outputs) for name, call in zip(order, calls, strict=False)}
        return given | ({} if LOGITS in given else {LOGITS: as_array(outputs)})

    def _calls(self, images: Array, training: bool) -> tuple[list[tuple[str, Call]], Any]:
        """Each call with its name, the last ``logits``; and these."""
        with unchanged(self.model), undropped(self.model, training):
            outputs, calls = watch(self.model, self.apart(images), training)
        if self._undone(calls[-1], outputs):
            outputs = calls.pop().inputs
        named = [
            (LOGITS if call.outputs is outputs else name, call) for name, call in named_calls(calls)
        ]
        return named, outputs

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        """Loss and gradients in training mode; moving statistics and seeds stay as they were."""
        with undropped(self.model):
            return gradients(self.model, self.apart(images), self._targets(images, labels))

    def step(self, images: Array, labels: Array) -> float:
        """One optimiser step, the way `fit` takes it."""
        own, self.model.train_function = self.model.train_function, self._compiled
        try:
            with undropped(self.model):
                return step(self.model, self.apart(images), self._targets(images, labels))
        finally:
            self._compiled, self.model.train_function = self.model.train_function, own

    def settings(self) -> dict[str, Any]:
        """What layers and optimiser do, for `parity audit`."""
        optimizer = optimizer_settings(self.model.optimizer, self.variables)
        return {**layer_settings(self.model), **optimizer}

    def _undone(self, last: Call, outputs: Any) -> bool:
        """Whether the loss goes back behind the softmax or sigmoid that the model ends in.

        Keras' crossentropies do, whatever their ``from_logits`` says.
        """
        ends_so = last.outputs is outputs and function_name(last) in ("softmax", "sigmoid")
        return ends_so and self._loss_name().endswith("crossentropy")

    def _targets(self, images: Array, labels: Array) -> Array:
        """Labels int [B]; one-hot for a loss that compares them with the outputs one by one."""
        name = self._loss_name()
        if labels.ndim > 1 or not name or name.startswith("sparse"):
            return labels
        columns = int(self.model(self.apart(images[:1])).shape[-1])
        return labels if columns == 1 else np.eye(columns)[labels]

    def _loss_name(self) -> str:
        """Keras' name of the loss, ``sparse_categorical_crossentropy``; empty for another's."""
        loss = self.model.loss
        loss = keras.losses.get(loss) if isinstance(loss, str) else loss
        own = type(loss) if isinstance(loss, keras.losses.Loss) else loss
        if not getattr(own, "__module__", "").startswith("keras."):
            return ""
        return snake_case(own.__name__)
