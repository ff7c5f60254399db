"""What a cause is before the first step: how sure it is, and the remedy that would prove it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
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


@dataclass(frozen=True)
class Remedy:
    """A change that can be tried on a copy of the network.

    Attributes:
        words: What it is, after "tried: ".
        features: What is made of the samples.
        targets: What is made of the targets.
        head: Last layer and loss that fit the targets: logits with the crossentropy over classes,
            one logit with the binary crossentropy, several of these, or plain numbers with the
            squared error.
        hidden: Activation instead of the hidden ones.
        between: Whether a ReLU comes after each hidden layer that has no activation.
        rate: Learning rate.
        adam: Whether Adam, at `rate`, takes the place of the optimiser.
        initial: How the kernels are drawn anew.
        shuffled: Whether samples are drawn at random where the program takes them in order.
        balanced: Whether rare classes are drawn as often as frequent ones.
        unpenalised: Whether no penalty pulls weights to 0.
        unclipped: Whether gradients stay as long as they are.
        damped: Whether the optimiser has a usual momentum.
        undropped: Whether dropout leaves nothing out.
        thawed: Whether steps are taken, of all weights, where the program takes none.
        zeroed: Whether gradients are set to zero where the program leaves them.
        batch: Samples of a batch, at least.
        descends: Whether steps make the loss smaller where the program's make it larger.
        kept: Whether weights are drawn once where the program draws them again and again.
        batch_first: Whether recurrent and attention layers of torch take samples along the first
            axis.
        attached: Whether gradients pass where a network of torch cuts them off.
        each: Whether a step follows each batch where the program takes one after several.
        open: Whether gradients pass where a function of torch lets none through.
        unscaled: Whether the loss is as large as it is where the program makes it small.
        bounded: Whether answers are kept off 0 and 1.
        deeper: Whether a hidden layer comes before the last, where there is none; in Keras.
        ordered: Whether what is averaged over the steps of a sequence tells their places; in Keras.
    """

    words: str
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
    hidden: Literal["", "relu"] = ""
    between: bool = False
    rate: float | None = None
    adam: bool = False
    initial: Literal["", "glorot", "he"] = ""
    shuffled: bool = False
    balanced: bool = False
    unpenalised: bool = False
    unclipped: bool = False
    damped: bool = False
    undropped: bool = False
    thawed: bool = False
    zeroed: bool = False
    batch: int = 0
    descends: bool = False
    kept: bool = False
    batch_first: bool = False
    attached: bool = False
    each: bool = False
    open: bool = False
    unscaled: bool = False
    bounded: bool = False
    deeper: bool = False
    ordered: bool = False


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
