"""Any module in training as a side of the divergence ladder: one step at a time, NumPy only."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from parity.torch.dropout import rate_of, undropped
from parity.torch.kinds import SHAPING
from parity.torch.layouts import as_array
from parity.torch.model_files import fitting
from parity.torch.network import Array, Layer, Table, assign, inputs, layers, named_weights, passed
from parity.torch.settings import layer_settings, optimizer_settings
from parity.torch.state import arithmetic, unchanged
from parity.torch.trace import Call, Instead, begins, called

Loss = Callable[[Tensor, Tensor], Tensor]
DIGITS = ("x_train", "y_train", "x_test", "y_test")
PIXELS, LOGITS = "pixels", "logits"


class LockStep:
    """A module that is being trained; see `parity.sides.lockstep.LockStep`.

    Args:
        module: What is trained; from now on it computes in `dtype`.
        optimizer: Of its parameters.
        loss: From what the module gives and the labels to a scalar.
        dtype: ``float64`` or ``float32``, by name or as torch's.
    """

    layers: Mapping[str, Layer]
    """By canonical name, once it has seen a batch."""

    def __init__(
        self,
        module: nn.Module,
        optimizer: Optimizer,
        loss: Loss,
        dtype: torch.dtype | str = "float32",
    ) -> None:
        self.dtype: torch.dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype
        self.module = module.to(self.dtype)
        self.network = module
        """The part of it that answers, layer by layer."""
        self.optimizer = optimizer
        self.optimizer.load_state_dict(optimizer.state_dict())  # in the weights' new dtype
        self.apart: Callable[[Any], Any] = lambda images: images
        """From a batch to what the module takes, several arrays perhaps."""
        self.criterion = loss.to(self.dtype) if isinstance(loss, nn.Module) else loss

    def see(self, images: Any) -> None:
        """Find the layers, in the order in which they work on a batch."""
        with arithmetic(self.dtype):
            self.layers = layers(self.network, self.inputs(images))

    def read(self, path: Path) -> Table:
        """The arrays `DIGITS` of an ``.npz`` file."""
        with np.load(path, allow_pickle=False) as file:
            digits = {name: file[name] for name in DIGITS}
        few = digits["x_train"][:2]
        self.apart = fitting(self.network, few) or self.apart
        self.see(few)
        return digits

    def weights(self) -> Table:
        """Copies of everything that is learned or tracked.

        Raises:
            ValueError: no batch has been seen yet.
        """
        return {name: weight.array() for name, weight in self._weights().items()}

    def set_weights(self, weights: Mapping[str, Array]) -> None:
        """Take all of `weights`.

        Raises:
            ValueError: one is missing, or has another shape; or no batch has been seen yet.
        """
        assign(self._weights(), weights)

    def forward(self, images: Array, training: bool) -> Table:
        """What each layer gives: first ``pixels``, last ``logits``.

        ``pixels`` is what the first layer that learns is fed. ``logits`` is what the module gives,
        or, where it ends in a function that only the loss asks for, what that is fed.
        """
        calls, answer = self._calls(images, training)
        fed = next((fed for call, _, fed, _ in calls if begins(call) and fed is not None), None)
        named = {name: given for call, name, _, given in calls if call.kind not in SHAPING}
        last = {} if LOGITS in named else {LOGITS: as_array(answer)}
        return {PIXELS: np.array(images) if fed is None else fed, **named, **last}

    def rates(self, images: Array) -> Table:
        """Of each dropout at work, in order, the share that it drops where it is not left off.

        And the type that ``autocast`` would take, which leaves numbers of float64 as they are.
        """
        found: list[Array] = []
        cast: Table = {}

        def note(name: str, call: Call) -> None:
            if self.dtype == torch.float64 and torch.is_autocast_enabled("cpu"):
                kind = str(torch.get_autocast_dtype("cpu"))
                cast["autocast"] = np.array(kind.removeprefix("torch."))
            if call.kind == "dropout" and call.inputs is not None:
                found.append(np.array(rate_of(call.inputs, call.outputs)))

        with arithmetic(self.dtype), torch.no_grad():
            passed(self.network, self.inputs(images), note, training=True)
        return {f"dropout {place}": rate for place, rate in enumerate(found)} | cast

    def fed(self, images: Array, training: bool) -> Table:
        """What each layer is fed, under the names of `forward`."""
        calls, _ = self._calls(images, training)
        return {name: fed for _, name, fed, _ in calls if fed is not None}

    def forced(self, images: Array, training: bool, fed: Table) -> Table:
        """What each layer gives where it is fed what `fed` has, of another side, under its name."""
        order = [name for _, name, _, _ in self._calls(images, training)[0]]

        def instead(place: int) -> Tensor | None:
            name = order[place] if place < len(order) else ""
            return torch.from_numpy(np.array(fed[name])) if name in fed else None

        calls, answer = self._calls(images, training, instead)
        given = {name: values for (*_, values), name in zip(calls, order, strict=False)}
        return given | ({} if LOGITS in given else {LOGITS: as_array(answer)})

    def _calls(
        self, images: Array, training: bool, instead: Instead | None = None
    ) -> tuple[list[tuple[Call, str, Array | None, Array]], Tensor]:
        """Each call with its name, what it was fed and what it gave; last what gives the logits."""
        calls: list[tuple[Call, str, Array | None, Array]] = []

        def note(name: str, call: Call) -> None:
            fed = None if call.fed is None else as_array(call.fed)
            calls.append((call, name, fed, as_array(call.given)))

        with arithmetic(self.dtype), torch.no_grad(), undropped(self.module, training):
            answer = passed(self.network, self.inputs(images), note, training, instead)
        last = calls[-1][0] if calls else None
        if last and _reshaped(last.outputs, answer) and self._is_of_loss(last):
            calls.pop()
            answer = answer if last.inputs is None else last.inputs
        ends = [
            n
            for n, (call, *_) in enumerate(calls)
            if call.kind not in SHAPING and _reshaped(call.outputs, answer)
        ]
        if ends:
            call, _, fed, given = calls[ends[-1]]
            calls[ends[-1]] = (call, LOGITS, fed, given)
        return calls, answer

    def _is_of_loss(self, call: Call) -> bool:
        """Whether it turns logits into what the loss asks for."""
        name = getattr(self.criterion, "__name__", type(self.criterion).__name__)
        takes_probabilities = name in ("BCELoss", "binary_cross_entropy")
        return call.function == "log_softmax" or (
            call.function == "sigmoid" and takes_probabilities
        )

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        """Loss and gradients in training mode, as the optimiser gets them; changes nothing."""
        parameters = list(self.module.parameters())
        kept = [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
        with unchanged(self.module, training=True):
            loss = self._backward(images, labels)
        found = {name: weight.gradient() for name, weight in self._weights().items()}
        for parameter, gradient in zip(parameters, kept, strict=True):
            parameter.grad = gradient
        return loss, {name: values for name, values in found.items() if values is not None}

    def step(self, images: Array, labels: Array) -> float:
        """One optimiser step."""
        loss = self._backward(images, labels)
        with arithmetic(self.dtype):
            self.optimizer.step()
        return loss

    def settings(self) -> dict[str, Any]:
        """What layers and optimiser do, for `parity audit`."""
        return {**layer_settings(self.layers), **optimizer_settings(self.optimizer, self.layers)}

    def inputs(self, images: Any) -> Any:
        """What the module is fed, [B, ...]."""
        return inputs(self.network, self.apart(images))

    def training_loss(self, x: Any, labels: Array) -> Tensor:
        """The loss of a batch, a scalar with a graph."""
        given = called(self.network, x)
        return self.criterion(given, targets(labels, given))

    def _backward(self, images: Array, labels: Array) -> float:
        self.module.train()
        self.optimizer.zero_grad()
        with arithmetic(self.dtype), undropped(self.module):
            loss = self.training_loss(self.inputs(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def _weights(self) -> Any:
        if not hasattr(self, "layers"):
            raise ValueError(
                "the order of the layers is not known before a batch has been seen: call "
                "see(images) first"
            )
        return named_weights(self.layers)


def _reshaped(outputs: Tensor, answer: Tensor) -> bool:
    """Whether the answer is these outputs, or a view of all of them: squeezed, axes turned."""
    return answer is outputs or (
        answer.data_ptr() == outputs.data_ptr() and answer.numel() == outputs.numel()
    )


def targets(labels: Array, given: Any) -> Tensor:
    """Labels as a loss takes them.

    Class numbers stay int64 where the module answers with a column for each class; where it answers
    with one number, labels get its shape and dtype.
    """
    values = torch.from_numpy(np.array(labels))
    if not isinstance(given, Tensor):
        return values
    values = values.to(given.device)
    if values.is_floating_point() or values.numel() == given.numel():
        same = values.numel() == given.numel()
        values = values.to(given.dtype)
        return values.view_as(given) if same else values
    return values.long()


def gradients(module: nn.Module, loss: Loss, x: Array, labels: Array) -> tuple[float, Table]:
    """Loss of a batch in training mode and its gradient for each weight; changes nothing."""
    parameters = list(module.parameters())
    dtype = parameters[0].dtype
    side = LockStep(module, torch.optim.SGD(parameters), loss, dtype)
    side.see(x)
    return side.gradients(x, labels)
