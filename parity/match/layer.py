"""Layers as their weights tell of them: a kind, and parts by name."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from parity.arrays import Table

_STACKED = re.compile(r"_l([1-9]\d*)(_reverse)?$")
"""How torch ends the names of what belongs to a later layer of several that are stacked."""

_SEPARABLE, _STEPS = "separable_conv", ("depthwise", "pointwise")
"""A layer of Keras that is two of torch's."""

ATTENTION = "multi_head_attention"
PARTS = ("query", "key", "value", "attention_output")
"""What a layer of attention consists of: a program may have four dense layers for it."""

_KEPT_WHOLE = r"(lstm|gru|rnn|multi_head_attention|separable_conv|bidirectional)_\d"
"""Kinds that have several kernels."""


@dataclass(frozen=True)
class Layer:
    """A layer with weights.

    Attributes:
        name: Canonical: ``dense_1``.
        kind: ``dense``, ``conv``, ...; the name without its number.
        parts: Name of the tensor by part: ``kernel`` -> ``dense_1.kernel``.
        shapes: Shape by part.
        ends: The layer whose outputs are this one's: another where a bias is added separately, and
            empty for one of several that are stacked, but for the last.
    """

    name: str
    kind: str
    parts: dict[str, str]
    shapes: dict[str, tuple[int, ...]]
    ends: str

    def described(self, called: Mapping[str, str]) -> str:
        """``hidden (dense: kernel [784, 10], bias [10])``; `called` has the program's names."""
        shapes = ", ".join(f"{part} {list(shape)}" for part, shape in self.shapes.items())
        own = called.get(self.name.partition("/")[0])
        return f"{own} ({self.kind}: {shapes})" if own else f"{self.name} ({shapes})"


def layers_of_both(a: Table, b: Table) -> tuple[list[Layer], list[Layer]]:
    """The layers of two sides; attention is dense ones where one side alone has a layer for it."""
    has = [any(name.startswith(ATTENTION) for name in side) for side in (a, b)]
    apart = has[0] != has[1]
    return layers_of(a, apart=apart), layers_of(b, apart=apart)


def layers_of(weights: Table, *, apart: bool = False) -> list[Layer]:
    """The layers that a table of weights by canonical name tells of, in its order.

    Recurrent layers that torch stacks in one are several, and so is a separable convolution; a
    vector that is added right behind a kernel without a bias is its bias.

    Args:
        weights: By canonical name.
        apart: Whether attention is the dense layers that it consists of.
    """
    grouped: dict[str, dict[str, str]] = {}
    for name in weights:
        layer, _, part = name.partition(".")
        if layer.startswith(_SEPARABLE):
            step = part.split("_")[0] if "_" in part else "pointwise"
            layer, part = f"{layer}/{_STEPS.index(step) + 1}", part.removeprefix(f"{step}_")
        if apart and layer.startswith(ATTENTION) and part.partition(".")[0] in PARTS:
            step, _, part = part.partition(".")
            layer = f"{layer}/{PARTS.index(step) + 1}"
        stacked = _STACKED.search(part)
        if stacked:
            layer += f"/{int(stacked[1]) + 1}"
            part = part[: stacked.start()] + ((stacked[2] and "_l0_reverse") or "")
        grouped.setdefault(layer, {})[part] = name
    grouped = dict(_of_one_kernel(grouped, weights))
    found = [
        Layer(
            name,
            _kind(name),
            parts,
            {part: weights[tensor].shape for part, tensor in parts.items()},
            _ends(name, list(grouped)),
        )
        for name, parts in grouped.items()
    ]
    return list(_with_biases(found))


def _kind(name: str) -> str:
    if name.startswith(_SEPARABLE):
        return "depthwise_conv" if name.endswith("/1") else "conv"
    if name.startswith(ATTENTION) and "/" in name:
        return "dense"
    return re.sub(r"(_\d+)+(/\d+)?$", "", name)


def _of_one_kernel(
    grouped: dict[str, dict[str, str]], weights: Table
) -> Iterable[tuple[str, dict[str, str]]]:
    """Layers, those that keep several pairs of a kernel and its bias as one for each pair.

    A program that keeps its tensors itself is one layer to whoever looks at modules.
    """
    for layer, parts in grouped.items():
        cut: list[dict[str, str]] = []
        outputs: tuple[int, ...] = ()
        for part, name in parts.items():
            shape = weights[name].shape
            if len(shape) > 1:
                outputs = shape[-1:]
                cut.append({part: name})
            elif cut and len(cut[-1]) == 1 and shape == outputs:
                cut[-1][part] = name
            else:
                cut = []
                break
        if len(cut) > 1 and re.match(_KEPT_WHOLE, layer) is None:
            yield from ((f"{layer}/{number}", each) for number, each in enumerate(cut, 1))
        else:
            yield layer, parts


def _ends(name: str, names: list[str]) -> str:
    whole = name.partition("/")[0]
    stacked = [other for other in names if other == whole or other.startswith(f"{whole}/")]
    return whole if name == stacked[-1] else ""


def _with_biases(layers: list[Layer]) -> Iterable[Layer]:
    """Layers with the separate bias that follows them, where one does."""
    merged: list[Layer] = []
    for layer in layers:
        before = merged[-1] if merged else None
        if before is not None and _is_bias_of(layer, before):
            (part,) = layer.parts
            merged[-1] = replace(
                before,
                parts=before.parts | {"bias": layer.parts[part]},
                shapes=before.shapes | {"bias": layer.shapes[part]},
                ends=layer.ends,
            )
        else:
            merged.append(layer)
    return merged


def _is_bias_of(layer: Layer, before: Layer) -> bool:
    kernel = before.shapes.get("kernel")
    alone = len(layer.parts) == 1 and kernel is not None and "bias" not in before.parts
    if not alone or "norm" in layer.kind or layer.kind in ("activation", "embedding"):
        return False
    (shape,) = layer.shapes.values()
    return kernel is not None and len(kernel) > 1 and shape == kernel[-1:]
