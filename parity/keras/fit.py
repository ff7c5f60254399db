"""What `fit` was given besides samples: other callbacks, weights, and what it holds out."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import keras
import numpy as np

from parity.keras import private
from parity.keras.probe import Probe, probe_of
from parity.watch.check import Belief, Match, Program
from parity.watch.guard import PROBE

FALLS = ("loss", "mse", "mae", "rmse", "mape", "error")
"""Ends of the names of metrics that are the better the lower they are."""
RISES = ("acc", "accuracy", "auc", "precision", "recall", "f1", "f1_score", "iou", "r2_score")
"""Those of metrics that are the better the higher they are."""
USUAL = 32
"""Samples of a batch where ``fit`` is told nothing."""
LONG, WORSE = 6, 1.5
"""Epochs since the best one, and times that the loss of what is held out is larger than then, from
which on a network learns by heart."""
FIRST = 500
"""Samples whose order is looked at."""
DOES = {
    "EarlyStopping": "it stops while the network gets better",
    "ModelCheckpoint": "it keeps the worst network",
    "ReduceLROnPlateau": "it lowers the learning rate while the network gets better",
}


class Fit(NamedTuple):
    """What ``fit`` was given beside the samples.

    Attributes:
        callbacks: All of them.
        held: Samples that it holds out, as it was given them.
        class_weight: By number of the class.
        sample_weight: One for each sample, [N].
        batch: Samples of a batch of arrays.
        split: Whether it holds out a part of what it is given.
        in_order: Whether it takes arrays as they are, without shuffling.
        x: What it draws samples from.
    """

    callbacks: Sequence[Any] = ()
    held: Any = None
    class_weight: dict[int, float] | None = None
    sample_weight: Any = None
    batch: int | None = None
    split: bool = False
    in_order: bool = False
    x: Any = None

    def source_beside(self, x: Any) -> str:
        """What it draws batches from, in a word; empty where that is `x`, or are arrays."""
        arrays = all(hasattr(part, "shape") for part in keras.tree.flatten(self.x))
        return "" if self.x is None or self.x is x or arrays else type(self.x).__name__

    @property
    def validation(self) -> Probe | None:
        """Some of the samples that are held out; None where they are none, or are read once."""
        if self.held is None:
            return None
        pair = isinstance(self.held, tuple | list) and len(self.held) > 1
        x, y = self.held[:2] if pair else (self.held, None)
        return probe_of(x, y, PROBE)

    def weighted(self, program: Program) -> Program:
        """The same, with a loss that knows the mean weight of each class."""
        found, loss = program.classes, program.loss
        if found is None or loss is None or not found.size or found.min() < 0:
            return program
        weights = np.ones(int(found.max()) + 1)
        if self.class_weight is not None:
            weights = np.array([float(self.class_weight.get(n, 1)) for n in range(len(weights))])
        elif self.sample_weight is not None:
            each = np.asarray(self.sample_weight, np.float64).ravel()[: len(found)]
            known = found[: len(each)]
            counts = np.bincount(known, minlength=len(weights))
            weights = np.bincount(known, each, len(weights)) / np.maximum(counts, 1)
        else:
            return program
        return replace(program, loss=replace(loss, weights=tuple(map(float, weights))))

    def ordered(self, program: Program) -> Program:
        """The same, with the classes of the first batches where samples are taken as they are."""
        found = program.classes if self.in_order else None
        return program if found is None else replace(program, order=(found[:FIRST],))


def fit_of(callback: keras.callbacks.Callback) -> Fit:
    """What the ``fit`` that calls this callback now was given; nothing in a loop of one's own."""
    given = private.given_to_fit(callback)
    return Fit(
        given.get("callbacks", ()),
        given.get("validation_data"),
        given.get("class_weight"),
        given.get("sample_weight"),
        (given.get("batch_size") or USUAL) if given else None,
        bool(given.get("validation_split")),
        given.get("shuffle") is False,
        given.get("x"),
    )


def wrong_way(callbacks: Sequence[Any]) -> list[Match]:
    """Those that are told to take the worst of a metric for the best.

    Args:
        callbacks: Of a training, before its first step.
    """
    found = []
    for each in callbacks:
        name, mode = type(each).__name__, getattr(each, "mode", "auto")
        best = {"min": "lowest", "max": "highest"}.get(mode, "")
        if name not in DOES or not best or getattr(each, "save_best_only", True) is False:
            continue
        metric, right = str(each.monitor), _way(str(each.monitor))
        if right and right != mode:
            found.append(
                Match(
                    f"{name} takes the worst {metric} for the best",
                    f'with mode="{mode}" the {best} {metric} counts: {DOES[name]}',
                    f'Set mode="{right}"',
                )
            )
    return found


def ended(callbacks: Sequence[Any]) -> Iterator[tuple[str, Match]]:
    """What looks wrong in how long a training went on, and what that means.

    Args:
        callbacks: Of a training that has ended.
    """
    if (match := stopped_rising(callbacks)) is not None:
        yield "the training has ended too early", match
    if (match := by_heart(callbacks)) is not None:
        yield "the training went on for too long", match


def stopped_rising(callbacks: Sequence[Any]) -> Match | None:
    """An `EarlyStopping` that has ended a training which got better in each epoch.

    Args:
        callbacks: Of a training that has ended.
    """
    told = (each for each in callbacks if isinstance(each, keras.callbacks.History))
    history: dict[str, Any] = getattr(next(told, None), "history", {})
    for each in callbacks:
        if not isinstance(each, keras.callbacks.EarlyStopping) or not each.stopped_epoch:
            continue
        if not each.min_delta and each.baseline is None:
            continue
        values = [float(value) for value in history.get(each.monitor, [])]
        sign = {"min": -1.0, "max": 1.0}.get(_way(each.monitor), 0.0)
        pairs = list(itertools.pairwise(values))
        if not pairs or not all(sign * (after - before) > 0 for before, after in pairs):
            continue
        asked = f"min_delta={abs(each.min_delta):g}"
        asked += "" if each.baseline is None else f" and baseline={each.baseline:g}"
        return Match(
            "EarlyStopping has ended a training that was still getting better",
            f"{each.monitor} went from {values[0]:.4g} to {values[-1]:.4g}, better in each of "
            f"{len(values)} epochs; {asked} count that for nothing",
            "Leave min_delta at 0 and baseline out, or wait longer: patience=5",
        )
    return None


def by_heart(callbacks: Sequence[Any]) -> Match | None:
    """A training that went on for long while what is held out was read worse and worse.

    Args:
        callbacks: Of a training that has ended; one that keeps the best epoch has seen to it.
    """
    keeps = (keras.callbacks.EarlyStopping, keras.callbacks.ModelCheckpoint)
    told = (each for each in callbacks if isinstance(each, keras.callbacks.History))
    history: dict[str, Any] = getattr(next(told, None), "history", {})
    held, own = (np.asarray(history.get(n, []), np.float64) for n in ("val_loss", "loss"))
    if any(isinstance(each, keeps) for each in callbacks) or len(held) != len(own) or not len(held):
        return None
    best = int(held.argmin())
    right = [n for n in history if n.startswith("val_") and _way(n) == "max"]
    better = any(history[n][-1] > history[n][best] for n in right)
    if best + LONG >= len(held) or not held[-1] > WORSE * held[best] > 0:
        return None
    if better or not own[-1] < own[best] / WORSE:
        return None
    return Match(
        "the network learns the samples of training by heart",
        f"since epoch {best + 1} of {len(held)} val_loss has risen from {held[best]:.3g} to "
        f"{held[-1]:.3g}, while loss has fallen from {own[best]:.3g} to {own[-1]:.3g}",
        "Stop there: EarlyStopping(patience=3, restore_best_weights=True); more samples, dropout "
        "or a smaller network put it off",
        Belief.LIKELY,
    )


def _way(metric: str) -> str:
    """Which of its values are the better ones; empty where the name does not tell."""
    name = metric.removeprefix("val_").lower()
    ways = {"min": FALLS, "max": RISES}
    return next((way for way, ends in ways.items() if any(map(name.endswith, ends))), "")
