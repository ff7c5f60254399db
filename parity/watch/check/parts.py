"""What a program consists of: layers, a loss, penalties on its weights."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

NORMS = ("batch_norm", "layer_norm", "instance_norm", "group_norm", "rms_norm", "normalization")
"""Kinds of layers that give what follows them a usual scale."""
ROWS = 12
"""Targets from which on it is no chance that they are all alike, or that each row adds up to 1."""


@dataclass(frozen=True)
class Layer:
    """A layer at work.

    Attributes:
        kind: As the adapters call it: ``dense``, ``conv``, ``activation``, ...
        function: What an activation computes, as ``relu``; else empty.
        learns: Whether it has weights that a training may change.
        units: Length of the last axis of what it gives; channels, for images.
        follows: Whether it is given what the layer before it in the list gives, unchanged.
        gain: Deviation of its kernel times the square root of the inputs of a unit: about 1 where
            signals keep their size (Glorot and Bengio 2010); the oddest of several. None without.
        dead: Share of its units that are 0 for every sample, where it is a ReLU.
        dropped: Share of the values that a dropout leaves out in training.
        spread: Deviation between samples of what it gives, the mean of its units.
        frozen: Whether it has a kernel or a table, which no training changes.
        flat: Share of its units that a sigmoid or tanh holds at its ends, for nearly all samples.
        overdone: What an augmentation makes of values for which it is not set, in words.
    """

    kind: str
    function: str = ""
    learns: bool = False
    units: int = 0
    follows: bool = True
    gain: float | None = None
    dropped: float = 0.0
    dead: float = 0.0
    spread: float | None = None
    frozen: bool = False
    flat: float = 0.0
    overdone: str = ""


def normalised(layers: tuple[Layer, ...]) -> bool:
    """Whether one of them brings what others give to a usual scale."""
    return any(layer.kind in NORMS for layer in layers)


@dataclass(frozen=True)
class Loss:
    """A loss function.

    Attributes:
        name: As the program calls it.
        kind: For classes that exclude each other, for yes or no, or a distance between numbers;
            empty where it is another.
        takes: What it wants from the network.
        targets: ``numbers`` of classes, ``rows`` with one column for each class; empty where it
            takes either, or what has the outputs' shape.
        undoes: Whether it goes back behind a softmax or sigmoid that it should not have been given.
        weights: Of each class, as many as there are; empty where it has none.
        of_yes: Of each label where it applies, for several labels; empty where it has none.
        ignored: The class number that it leaves out.
    """

    name: str
    kind: Literal["categorical", "binary", "distance", ""] = ""
    takes: Literal["logits", "probabilities", "log probabilities", ""] = ""
    targets: Literal["numbers", "rows", ""] = ""
    undoes: bool = False
    weights: tuple[float, ...] = ()
    of_yes: tuple[float, ...] = ()
    ignored: int | None = None


class Cut(NamedTuple):
    """A function that lets no gradient through, somewhere between weights and answers.

    Attributes:
        name: As ``round``, ``clamp``.
        share: Of the values that it is given, how many no gradient gets back to.
        outside: Whether it comes after the network, before the loss, and all gradients were 0.
    """

    name: str
    share: float
    outside: bool = False


class Course(NamedTuple):
    """What a program does besides calling its network, as far as it was seen.

    Attributes:
        factor: By which the loss is multiplied before backward, below 0 where it is negated.
        kept: Whether the optimiser is given gradients that are as large as this factor makes them.
        root: Of which backward was called first; None where that is not known.
        own: What the loss contributes to it.
        terms: What else is known to be in it: names of other losses.
        cuts: Functions that let no gradient through.
        drawn: Share of each class that a sampler draws; empty where it draws alike.
        reach: Samples that a sampler can draw, and all that there are; (0, 0) where it is known of
            none.
        varying: Of so many samples that were read twice alike, how many targets were others.
        torn: Samples that were given the targets of others where they became a batch.
        turned: Whether a mask of padding leaves out all but the padding.
        exps: Whether a loss that takes logarithms is given what an exponential gives.
        no_eps: Settings of the optimiser that are 0 in its weights' precision.
        ungiven: Whether kernels get gradients and no optimiser has them.
    """

    factor: float = 1.0
    kept: bool = False
    root: float | None = None
    own: float = 0.0
    terms: tuple[str, ...] = ()
    cuts: tuple[Cut, ...] = ()
    drawn: tuple[float, ...] = ()
    reach: tuple[int, int] = (0, 0)
    varying: tuple[int, int] = (0, 0)
    torn: int = 0
    turned: bool = False
    exps: bool = False
    no_eps: str = ""
    ungiven: bool = False


PLAIN = Course()


class Fitted(NamedTuple):
    """What layers make of the data that are fitted to data before a training.

    Attributes:
        unknown: Share of words that the vocabulary does not know; None without any.
        unadapted: Whether a layer of normalisation was never fitted.
        varies: How many times as much as its running deviation the samples vary that the first
            batch normalisation is given, the median of its channels; None where it has never been
            trained, or there is none.
        frozen: Whether that one is frozen.
    """

    unknown: float | None = None
    unadapted: bool = False
    varies: float | None = None
    frozen: bool = False


FITTED = Fitted()


class Penalty(NamedTuple):
    """A term that pulls weights to 0.

    Attributes:
        kind: ``l2`` and ``l1`` of a loss, ``activity`` where they are on what a layer gives;
            ``coupled``, where the optimiser adds the weight to its gradient; ``decoupled``, where
            it shrinks it beside its step.
        strength: Its factor.
    """

    kind: Literal["l2", "l1", "activity", "coupled", "decoupled"]
    strength: float
