"""What trials are fed: the program's own samples, as they are or with a remedy (NumPy only)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.watch.check import Change, Remedy
from parity.watch.check.axes import COLOURS, as_axes_moved
from parity.watch.check.gaps import stand_ins
from parity.watch.check.program import Program, Task

Array = NDArray[Any]
Ints = NDArray[np.int64]

SAMPLES = 1200
"""Samples that a trial takes, at most."""
AS_GIVEN = Remedy("")
HELD = 0.25
"""Share of them that is held out."""
RARE = 20
"""Samples of a class below which chance would hold out hardly any."""
FEW = 60
"""Samples below which none are held out: a trial then tells what can be learned by heart."""


@dataclass(frozen=True)
class Material:
    """Samples and targets for trials.

    Attributes:
        x: Array [N, ...], or several in any structure.
        y: Targets, [N, ...].
        task: What is to be told.
        batch: Samples of a batch.
        in_order: Whether the program takes them in the order in which they are.
        pictures: Whether features are pixels, scaled all alike.
        drawn: How likely each class is drawn; empty where all samples are as likely.
        shrunk: How many times as large the network's first layer is fed what it is given.
    """

    x: Any
    y: Array
    task: Task
    batch: int = 32
    in_order: bool = False
    pictures: bool = False
    shrunk: float = 1.0
    drawn: tuple[float, ...] = ()

    @property
    def held(self) -> Ints:
        """Places of the samples that are held out; all where there are few."""
        return self._split()[1]

    def _split(self) -> tuple[Ints, Ints]:
        places = np.random.default_rng(0).permutation(len(self.y))
        if len(places) < FEW:
            return np.sort(places), places
        cut = int(HELD * len(places))
        if self.task in ("classes", "binary"):
            names = self.names(AS_GIVEN)[places]
            if np.unique(names, return_counts=True)[1].min() < RARE:  # a part of each is held out
                by_class = places[np.argsort(names, kind="stable")]
                parts = round(1 / HELD)
                places = np.concatenate([by_class[k::parts] for k in range(parts)])
        return np.sort(places[cut:]), np.sort(places[:cut])

    def features(self, remedy: Remedy) -> Any:
        """The samples that a network is fed with a remedy."""
        x = self.x
        if not remedy.features or not isinstance(x, np.ndarray) or x.dtype.kind not in "iufb":
            return x
        if remedy.features == "padded before":
            return _padded_before(x)
        if remedy.features == "reversed":
            return np.ascontiguousarray(x[:, ::-1])
        if remedy.features == "axes moved":
            return as_axes_moved(np.ascontiguousarray(x), x.shape[1] in COLOURS)
        values = x.astype(np.float32)
        if remedy.features == "bytes":
            return values / 255
        if remedy.features == "times 255":
            return values * 255
        if remedy.features == "minus 1 to 1":
            return values / 127.5 - 1
        if remedy.features == "filled":
            return _filled(values)
        axes = tuple(range(values.ndim)) if self.pictures else tuple(range(values.ndim - 1))
        fit = values[self._split()[0]].astype(np.float64)
        mean, deviation = fit.mean(axis=axes), fit.std(axis=axes)
        scaled = (values - mean) / np.where(deviation > 0, deviation, 1)
        return (scaled / self.shrunk).astype(np.float32)

    def targets(self, remedy: Remedy) -> Array:
        """The targets that it is asked for."""
        y = self.y
        if remedy.targets == "from 0":
            places: Array = np.unique(y, return_inverse=True)[1]
            numbered: Array = places.reshape(y.shape).astype(y.dtype)
            return numbered
        if remedy.targets == "standardised":
            values = y.astype(np.float64)
            scaled: Array = (values - values.mean()) / (values.std() or 1.0)
            return scaled.astype(np.float32)
        return y

    def names(self, remedy: Remedy) -> Ints:
        """The class of each sample, int64 [N]."""
        y = self.targets(remedy)
        if y.ndim == 2 and y.shape[1] > 1:
            return np.asarray(y.argmax(axis=1), np.int64)
        return y.ravel().astype(np.int64)

    def batches(self, remedy: Remedy) -> Iterator[Ints]:
        """Places of one batch after the other, without end; the same each time."""
        rng, train = np.random.default_rng(1), self._split()[0]
        size, start = min(max(self.batch, remedy.batch), len(train)), 0
        weights = self._weights(train, remedy)
        while True:
            if self.in_order and Change.SHUFFLED not in remedy:
                yield train[start : start + size]
                start = 0 if start + 2 * size > len(train) else start + size
            else:
                chosen = rng.choice(train, size, replace=weights is not None, p=weights)
                # Sequences that are given beside their lengths may have to come longest first.
                yield np.sort(chosen) if isinstance(self.x, tuple) else chosen

    def _weights(self, train: Ints, remedy: Remedy) -> Array | None:
        """Of each sample, so that classes are as likely as the program, or the remedy, wants."""
        if self.task not in ("classes", "binary") or not (Change.BALANCED in remedy or self.drawn):
            return None
        names = self.names(AS_GIVEN)[train]
        places = names - names.min()
        weights = 1 / np.bincount(places)[places]
        if Change.BALANCED not in remedy:
            weights = weights * np.array(self.drawn)[names]
        return np.asarray(weights / weights.sum())


def _filled(values: Array) -> Array:
    """Samples with what is not finite, or stands for what is missing, set to the mean or 0."""
    if values.ndim == 2 and np.isfinite(values).all():
        gaps = stand_ins(values)
        return np.where(gaps, values.mean(axis=0, where=~gaps), values)
    return np.nan_to_num(values, posinf=0.0, neginf=0.0)


def _padded_before(x: Array) -> Array:
    """Sequences [N, L] with the zeros behind them brought in front."""
    behind = (x[:, ::-1] != 0).argmax(axis=1)
    places = (np.arange(x.shape[1]) - behind[:, None]) % x.shape[1]
    moved: Array = np.take_along_axis(x, places, axis=1)
    return moved


def score(task: Task, answers: Array, targets: Array, middle: float) -> float:
    """How well targets are told: 1 is perfect, and not above 0.5 for two classes is nothing.

    For classes the mean of their recalls, so that a frequent one does not hide the others; for
    several labels the share that is right, each counted so; for numbers the share of the
    variance of their columns that is explained, -1 at least.

    Args:
        task: What is to be told.
        answers: Of the network, float [N, C] or [N].
        targets: Classes int [N], labels [N, C] or numbers [N, ...].
        middle: As `middle` gives it.
    """
    if not np.isfinite(answers).all():
        return -1.0 if task == "values" else 0.0
    rows = answers.reshape(len(answers), -1).astype(np.float64)
    if task == "values":
        wanted = targets.reshape(len(targets), -1).astype(np.float64)
        if wanted.shape != rows.shape:
            return -1.0
        rows = rows if middle else 0.5 + 0.5 * np.tanh(rows / 2)
        rest = ((rows - wanted) ** 2).mean() / max(float(wanted.var(axis=0).mean()), 1e-12)
        return max(-1.0, 1 - float(rest))
    if task == "several":
        right = (rows > middle) == (targets.reshape(rows.shape) > 0.5)
        yes = targets.reshape(rows.shape) > 0.5
        return float(np.mean([right[part].mean() for part in (yes, ~yes) if part.any()]))
    if rows.shape[1] > 1:
        predicted = rows.argmax(axis=1)
    elif task == "binary":
        predicted = (rows[:, 0] > middle).astype(np.int64)
    else:
        predicted = np.round(rows[:, 0].clip(-1e9, 1e9)).astype(np.int64)
    return float(np.mean([(predicted[targets == n] == n).mean() for n in np.unique(targets)]))


def middle(program: Program, remedy: Remedy) -> float:
    """Between no and yes: 0 of logits, 0.5 of probabilities and of plain numbers."""
    if remedy.head:
        return 0.5 if remedy.head == "values" else 0.0
    logits = program.loss is not None and program.loss.takes == "logits"
    return 0.0 if logits and program.last != "sigmoid" else 0.5


def shrunk(program: Program) -> float:
    """How many times as large features are in the network's first layer as in the data."""
    x, fed = program.inputs, program.fed
    if x is None or fed is None or x.dtype.kind not in "iuf" or fed.dtype.kind not in "iuf":
        return 1.0
    if x[0].size != fed[0].size:
        return 1.0
    given = x[:: max(1, len(x) // len(fed))][: len(fed)].astype(np.float64)
    with np.errstate(all="ignore"):  # features may be anything
        ratio = float(fed.astype(np.float64).std() / given.std())
    return ratio if np.isfinite(ratio) and not 0.5 < ratio < 2 and ratio > 0 else 1.0
