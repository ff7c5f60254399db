"""Who takes part: the name of each, the process that it is, and how much it does in a round."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from benchmarks.work import Work

EPOCHS = 2.0
"""Of a fast competitor in a round: what happens once an epoch is in it twice."""


@dataclass(frozen=True)
class Competitor:
    """A way to train the network.

    Attributes:
        module: Of `benchmarks.workers`.
        settings: Of that worker's `prepare`.
        epochs: In a round; where it is slow, and its cost a matter of samples, a part of one.
        augmented: Whether training images are distorted.
        needs: The package without which it is skipped.
    """

    module: str
    settings: dict[str, Any] = field(default_factory=dict)
    epochs: float = EPOCHS
    augmented: bool = False
    needs: str = "numpy"

    def work(self, work: Work) -> Work:
        """Its share of `work`."""
        return replace(work, epochs=self.epochs, augmented=self.augmented)


PLAIN = {
    "bare loop": Competitor("bare"),
    "matrix products": Competitor("products"),
    "ours": Competitor("ours"),
    "lightning, 0 workers": Competitor("usual", {"workers": 0}, epochs=0.5),
    "lightning, 2 workers": Competitor("usual", {"workers": 2}, epochs=0.5),
    "keras": Competitor("keras_fit", needs="keras"),
    "keras tuned": Competitor("keras_fit", {"tuned": True}, needs="keras"),
    "keras tuned, validated": Competitor(
        "keras_fit", {"tuned": True, "validated": True}, needs="keras"
    ),
    "jax": Competitor("jax_scan", needs="jax"),
    "jax, validated": Competitor("jax_scan", {"validated": True}, needs="jax"),
}
AUGMENTED = {
    "bare loop": PLAIN["bare loop"],
    "ours": PLAIN["ours"],
    "bare loop, ours": Competitor("bare", {"augmentation": "ours"}, augmented=True),
    "bare loop, kornia": Competitor(
        "bare", {"augmentation": "kornia"}, augmented=True, needs="kornia"
    ),
    "ours, augmented": Competitor("ours", augmented=True),
    "lightning, 0 workers, torchvision": Competitor(
        "usual", {"workers": 0}, epochs=1 / 16, augmented=True
    ),
    "lightning, 2 workers, torchvision": Competitor(
        "usual", {"workers": 2}, epochs=1 / 16, augmented=True
    ),
    "keras, augmented": Competitor("keras_fit", augmented=True, needs="keras"),
    "keras tuned, augmented": Competitor(
        "keras_fit", {"tuned": True}, augmented=True, needs="keras"
    ),
    "keras tuned, its affine layers": Competitor(
        "keras_fit", {"tuned": True, "own_layers": True}, augmented=True, needs="keras"
    ),
}
"""Beside the augmented ones the two plain ones that say what augmentation costs."""
NAMES = sorted({*PLAIN, *AUGMENTED})


def chosen(
    competitors: dict[str, Competitor], names: Sequence[str]
) -> tuple[dict[str, Competitor], dict[str, str]]:
    """Those that can take part, the bare loop always, and why the others cannot, by name."""
    wanted = {
        name: competitor
        for name, competitor in competitors.items()
        if not names or name in names or name == "bare loop"
    }
    missing = {
        name: f"{competitor.needs} is not installed"
        for name, competitor in wanted.items()
        if find_spec(competitor.needs) is None
    }
    return {name: wanted[name] for name in wanted if name not in missing}, missing
