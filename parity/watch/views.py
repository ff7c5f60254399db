"""How a model answers a view of the test set: what a run record keeps of it, and its line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from parity.watch.collapse import signs_of_collapse
from parity.watch.diagnosis.figures import log_softmax

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class ViewScore:
    """Shares of 1, the class that is predicted most, and signs of collapse, none for a healthy one.

    Attributes are the keys of a run record's ``metrics.views``.
    """

    name: str
    accuracy: float
    top_class: int
    top_share: float
    collapse: list[str]

    @classmethod
    def of(cls, name: str, labels: NDArray[np.int64], logits: NDArray[Any]) -> "ViewScore":
        """Of logits [N, C] and labels [N]."""
        predicted, classes = logits.argmax(axis=1), logits.shape[1]
        shares = np.bincount(predicted, minlength=classes) / len(labels)
        with np.errstate(invalid="ignore"):  # of a network that has diverged
            probabilities = np.exp(log_softmax(logits.astype(np.float64)))
        signs = signs_of_collapse(
            predicted, classes, labels=labels, logits=logits, probabilities=probabilities
        )
        accuracy, top = float((predicted == labels).mean()), int(shares.argmax())
        return cls(name, accuracy, top, float(shares[top]), signs)


def table_of(scores: Sequence[ViewScore], title: str) -> "Table":
    """A line for each view."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", title_style="bold")
    for column in ("view", "accuracy", "predicted most", "its share", "collapsed"):
        table.add_column(column, justify="left" if column in ("view", "collapsed") else "right")
    for score in scores:
        shares = f"{score.accuracy:.2%}", str(score.top_class), f"{score.top_share:.2%}"
        table.add_row(score.name, *shares, f"yes: {score.collapse[0]}" if score.collapse else "no")
    return table
