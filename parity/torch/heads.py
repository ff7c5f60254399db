"""A network with several losses: each of them is looked at as that of a program of its own."""

from dataclasses import replace

from torch import Tensor

from parity.torch.heard import Heard
from parity.torch.layouts import as_array
from parity.torch.losses import Use
from parity.watch.check import AT_HEADS, Belief, Match, Program, causes_of
from parity.watch.check.places import CAUSES

LAST = {
    "SigmoidBackward0": "sigmoid",
    "SoftmaxBackward0": "softmax",
    "LogSoftmaxBackward0": "log_softmax",
    "ReluBackward0": "relu",
    "TanhBackward0": "tanh",
    "AddmmBackward0": "linear",
    "ConvolutionBackward0": "linear",
}
"""Activations by what torch calls their way back."""


def causes_of_losses(heard: Heard, *, known: bool) -> list[Match]:
    """Mistakes in further losses that are trained on.

    Args:
        heard: All of them.
        known: Whether what the first is given is known, and others look at it.
    """
    first = heard.use
    if first is None:
        return []
    others = [heard.uses[place] for place in sorted(heard.gradients) if place != heard.trained]
    apart = [use for use in others if _kind(use) != _kind(first) and not _constant(use.targets)]
    if not known and first.given.ndim == 2:
        apart.append(first)
    found: list[Match] = []
    for use in apart:
        program = Program(
            "torch",
            (),
            None,
            as_array(use.given.detach().float()),
            as_array(use.targets),
            fair=False,
            whole=False,
            last=LAST.get(type(use.given.grad_fn).__name__, ""),
            loss=use.described,
            shapes=use.shapes,
        )
        matches = causes_of(program, Belief.SURE, (*AT_HEADS, *CAUSES))
        name = "" if use is first else f"{use.loss.name}: "
        found += [replace(match, cause=name + match.cause, remedy=None) for match in matches]
    return found


def _kind(use: Use) -> tuple[str, tuple[int, ...]]:
    return use.loss.name, tuple(use.given.shape[1:])


def _constant(targets: Tensor) -> bool:
    """As an adversary's are."""
    return not targets.numel() or bool((targets == targets.flatten()[0]).all())
