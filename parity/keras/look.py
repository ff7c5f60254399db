"""What the guard wants to know of a Keras model: classes, dead layers, weights."""

from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from parity.keras.calls import Call, as_array
from parity.keras.names import function_name
from parity.keras.outputs import beginning, dead_share, is_relu, kernel, kernels_of
from parity.keras.probe import Probe
from parity.keras.traced import Traced, Watched
from parity.keras.updates import name_of, optimizer_of
from parity.watch.classes import Ints, Unit, labels_of, logits_of
from parity.watch.fingerprint import GRID

Array = NDArray[Any]


class Look(NamedTuple):
    """What a model makes of some samples.

    Attributes:
        fed: Input of the network behind the preprocessing, [N, ...].
        outputs: Its answers, [N, ...]; the first of several.
        dead: Share of ReLU units that are 0 for all samples, by the layer of weights before them.
    """

    fed: Array
    outputs: Array
    dead: dict[str, float]


class Subject:
    """A model in training, what it gives for samples of that, and samples that it is asked for."""

    def __init__(self, traced: Traced, seen: Watched, trained: Probe, probe: Probe) -> None:
        self.traced, self.model = traced, (model := traced.model)
        self.trained, self.probe = trained, probe
        outputs, calls = seen
        self.kernels = kernels_of(calls)
        self.unit = _unit(model, calls[-1], outputs)
        found = as_array(outputs)
        self.columns = 2 if self.unit else int(found.shape[-1])
        several = len(keras.tree.flatten(outputs)) > 1
        self.labels = self._labels(trained.targets)
        known = logits_of(found, self.unit), self._labels(probe.y), self.labels
        self.tells_classes = not several and all(part is not None for part in known)

    def before(self, seen: Watched) -> dict[str, Any]:
        """What `Guard.start` takes, but for what was intended."""
        look = _look(*seen)
        dead = look if self.probe is self.trained else _look(*self.traced(self.probe.x))
        raw = images(self.trained.x)
        fed = None if raw is None or raw.size != look.fed.size else look.fed.reshape(raw.shape)
        return {
            "labels": self.labels if self.tells_classes else None,
            "classes": self.columns,
            "raw": raw,
            "fed": fed,
            "weights": self.weights(),
            "dead": dead.dead,
            "optimizer": name_of(optimizer_of(self.model)),
        }

    def now(self, probe: Probe) -> dict[str, Any]:
        """Labels, logits and dead layers, as the guard takes them."""
        look = _look(*self.traced(probe.x))
        labels: Ints | None = None
        answers: Array | None = look.outputs
        if self.tells_classes:
            labels, answers = self._labels(probe.y), logits_of(look.outputs, self.unit)
        return {"labels": labels, "logits": answers, "dead": look.dead}

    def weights(self) -> dict[str, Array]:
        """Copies of the kernels."""
        return {name: as_array(variable) for name, variable in self.kernels.items()}

    def _labels(self, targets: Array | None) -> Ints | None:
        return None if targets is None else labels_of(targets, self.columns)


def _look(outputs: Any, calls: list[Call]) -> Look:
    dead: dict[str, float] = {}
    names = {id(variable): name for name, variable in kernels_of(calls).items()}
    name = ""
    for call in calls:
        if (variable := kernel(call)) is not None:
            name = names[id(variable)]
        elif name and is_relu(call):
            dead[name] = max(dead.get(name, 0.0), dead_share(call))
    return Look(as_array(calls[beginning(calls)].inputs), as_array(outputs), dead)


def images(x: Any) -> Array | None:
    """Samples as grey images [N, H, W], where they are such: square, or 784 in a row."""
    values: Array = x if isinstance(x, np.ndarray) else np.empty(0)
    if values.ndim == 4 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim == 2 and values.shape[1] == 28 * 28:
        values = values.reshape(-1, 28, 28)
    square = values.ndim == 3 and values.shape[1] == values.shape[2] >= GRID
    return values if square and values.dtype.kind in "uif" else None


def _unit(model: keras.Model, last: Call, outputs: Any) -> Unit | None:
    """What a model with a single unit gives, where that tells two classes apart."""
    if not keras.ops.is_tensor(outputs) or outputs.shape[1:] not in ((), (1,)):
        return None
    if last.outputs is outputs and function_name(last) == "sigmoid":
        return "probability"
    loss = getattr(model, "loss", None)
    from_logits = getattr(loss, "from_logits", False)
    binary = isinstance(loss, keras.losses.BinaryCrossentropy)
    return "logit" if binary and from_logits else None
