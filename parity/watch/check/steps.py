"""Causes in what a step makes of the gradients, and in which weights it changes."""

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.program import Program
from parity.watch.check.training import kind_of
from parity.watch.check.words import listed

CLIPPED = (0.1, 1e-4)
"""Lengths of all gradients together below which steps of plain SGD may be too short, and mostly
are; 0.5 to 10 are usual."""
HEAVY = (0.995, 1.0)
"""Momenta from which on a training may never come to rest, and does not."""


def clipped(program: Program) -> Match | None:
    """Gradients that are cut to next to nothing; adaptive optimisers scale them up again."""
    length = program.clipped
    if length is None or length > CLIPPED[0] or kind_of(program.optimizer) != "sgd":
        return None
    return Match(
        "the gradients are clipped to next to nothing",
        f"all of them together are {length:.2g} long in each step; 1 is usual",
        program.words(
            torch="Clip to 1: nn.utils.clip_grad_norm_(model.parameters(), 1.0)",
            keras="Set clipnorm=1.0",
        ),
        Belief.LIKELY if length <= CLIPPED[1] else Belief.MAYBE,
        Remedy("with gradients as long as they are", changes=Change.UNCLIPPED),
    )


def momentum(program: Program) -> Match | None:
    """Steps that never slow down."""
    given = program.momentum
    if given is None or given < HEAVY[0]:
        return None
    return Match(
        "the momentum is too high: steps are never braked",
        f"{program.optimizer} with {given:g}; 0.9 is usual",
        "Set momentum=0.9"
        if kind_of(program.optimizer) != "adam"
        else program.words(torch="Set betas=(0.9, 0.999)", keras="Set beta_1=0.9"),
        Belief.SURE if given >= HEAVY[1] else Belief.LIKELY,
        Remedy("with a momentum of 0.9", changes=Change.DAMPED),
    )


def broken(program: Program) -> Match | None:
    """Gradients that are not finite, of answers that are."""
    if not program.broken:
        return None
    return Match(
        "the first gradients are not finite, though the network's answers are",
        f"those of {listed(program.broken)}",
        "Look for a square root, a logarithm, a norm or a division at 0 in the network or the "
        "loss, and add a small number within: torch.sqrt(x + 1e-8)",
    )


def stuck(program: Program) -> Match | None:
    """A last layer that stays as it was drawn."""
    if not program.stuck:
        return None
    return Match(
        "the last layer is not trained",
        f"{program.stuck}, while other layers are",
        program.words(
            torch="Make the optimiser after the last layer has been replaced, and leave its "
            "requires_grad True",
            keras="Let the last layer's weights be trained: trainable=True, before compile()",
        ),
        # It may be frozen on purpose; one that could learn, and that nobody trains, is a mistake.
        Belief.LIKELY if "requires_grad" in program.stuck else Belief.SURE,
        Remedy("with all weights trained", changes=Change.THAWED),
    )


CAUSES = (
    Cause("clipped", clipped),
    Cause("momentum", momentum),
    Cause("broken", broken),
    Cause("stuck", stuck),
)
