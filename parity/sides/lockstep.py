"""The protocol of a side of the divergence ladder, and the process that serves one (NumPy only).

An entry point is ``module:function``; ``function(flags, precision)`` builds a `LockStep`, or what
an adapter makes one of: ``(module, optimizer, loss)`` of torch, a LightningModule, a compiled
Keras model. ``python -m parity.sides.lockstep`` serves them: each line of its standard input is a
request, the first one `Server.open`, all in JSON; arrays travel in ``.npz`` files, and every answer
is a line of JSON. Whatever the side prints meanwhile goes to the standard error.
"""

import importlib
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from parity.arrays import Array, Table
from parity.sides.process import serve

Precision = Literal["float64", "float32"]
PIXELS, LOGITS = "pixels", "logits"
"""The first and the last entry of what `LockStep.forward` gives."""
DIGITS = ("x_train", "y_train", "x_test", "y_test")


ADAPTERS = {"lightning": "parity.lightning", "torch": "parity.torch", "keras": "parity.keras"}
"""What makes a `LockStep` of a framework's objects; the first that fits."""


@runtime_checkable
class LockStep(Protocol):
    """One side of the ladder: a model that is being trained, NumPy in and NumPy out.

    Arrays that both sides give under one name are compared, so both use the same names and the same
    layout: kernels [in, out], for example. Two methods may be left out: ``read(path)``, the arrays
    `DIGITS` of an .npz file as this side reads them (default: as they are), and ``settings()``,
    what `parity audit` shows.
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


Build = Callable[[list[str], Precision], Any]


def load_entry(entry: str) -> Build:
    """The function that ``module:function`` names; modules of the current folder count.

    Raises:
        ValueError: there is no such module or function.
    """
    module, _, name = entry.partition(":")
    if not module or not name:
        raise ValueError(f"{entry!r}; expected MODULE:FUNCTION")
    try:
        build: Build = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{entry!r} cannot be imported ({error})") from error
    return build


def adapted(built: Any, precision: Precision) -> LockStep:
    """What an entry point has built, as a `LockStep`, by the adapter of its framework.

    Raises:
        TypeError: nothing that an adapter knows.
    """
    if isinstance(built, LockStep):
        return built
    parts = built if isinstance(built, tuple) else (built,)
    families = {cls.__module__.split(".")[0] for part in parts[:1] for cls in type(part).__mro__}
    adapter = next((name for family, name in ADAPTERS.items() if family in families), None)
    if adapter is None or (adapter == "parity.torch") != (len(parts) == 3):
        given = ", ".join(type(part).__name__ for part in parts)
        raise TypeError(
            f"the entry point gave {given}; expected an object with the methods of a lock step, "
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
        self.side = adapted(load_entry(entry)(flags, precision), precision)

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

    def _batch(self, ids: Array) -> tuple[Array, Array]:
        return self.digits["x_train"][ids], self.digits["y_train"][ids]


def answered(server: Server, request: dict[str, Any]) -> dict[str, Any]:
    """Do what a request says; its tables lie in the files that it names."""
    call, source, target = (request.pop(key) for key in ("call", "from", "to"))
    if source is not None:
        with np.load(source, allow_pickle=False) as arrays:
            request["table"] = dict(arrays)
    result = getattr(server, call)(**request)
    if target is not None:
        np.savez(target, **result)
    return {}


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    serve(partial(answered, Server()))
