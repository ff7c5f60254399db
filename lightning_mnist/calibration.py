"""What a network's answers are worth: a temperature for its confidence, and a limit of strangeness.

Both are measured on the validation images, which the network has not learned.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.nn import functional as F

from lightning_mnist.module import DigitClassifier

KEY = "calibration"
"""Where a checkpoint holds it."""
HOTTEST = 32.0
"""The temperature lies between this and its inverse."""
STRANGE = 0.001
"""Share of the validation images that are stranger than the limit."""


@dataclass(frozen=True)
class Calibration:
    """Turns logits into probabilities that are right as often as they say.

    Attributes:
        temperature: Logits are divided by it; 1 changes nothing.
        strangest: The strangeness, see `strangeness`, up to which an image looks like those that
            the network has been trained on.
    """

    temperature: float = 1.0
    strangest: float = float("inf")

    @classmethod
    def fit(cls, logits: Tensor, labels: Tensor) -> "Calibration":
        """Measure both on logits float [N, C] and labels int64 [N] of validation images.

        The temperature has the least negative log-likelihood (Guo et al., On Calibration of Modern
        Neural Networks, 2017). What it maximises is concave in the inverse temperature: Newton's
        method finds where the slope is 0, within the interval that holds it. A label counts
        (N + 1) / (N + 2) and the other classes the rest (Platt, Probabilistic Outputs for Support
        Vector Machines, 1999): a network that has made no mistake yet is not infallible.
        """
        logits = logits.double()
        if not len(logits) or not logits.isfinite().all():
            return cls()
        count, classes = logits.shape
        targets = torch.full_like(logits, 1 / ((count + 2) * (classes - 1)))
        targets.scatter_(1, labels[:, None], (count + 1) / (count + 2))
        temperature = 1 / _root_of_the_slope(logits, (targets * logits).sum().item())
        strangest = torch.quantile(strangeness(logits), 1 - STRANGE)
        return cls(temperature, strangest.item())

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of logits float [N, C], as [N, C]."""
        return F.softmax(logits / self.temperature, dim=1)

    def looks_unfamiliar(self, logits: Tensor) -> Tensor:
        """Which of the logits float [N, C] are of images stranger than the limit, bool [N]."""
        return strangeness(logits) > self.strangest

    @classmethod
    def of(cls, checkpoint: Mapping[str, object]) -> "Calibration | None":
        """What a checkpoint holds; None where it was written before there was any."""
        held = checkpoint.get(KEY)
        return cls(**held) if isinstance(held, dict) else None


class Calibrator(Callback):
    """Measures a `Calibration` after every validation, and keeps it in the checkpoints."""

    def __init__(self) -> None:
        self.calibration: Calibration | None = None

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure on the whole validation part; over several ranks every one must take part."""
        assert isinstance(pl_module, DigitClassifier)
        if pl_module.val_logits.update_called:
            _, labels, logits = pl_module.val_logits.compute()
            self.calibration = Calibration.fit(logits, labels)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Add what was measured to a checkpoint, as plain values."""
        if self.calibration is not None:
            checkpoint[KEY] = asdict(self.calibration)


def strangeness(logits: Tensor) -> Tensor:
    """The free energy [N] of logits [N, C]: high where no class has much evidence.

    Liu et al., Energy-based Out-of-distribution Detection, 2020.
    """
    return -logits.logsumexp(dim=1)


def _root_of_the_slope(logits: Tensor, wanted: float) -> float:
    """The factor of logits double [N, C] at which their expectations add up to `wanted`.

    It lies between `HOTTEST` and its inverse; the sum grows with it.
    """
    by_class = logits.t().contiguous()  # a softmax over few columns takes ten times as long
    lowest, highest, factor = 1 / HOTTEST, HOTTEST, 1.0
    for _ in range(60):
        shares = (by_class * factor).softmax(dim=0)
        expected = (shares * by_class).sum(dim=0)
        slope = ((shares * by_class**2).sum() - (expected**2).sum()).item()
        excess = expected.sum().item() - wanted
        if excess > 0:
            highest = factor
        else:
            lowest = factor
        following = factor - excess / slope if slope > 0 else highest
        if not lowest < following < highest:
            following = (lowest * highest) ** 0.5
        if abs(following - factor) < 1e-12 * factor:
            break
        factor = following
    return factor
