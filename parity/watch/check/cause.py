"""What a cause is before the first step: how sure it is, and the remedy that would prove it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, IntEnum, auto
from typing import Literal

from parity.watch.check.program import Program


class Belief(IntEnum):
    """How sure a cause is before anything was tried."""

    MAYBE = 0
    """Said only where its remedy has been tried and helps."""
    LIKELY = 1
    """Said unless its remedy has been tried and brings nothing."""
    SURE = 2
    """A mistake in itself, whatever it costs."""


class Change(Flag):
    """What can be done to a copy of a program, beside its samples, targets, loss and rate."""

    NONE = 0
    RELU = auto()
    """A ReLU in the place of the hidden activations."""
    RELU_BETWEEN = auto()
    """A ReLU after each hidden layer that has no activation."""
    DEEPER = auto()
    """A hidden layer before the last, where there is none; in Keras."""
    ORDERED = auto()
    """What is averaged over the steps of a sequence tells their places; in Keras."""
    BATCH_FIRST = auto()
    """Recurrent and attention layers take samples along the first axis; in torch."""
    BOUNDED = auto()
    """Answers are kept off 0 and 1."""
    UNDROPPED = auto()
    """Dropout leaves nothing out."""
    KEPT = auto()
    """Weights are drawn once where the program draws them again and again."""
    THAWED = auto()
    """Steps are taken, of all weights, where the program takes none."""
    ADAM = auto()
    """Adam, at the remedy's rate, in the place of the optimiser."""
    DAMPED = auto()
    """The optimiser has a usual momentum."""
    EACH = auto()
    """A step follows each batch where the program takes one after several."""
    ZEROED = auto()
    """Gradients are set to zero where the program leaves them."""
    UNCLIPPED = auto()
    """Gradients stay as long as they are."""
    ATTACHED = auto()
    """Gradients pass where a network cuts them off; in torch."""
    OPEN = auto()
    """Gradients pass where a function lets none through; in torch."""
    DESCENDS = auto()
    """Steps make the loss smaller where the program's make it larger."""
    UNSCALED = auto()
    """The loss is as large as it is where the program makes it small, or too large."""
    UNPENALISED = auto()
    """No penalty or constraint pulls weights to 0."""
    SHUFFLED = auto()
    """Samples are drawn at random where the program takes them in order."""
    BALANCED = auto()
    """Rare classes are drawn as often as frequent ones."""


@dataclass(frozen=True)
class Remedy:
    """A change that can be tried on a copy of the program.

    Attributes:
        words: What it is, after "tried: ".
        changes: What is done to the network, its steps and the order of samples.
        features: What is made of the samples.
        targets: What is made of the targets.
        head: Last layer and loss that fit the targets: logits with the crossentropy over classes,
            one logit with the binary crossentropy, several of these, or plain numbers with the
            squared error.
        initial: How the kernels are drawn anew.
        rate: Learning rate.
        batch: Samples of a batch, at least.
    """

    words: str
    changes: Change = Change.NONE
    features: Literal[
        "",
        "bytes",
        "times 255",
        "minus 1 to 1",
        "standardised",
        "filled",
        "padded before",
        "axes moved",
        "reversed",
    ] = ""
    targets: Literal["", "standardised", "from 0"] = ""
    head: Literal["", "classes", "binary", "several", "values"] = ""
    initial: Literal["", "glorot", "he"] = ""
    rate: float | None = None
    batch: int = 0

    def __contains__(self, change: Change) -> bool:
        """Whether `change` is a part of it."""
        return change in self.changes


@dataclass(frozen=True)
class Match:
    """A cause that the facts bear out: its name, the figures, the line to change."""

    cause: str
    figures: str
    advice: str
    belief: Belief = Belief.SURE
    remedy: Remedy | None = None


@dataclass(frozen=True)
class Cause:
    """A hypothesis about a program.

    Attributes:
        name: Of the hypothesis.
        look: Says whether the facts bear it out.
        explains: Names of others that follow from it and are not said beside it.
    """

    name: str
    look: Callable[[Program], Match | None]
    explains: tuple[str, ...] = ()
