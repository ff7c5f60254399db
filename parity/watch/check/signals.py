"""Causes in what is left of the differences between samples, layer by layer, before the first step.

What does not get through a network forwards does not get back through it either: gradients pass the
same kernels and activations (Glorot and Bengio 2010, section 4.2.1).
"""

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.parts import Layer, normalised
from parity.watch.check.program import Program
from parity.watch.check.training import MULTIPLIES, RELUS, SATURATING

LEFT = (1e-3, 1e-6)
"""Part of the differences between samples that comes to the last layer, below which a training may
suffer, and mostly does."""
SEEN = 0.01
"""Part below which a layer is the one where they get lost."""
ENDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}
"""What an activation comes to, far from 0."""
AT_END, NEARLY_ALL = 0.02, 0.95
"""Part of its range from its ends within which a gradient hardly gets through, and the share of the
samples that make a unit flat."""
FLAT = 0.9
"""Share of a layer's sigmoids or tanhs that are at their ends, from which on it hardly learns."""


def vanishing(program: Program) -> Match | None:
    """Differences between samples that get lost, or grow beyond measure, on their way."""
    found = [layer for layer in program.layers if layer.spread is not None]
    hidden = found[: _last_kernel(found)]
    kernels = [n for n, layer in enumerate(hidden) if layer.kind in MULTIPLIES]
    # In inference an untrained batch normalisation leaves values as they are, and not in training.
    if normalised(program.layers):
        return None
    if len(kernels) < 3 or not hidden[kernels[0]].spread:
        return None
    first = hidden[kernels[0]].spread or 0.0
    last = hidden[-1].spread or 0.0
    ratio = last / first
    if LEFT[0] <= ratio <= 1 / LEFT[0]:
        return None
    parts = [(hidden[n].spread or 0.0) / first for n in kernels]
    lost = (place for place, part in enumerate(parts, 1) if not SEEN <= part <= 1 / SEEN)
    layer = next(lost, len(kernels))
    saturating = any(part.function in SATURATING for part in hidden)
    vanish, far = ratio < 1, not LEFT[1] <= ratio <= 1 / LEFT[1]
    what = "vanish" if vanish else "explode"
    return Match(
        f"gradients {what} on their way through {len(kernels)} layers, as the signals do",
        f"what differs between samples after layer 1 is {ratio:.1g} times as large before the "
        f"last layer; from layer {layer} on less than 1 % is left"
        if vanish
        else f"what differs between samples is {ratio:.1g} times as large before the last layer as "
        f"after layer 1, and grows beyond 100 times in layer {layer}",
        "Use ReLU in the hidden layers, fewer of them, or batch normalisation"
        if saturating
        else "Draw the kernels by He's rule ("
        + program.words(torch="nn.init.kaiming_normal_", keras='kernel_initializer="he_normal"')
        + "), use fewer layers, or batch normalisation between them",
        Belief.LIKELY if far else Belief.MAYBE,
        RELUS if saturating else Remedy("with kernels drawn anew (He)", initial="he"),
    )


def saturated(program: Program) -> Match | None:
    """Sigmoids or tanhs that are at their ends before anything was learned."""
    flat = [
        (place, layer)
        for place, layer in enumerate(_activations(program.layers), 1)
        if layer.flat >= FLAT
    ]
    if not flat:
        return None
    place, layer = flat[0]
    return Match(
        f"{layer.function} units are saturated from the start: they hardly let a gradient through",
        f"in hidden layer {place}, {layer.flat:.0%} of the units are at an end of their range for "
        "nearly all samples",
        "Standardise the features, or draw smaller initial weights",
        Belief.LIKELY,
        Remedy("with ReLU in the hidden layers", changes=Change.RELU),
    )


def _last_kernel(layers: list[Layer]) -> int:
    """Place of the last layer with a kernel."""
    places = [n for n, layer in enumerate(layers) if layer.kind in MULTIPLIES]
    return places[-1] if places else 0


def _activations(layers: tuple[Layer, ...]) -> list[Layer]:
    return [layer for layer in layers[:-1] if layer.kind == "activation"]


CAUSES = (
    Cause("vanishing", vanishing),
    Cause("saturated", saturated),
)
