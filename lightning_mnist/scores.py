"""What a model got right: one value, the table in the terminal, the metrics of the run record."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassRecall,
)

from lightning_mnist.data.batches import Batch
from lightning_mnist.terminal import show

NOT_COUNTED = -1
"""A label that the counters pass over."""


@dataclass(frozen=True)
class Scores:
    """Counts over a set of images, each counted once.

    Attributes:
        confusion: int64 [C, C], true class by predicted class.
        recall: float [C], the share of each class's images that were found.
        accuracy: the share of images that were read right.
    """

    confusion: NDArray[np.int64]
    recall: NDArray[np.float32]
    accuracy: float

    @classmethod
    def of(cls, metrics: MetricCollection) -> "Scores":
        """Read off metrics that were updated; over several ranks every one must take part."""
        values = metrics.compute()
        return cls(
            values["confusion"].cpu().numpy(),
            values["recall"].cpu().numpy(),
            values["accuracy"].item(),
        )

    @property
    def support(self) -> NDArray[np.int64]:
        """int64 [C], images of each class."""
        return np.asarray(self.confusion.sum(axis=1))

    @property
    def predicted(self) -> NDArray[np.int64]:
        """int64 [C], predictions of each class."""
        return np.asarray(self.confusion.sum(axis=0))

    def describe(self) -> dict[str, Any]:
        """What a run record says of it; the recall of a class without images is null."""
        total = int(self.confusion.sum())
        return {
            "accuracy": self.accuracy,
            "images": total,
            "recall": [
                float(recall) if count else None
                for recall, count in zip(self.recall, self.support, strict=True)
            ],
            "predicted_share": (self.predicted / total).tolist(),
        }

    def show(self, title: str, console: Console) -> None:
        """Print accuracy, then recall and share of predictions for each class."""
        total = int(self.confusion.sum())
        right = int(np.trace(self.confusion))
        table = Table(
            title=Text(f"{title}: accuracy {self.accuracy:.2%} ({right:,} of {total:,})"),
            title_justify="left",
            title_style="bold",
        )
        for column in ("digit", "images", "found", "recall", "predicted", "share of predictions"):
            table.add_column(column, justify="right")
        for digit, (count, found, predicted) in enumerate(
            zip(self.support, np.diag(self.confusion), self.predicted, strict=True)
        ):
            table.add_row(
                str(digit),
                f"{count:,}",
                f"{found:,}",
                f"{self.recall[digit]:.2%}" if count else "-",
                f"{predicted:,}",
                f"{predicted / total:.2%}",
            )
        show(table, console)


def counters(classes: int) -> MetricCollection:
    """What `Scores` are read off, over all ranks; `count` adds to it."""
    return MetricCollection(
        {
            "accuracy": MulticlassAccuracy(classes, average="micro", ignore_index=NOT_COUNTED),
            "recall": MulticlassRecall(classes, average=None, ignore_index=NOT_COUNTED),
            "confusion": MulticlassConfusionMatrix(classes, ignore_index=NOT_COUNTED),
        }
    )


def count(scores: MetricCollection, logits: Tensor, labels: Tensor) -> None:
    """Add a batch, logits [B, C] and labels int64 [B]; torchmetrics knows no empty one."""
    if not len(labels):
        logits = logits.new_zeros(1, logits.shape[1])
        labels = labels.new_full((1,), NOT_COUNTED)
    scores.update(logits, labels)


class RunningScores:
    """Loss and accuracy of an epoch's training batches, each as it was before it was learned.

    Losses are kept one by one and added up when they are asked for, so that the result does not
    depend on how many were handed over at a time, and no step waits for the device.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the last epoch."""
        self._losses: list[Tensor] = []
        self._sizes: list[int] = []
        self._right: list[Tensor] = []

    def add(
        self, losses: list[Tensor], logits: list[Tensor], labels: Tensor, sizes: list[int]
    ) -> None:
        """Count batches: loss, a scalar, logits [B, C] and size B of each; labels int64 [N]."""
        self._losses.append(torch.stack(losses))
        self._sizes += sizes
        self._right.append((torch.cat(logits).argmax(dim=1) == labels).sum())

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs."""
        return {
            "losses": torch.cat(self._losses),
            "sizes": list(self._sizes),
            "right": torch.stack(self._right).sum(),
        }

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from what `state_dict` gave."""
        self._losses = [state["losses"].to(device)]
        self._sizes = list(state["sizes"])
        self._right = [state["right"].to(device)]

    @property
    def last_loss(self) -> Tensor:
        """Mean of the batches that were added last, a scalar."""
        return self._losses[-1].mean()

    def totals(self) -> tuple[Tensor, Tensor]:
        """Sum of the samples' losses, float32, and int64 [2]: samples read right, samples."""
        losses = torch.cat(self._losses).float()
        sizes = torch.tensor(self._sizes, device=losses.device)
        right = torch.stack(self._right).sum()
        return (losses * sizes).sum(), torch.stack([right, sizes.sum()])


class SampleLogits(Metric):
    """Keeps the logits of every sample: over all ranks, in the order of the sample ids."""

    full_state_update = False
    sample_ids: list[Tensor]
    labels: list[Tensor]
    logits: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in Batch._fields[1:] + ("logits",):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, batch: Batch, logits: Tensor) -> None:
        """Add a batch and its logits, float [B, C]."""
        self.sample_ids.append(batch.sample_ids)
        self.labels.append(batch.labels)
        self.logits.append(logits)

    def compute(self) -> tuple[Tensor, Tensor, Tensor]:
        """Sample ids int64 [N], labels int64 [N], logits float32 [N, C]."""
        sample_ids, labels, logits = (
            torch.cat(state) if isinstance(state, list) else state  # one tensor once synchronised
            for state in (self.sample_ids, self.labels, self.logits)
        )
        order = sample_ids.argsort()
        return sample_ids[order], labels[order], logits[order].float()
