"""The page of one training: what the network was fed, what it answered over time, its layers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from numpy.typing import NDArray

from parity.pages import training_pictures as pictures
from parity.pages import write_page

Array = NDArray[Any]
COLUMNS = 40
"""Features and classes that are shown, at most."""


class Said(NamedTuple):
    """What was said, and when.

    Attributes:
        when: The sentence that begins it.
        causes: Name of each, and what is said of it, in order.
        tried: What trials have brought.
    """

    when: str
    causes: list[tuple[str, str]]
    tried: list[str]


@dataclass(frozen=True)
class Training:
    """What a page shows; what is not known is left out.

    Attributes:
        facts: Names and values, for people.
        said: In the order in which it was said.
        fed: What the first layer that learns is given for some samples, [N, ...], channels last.
        pictured: Whether these are images.
        targets: Of the same or more samples, [M, ...].
        labels: Classes of all samples, int64 [M].
        steps: Of each look at the answers.
        shares: Share of each class among the answers, one row for each look; empty without classes.
        quantiles: Lowest, 10 %, median, 90 % and highest answer, likewise; empty with classes.
        losses: Crossentropy at each look, in nats; None where it was not finite.
        blind_loss: That of knowing nothing but how frequent classes are.
        layers: Name, deviation of the initial weights, change, and dead units at first and now.
        dead: Share of dead ReLU units at each look, by layer.
        spread: Kind of each layer, and what differs between samples behind it at first.
    """

    facts: list[tuple[str, str]]
    said: Sequence[Said] = ()
    fed: Array | None = None
    pictured: bool = False
    targets: Array | None = None
    labels: Array | None = None
    steps: Sequence[int] = ()
    shares: Sequence[Sequence[float]] = ()
    quantiles: Sequence[Sequence[float]] = ()
    losses: Sequence[float | None] = ()
    blind_loss: float | None = None
    layers: Sequence[tuple[str, float, float | None, float | None, float | None]] = ()
    dead: dict[str, list[float]] = field(default_factory=dict)
    spread: Sequence[tuple[str, float]] = ()


def write_training(path: Path, training: Training) -> None:
    """Write the page, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with rc_context({"text.parse_math": False}), np.errstate(all="ignore"):
        write_page(
            path,
            "parity",
            "pages/training.html.j2",
            t=training,
            features=_features(training),
            drawn={
                "fed": pictures.draw_fed(training.fed, training.pictured),
                "targets": pictures.draw_targets(training.targets, training.labels),
                "answers": pictures.draw_answers(
                    training.steps, training.shares, training.quantiles
                ),
                "losses": pictures.draw_losses(
                    training.steps, training.losses, training.blind_loss
                ),
                "dead": pictures.draw_dead(training.steps, training.dead),
                "spread": pictures.draw_spread(training.spread),
            },
        )


def _features(training: Training) -> list[tuple[str, float, float, float, float]]:
    """Lowest, mean, highest value and deviation of each feature, or of all together."""
    fed = training.fed
    if fed is None or fed.dtype.kind not in "iufb" or not fed.size:
        return []
    values = fed.astype(np.float64)
    rows = [("all", *_figures(values))]
    if values.ndim == 2 and not training.pictured:
        rows += [(str(n), *_figures(values[:, n])) for n in range(min(values.shape[1], COLUMNS))]
    return rows


def _figures(values: Array) -> tuple[float, float, float, float]:
    return float(values.min()), float(values.mean()), float(values.max()), float(values.std())
