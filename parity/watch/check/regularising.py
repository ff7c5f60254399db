"""Causes in what keeps a network from learning by heart, and here from learning at all."""

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.program import Program

LIMITS = {
    "coupled": (0.03, 0.3),
    "l2": (0.03, 0.3),
    "l1": (0.01, 0.1),
    "activity": (1.0, 10.0),
    "decoupled": (1.0, 10.0),
}
"""Strengths of a penalty: above the first a training may suffer, above the second it mostly does.
A gradient is about 0.001 to 0.01 a weight of 0.1 at first; a decoupled decay stands against steps
of the learning rate's size, whatever the gradient (Loshchilov and Hutter 2019)."""
NAMES = {
    "coupled": "weight decay",
    "decoupled": "weight decay",
    "activity": "penalty on a layer's answers",
}
DROPPED = (0.8, 0.95)
"""Shares that a dropout leaves out, likewise; 0.5 is usual."""


def penalty(program: Program) -> Match | None:
    """Weights are pulled to 0 more strongly than the loss pulls them anywhere."""
    found = [(p.strength / LIMITS[p.kind][1], p) for p in program.penalties]
    if not found:
        return None
    far, worst = max(found)
    if worst.strength < LIMITS[worst.kind][0]:
        return None
    name = NAMES.get(worst.kind, f"{worst.kind.upper()} penalty")
    usual = "0.01" if worst.kind == "decoupled" else "0.0001"
    return Match(
        f"the {name} is too strong: weights are pulled to 0, whatever is learned",
        f"it is {worst.strength:g}; {usual} is usual",
        program.words(
            torch=f"Set weight_decay={usual}",
            keras=f"Set weight_decay={usual}"
            if worst.kind == "decoupled"
            else "Use activity_regularizer=regularizers.L2(0.0001)"
            if worst.kind == "activity"
            else f"Use regularizers.{worst.kind.upper()}({usual})",
        ),
        Belief.LIKELY if far >= 1 else Belief.MAYBE,
        Remedy(f"without the {name}", changes=Change.UNPENALISED),
    )


def dropout(program: Program) -> Match | None:
    """Next to nothing gets through."""
    most = max((layer.dropped for layer in program.layers), default=0.0)
    if most < DROPPED[0]:
        return None
    return Match(
        "dropout leaves out nearly everything",
        f"{most:.1%} of the values in training; 20 to 50% are usual",
        program.words(torch="Set nn.Dropout(0.2)", keras="Set Dropout(0.2)")
        + ": it is the share that is left out, not the one that stays",
        Belief.SURE if most >= 1 else Belief.LIKELY if most >= DROPPED[1] else Belief.MAYBE,
        Remedy("without dropout", changes=Change.UNDROPPED),
    )


def dropout_at_end(program: Program) -> Match | None:
    """Answers that are left out in training, behind the last layer that learns."""
    learned = [n for n, layer in enumerate(program.layers) if layer.learns]
    behind = program.layers[learned[-1] + 1 :] if learned else ()
    most = max((layer.dropped for layer in behind if layer.kind == "dropout"), default=0.0)
    if (
        not most
        or program.loss is None
        or not program.ends
        or not all(layer.follows for layer in behind)
    ):
        return None
    if any(layer.kind not in ("dropout", "activation", "flatten", "reshape") for layer in behind):
        return None
    return Match(
        "dropout is applied to the outputs",
        f"in training {most:.0%} of what the network answers is set to 0",
        "Put dropout before the last layer, not behind it",
        remedy=Remedy("without dropout", changes=Change.UNDROPPED),
    )


def augmentation(program: Program) -> Match | None:
    """Pictures of which an augmentation leaves nothing, as it takes them for others."""
    found = [layer.overdone for layer in program.layers if layer.overdone]
    if not found:
        return None
    return Match(
        "an augmentation is set for values of another range than it is fed",
        f"in training {found[0]}",
        "Tell it the range of what it is fed, value_range=(0, 1) say, or scale behind it: it is "
        "for 0 to 255 unless told",
        remedy=Remedy("without the augmentation", changes=Change.UNDROPPED),
    )


def always_drops(program: Program) -> Match | None:
    """Functional dropouts, which eval() does not reach."""
    count = program.always_drops
    if not count:
        return None
    calls = "one call" if count == 1 else f"{count} calls"
    return Match(
        "dropout goes on in inference: answers are drawn at random, and eval() changes nothing",
        f"{calls} of F.dropout() in forward() do not say training=, which is True then",
        "Write F.dropout(x, p, training=self.training), or use nn.Dropout(p)",
    )


CAUSES = (
    Cause("always drops", always_drops),
    Cause("dropout at end", dropout_at_end, explains=("dropout",)),
    Cause("penalty", penalty),
    Cause("dropout", dropout),
    Cause("augmentation", augmentation),
)
