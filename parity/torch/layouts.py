"""The weights of a layer by canonical names, in canonical layouts: those of Keras.

Kernels are [in, out], of convolutions [height, width, in, out]; recurrent layers have ``kernel``,
``recurrent_kernel`` and ``bias`` with the gates in Keras' order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from parity.torch.attention import has_own_sizes, parts_of
from parity.torch.kinds import Unit, kind_of, multiplies
from parity.torch.order import channels_first, channels_last

Array = NDArray[Any]
_NORM = {"weight": "scale", "bias": "offset", "running_mean": "mean", "running_var": "variance"}
_RECURRENT = {"weight_ih": "kernel", "weight_hh": "recurrent_kernel", "weight_hr": "projection"}


@dataclass(frozen=True)
class Weight:
    """One weight, or what is one elsewhere.

    Attributes:
        tensors: torch's own.
        join: What they are together, in the canonical layout.
        split: The reverse.
        slope: As `join`, for gradients, of which some may be missing: None where all is missing.
    """

    tensors: tuple[Tensor, ...]
    join: Callable[..., Tensor]
    split: Callable[[Tensor], Sequence[Tensor]]
    slope: Callable[..., Tensor | None]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of `array`; of a single number [1]."""
        return tuple(self.join(*(tensor.detach() for tensor in self.tensors)).shape) or (1,)

    def array(self) -> Array:
        """A copy."""
        return as_array(self.join(*(tensor.detach() for tensor in self.tensors)))

    @torch.no_grad()
    def assign(self, values: Array) -> None:
        """Take `values`, of the shape that `array` has.

        Raises:
            ValueError: another shape.
        """
        expected = tuple(self.join(*self.tensors).shape)
        if values.shape != expected:
            raise ValueError(f"shape {values.shape}; expected {expected}")
        given = torch.from_numpy(np.array(values))  # a copy: the array may be read-only
        for tensor, part in zip(self.tensors, self.split(given), strict=True):
            tensor.copy_(part)

    def gradient(self) -> Array | None:
        """A copy of what backward has left; None where it left nothing."""
        slopes = [tensor.grad for tensor in self.tensors]
        found = None if all(s is None for s in slopes) else self.slope(*slopes)
        return None if found is None else as_array(found)


def as_array(tensor: Tensor) -> Array:
    """A copy as NumPy; it has no bfloat16: that becomes float32."""
    values = tensor.detach().cpu()
    values = values.float() if values.dtype == torch.bfloat16 else values
    return np.array(values.numpy(), order="C")


def weights_of(unit: Unit, flattened: tuple[int, ...] = ()) -> dict[str, Weight]:
    """What a layer learns or tracks, by its part of the canonical name.

    Args:
        unit: The layer.
        flattened: Channels and places of which its inputs' one axis was made: as on the Keras
            side, the channels then come last.
    """
    weights = _weights_of(unit)
    has_kernel = multiplies(unit.module)
    return {
        part: _channels_last(weight, flattened)
        if flattened
        and weight.shape[0] == prod(flattened)
        and has_kernel == (len(weight.shape) > 1)
        else weight
        for part, weight in weights.items()
    }


def _channels_last(weight: Weight, parts: tuple[int, ...]) -> Weight:
    return Weight(
        weight.tensors,
        lambda *tensors: channels_last(weight.join(*tensors), parts, 0),
        lambda values: weight.split(channels_first(values, parts, 0)),
        lambda *slopes: channels_last(weight.join(*slopes), parts, 0),
    )


def _weights_of(unit: Unit) -> dict[str, Weight]:
    module, kind = unit.module, kind_of(unit.module)
    if parametrize.is_parametrized(module):
        return {name: _plain(parameter) for name, parameter in module.named_parameters()}
    if kind in ("lstm", "gru", "rnn"):
        return _recurrent(module, kind)
    if isinstance(module, nn.MultiheadAttention) and not has_own_sizes(module):
        return {name: _weight(*part) for name, part in parts_of(module)}
    named: dict[str, Tensor] = dict(module.named_parameters(recurse=unit.whole))
    kept = module.state_dict()
    tracked = dict(module.named_buffers(recurse=unit.whole))
    named |= {n: b for n, b in tracked.items() if n in kept and b.is_floating_point()}
    if kind.endswith("_norm"):
        return {_NORM.get(name, name): _plain(tensor) for name, tensor in named.items()}
    weights = {name: _plain(tensor) for name, tensor in named.items()}
    if kind in _KERNELS and "weight" in named:
        return {"kernel": _KERNELS[kind](module, named["weight"]), **_without(weights, "weight")}
    return weights


def _without(weights: dict[str, Weight], name: str) -> dict[str, Weight]:
    return {own: weight for own, weight in weights.items() if own != name}


def _weight(
    tensor: Tensor, join: Callable[[Tensor], Tensor], split: Callable[[Tensor], Tensor]
) -> Weight:
    return Weight((tensor,), join, lambda values: (split(values),), join)


def _plain(tensor: Tensor) -> Weight:
    return _weight(tensor, lambda values: values, lambda values: values)


def _turned(tensor: Tensor) -> Weight:
    """[out, in] to [in, out]."""
    return _weight(tensor, lambda values: values.T, lambda values: values.T)


def _convolved(tensor: Tensor) -> Weight:
    """[first, second, ...] to [..., second, first]."""
    size = tensor.ndim
    order, back = (*range(2, size), 1, 0), (size - 1, size - 2, *range(size - 2))
    return _weight(tensor, lambda w: w.permute(order), lambda w: w.permute(back))


def _depthwise(module: nn.Module, tensor: Tensor) -> Weight:
    """[in * multiplier, 1, ...] to [..., in, multiplier]."""
    inputs: Any = module.in_channels
    size = tensor.ndim
    order, back = (*range(2, size), 0, 1), (size - 2, size - 1, *range(size - 2))
    return _weight(
        tensor,
        lambda w: w.reshape(inputs, -1, *w.shape[2:]).permute(order),
        lambda w: w.permute(back).reshape(tensor.shape),
    )


_KERNELS: dict[str, Callable[[nn.Module, Tensor], Weight]] = {
    "dense": lambda _, tensor: _turned(tensor),
    "conv": lambda _, tensor: _convolved(tensor),
    "conv_transpose": lambda _, tensor: _convolved(tensor),
    "depthwise_conv": _depthwise,
    "embedding": lambda _, tensor: _plain(tensor),
}


def _recurrent(module: nn.Module, kind: str) -> dict[str, Weight]:
    """Of each layer and direction; those after the first are called ``kernel_l1_reverse``, ...

    torch adds two biases. In LSTMs and plain RNNs only their sum counts, which is what Keras has;
    in GRUs either counts, and Keras has them as [2, 3 * units].
    """
    turn = _update_first if kind == "gru" else lambda values: values
    found = dict(module.named_parameters())
    weights = {}
    for name, tensor in found.items():
        part, _, place = name.partition("_l")
        place = "" if place in ("", "0") else f"_l{place}"
        if part == "bias_ih":
            other = found[name.replace("bias_ih", "bias_hh")]
            weights[f"bias{place}"] = (
                _stacked(tensor, other) if kind == "gru" else _summed(tensor, other)
            )
        elif part in _RECURRENT:
            weights[_RECURRENT[part] + place] = _weight(
                tensor, lambda values: turn(values).T, lambda values: turn(values.T)
            )
    return weights


def _update_first(values: Tensor) -> Tensor:
    """Gates of a GRU in Keras' order, update, reset, new, from torch's, and the reverse."""
    reset, update, new = values.chunk(3)
    return torch.cat([update, reset, new])


def _stacked(inputs: Tensor, hidden: Tensor) -> Weight:
    def join(*biases: Tensor) -> Tensor:
        return torch.stack([_update_first(bias) for bias in biases])

    def slope(*slopes: Tensor | None) -> Tensor | None:
        found = [each for each in slopes if each is not None]
        return join(*found) if len(found) == len(slopes) else None

    return Weight((inputs, hidden), join, lambda values: [_update_first(v) for v in values], slope)


def _summed(inputs: Tensor, hidden: Tensor) -> Weight:
    return Weight(
        (inputs, hidden),
        join=lambda first, second: first + second,
        split=lambda values: (values, torch.zeros_like(values)),
        slope=lambda first, second: second if first is None else first,
    )
