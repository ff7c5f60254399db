"""What a model got right: one value, the table in the terminal, the metrics of the run record."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torchmetrics import MetricCollection


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
            title=f"{title}: accuracy {self.accuracy:.2%} ({right:,} of {total:,})",
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
        console.print(table)
