"""The weights of torch's multi-head attention in Keras' layout: kernels with an axis of heads."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

PARTS = ("query", "key", "value")
Moved = tuple[Tensor, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]
"""A tensor of torch, what becomes of it, and the reverse: all of the tensor with it."""


def has_own_sizes(module: nn.MultiheadAttention) -> bool:
    """Whether its keys or values are of another size, or begin with a learned one."""
    return module.in_proj_weight is None or module.bias_k is not None


def parts_of(module: nn.MultiheadAttention) -> Iterator[tuple[str, Moved]]:
    """``query.kernel`` [in, heads, units], ..., ``attention_output.kernel`` [heads, units, out].

    torch has one tensor [3 * out, in] for queries, keys and values.
    """
    heads, out = module.num_heads, module.out_proj
    for number, part in enumerate(PARTS):
        yield f"{part}.kernel", _third(module.in_proj_weight, number, heads)
        if module.in_proj_bias is not None:
            yield f"{part}.bias", _third(module.in_proj_bias, number, heads)
    yield (
        "attention_output.kernel",
        (
            out.weight,
            lambda values: values.T.reshape(heads, -1, len(values)),
            lambda values: values.flatten(0, 1).T,
        ),
    )
    if out.bias is not None:
        yield "attention_output.bias", (out.bias, lambda values: values, lambda values: values)


def _third(tensor: Tensor, number: int, heads: int) -> Moved:
    """A third of what torch keeps in one, [out, in] or [out], as [in, heads, units]."""

    def join(whole: Tensor) -> Tensor:
        part = whole.chunk(3)[number]
        return (part.T if part.ndim > 1 else part).reshape(*part.shape[1:], heads, -1)

    def split(values: Tensor) -> Tensor:
        parts = list(tensor.detach().chunk(3))
        own = values.flatten(-2)
        parts[number] = (own.T if own.ndim > 1 else own).to(tensor)
        return torch.cat(parts)

    return tensor, join, split
