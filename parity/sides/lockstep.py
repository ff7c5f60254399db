"""The protocol of a side of the divergence ladder, and the process that serves one (NumPy only).

An entry point (`parity.sides.entries`) builds a `LockStep`, or what an adapter makes one of:
``(module, optimizer, loss)`` of torch, a LightningModule, a compiled Keras model. ``python -m
parity.sides.lockstep`` serves them: each line of its standard input is a request, the first one
`Server.open`, all in JSON; arrays travel in ``.npz`` files, and every answer is a line of JSON.
Whatever the side prints meanwhile goes to the standard error.
"""

import importlib
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from parity.arrays import Array, Table
from parity.sides.entries import Precision, adapter_of, built
from parity.sides.process import answered, serve

PIXELS, LOGITS = "pixels", "logits"
"""The first and the last entry of what `LockStep.forward` gives."""
DIGITS = ("x_train", "y_train", "x_test", "y_test")


@runtime_checkable
class LockStep(Protocol):
    """One side of the ladder: a model that is being trained, NumPy in and NumPy out.

    Arrays that both sides give under one name are compared, so both use the same names and the same
    layout: kernels [in, out], for example. Some methods may be left out: ``read(path)``, the arrays
    `DIGITS` of an .npz file as this side reads them (default: as they are), ``settings()``, what
    `parity audit` shows, and, for mistakes behind the first one, ``fed(images, training)``, what
    each layer is fed, and ``forced(images, training, fed)``, what each gives for other inputs.
    ``rates(images)`` tells what its dropouts drop, where all else leaves them off, and what an
    ``autocast`` would have cast to.
    """

    def weights(self) -> Table:
        """Everything that is learned or tracked, in the order of the network."""
        ...

    def set_weights(self, weights: Table) -> None:
        """Take all of `weights`, under the names that `weights` gives."""
        ...

    def forward(self, images: Array, training: bool) -> Table:
        """What each layer gives for raw images [B, ...], in order; changes no state.

        The first entry is ``pixels``, the network's input, the last ``logits``, float [B, C].
        `training`: as in training (batch statistics, dropout) or as in inference.
        """
        ...

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        """The training loss of a batch and its gradient for each weight; changes no state."""
        ...

    def step(self, images: Array, labels: Array) -> float:
        """Take one optimiser step on a batch; the loss before it."""
        ...


def adapted(given: Any, precision: Precision) -> LockStep:
    """What an entry point has built, as a `LockStep`, by the adapter of its framework.

    Raises:
        TypeError: nothing that an adapter knows.
    """
    if isinstance(given, LockStep):
        return given
    parts = given if isinstance(given, tuple) and given else (given,)
    adapter = adapter_of(parts[0])
    if adapter is None or (adapter == "parity.torch") != (len(parts) == 3):
        kinds = ", ".join(type(part).__name__ for part in parts)
        raise TypeError(
            f"the entry point gave {kinds}; expected an object with the methods of a lock step, "
            "(module, optimizer, loss), a LightningModule or a compiled Keras model"
        )
    make: Callable[..., LockStep] = importlib.import_module(adapter).LockStep
    # A Keras model has its dtype from the start.
    return make(*parts) if adapter == "parity.keras" else make(*parts, dtype=precision)


def read_digits(path: Path) -> Table:
    """The arrays `DIGITS` as the file holds them."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in DIGITS}


class Server:
    """Answers requests for one side at a time; remembers the arrays that it has read."""

    side: LockStep

    def __init__(self) -> None:
        self.digits: Table = {}

    def open(self, entry: str, flags: list[str], precision: Precision) -> None:
        """Build the side that an entry point gives; an earlier one is forgotten."""
        self.side = adapted(built(entry, flags, precision), precision)

    def read(self, path: str) -> Table:
        """The raw arrays, uint8 images and integer labels."""
        read: Callable[[Path], Table] = getattr(self.side, "read", read_digits)
        self.digits = read(Path(path))
        return self.digits

    def weights(self) -> Table:
        """All weights."""
        return self.side.weights()

    def set_weights(self, table: Table) -> Table:
        """Take `table`; the weights as they then are."""
        self.side.set_weights(table)
        return self.side.weights()

    def forward(self, table: Table, training: bool) -> Table:
        """What each layer gives for ``images`` [B, ...]."""
        return self.side.forward(table["images"], training)

    def fed(self, table: Table, training: bool) -> Table:
        """What each layer is fed for ``images`` [B, ...]; empty where the side cannot say."""
        return self._optional("fed", table["images"], training)

    def forced(self, table: Table, training: bool) -> Table:
        """What each layer gives that is fed what the rest of `table` has under its name.

        Empty where the side cannot do that.
        """
        fed = {name: values for name, values in table.items() if name != "images"}
        return self._optional("forced", table["images"], training, fed)

    def rates(self, table: Table) -> Table:
        """The share that each dropout drops, for ``images``, in order; empty if none is known."""
        return self._optional("rates", table["images"])

    def evaluate(self, batch_size: int) -> Table:
        """``logits`` of all test images, in inference."""
        images = self.digits["x_test"]
        parts = [
            self.side.forward(images[start : start + batch_size], training=False)[LOGITS]
            for start in range(0, len(images), batch_size)
        ]
        return {LOGITS: np.concatenate(parts)}

    def gradients(self, table: Table) -> Table:
        """``loss`` and, by weight, the gradient on the training images numbered ``ids`` [B]."""
        loss, gradients = self.side.gradients(*self._batch(table["ids"]))
        return {"loss": np.array(loss), **gradients}

    def steps(self, table: Table, batch_size: int) -> Table:
        """``losses`` [K] of steps over the training images numbered ``ids``, in their order."""
        ids = table["ids"]
        losses = [
            self.side.step(*self._batch(ids[start : start + batch_size]))
            for start in range(0, len(ids), batch_size)
        ]
        return {"losses": np.array(losses, np.float64)}

    def settings(self) -> Table:
        """The effective ``settings``, one text in JSON."""
        settings: Callable[[], dict[str, Any]] = getattr(self.side, "settings", dict)
        return {"settings": np.array(json.dumps(settings()))}

    def _optional(self, name: str, *given: Any) -> Table:
        """What a method that may be left out gives; nothing where it is."""
        method: Callable[..., Table] = getattr(self.side, name, lambda *_: {})
        return method(*given)

    def _batch(self, ids: Array) -> tuple[Array, Array]:
        return self.digits["x_train"][ids], self.digits["y_train"][ids]


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    serve(partial(answered, Server()))
