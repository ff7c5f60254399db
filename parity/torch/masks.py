"""Masks of padding that leave out what they should keep."""

from typing import Any

import torch
from torch import Tensor, nn

from parity.torch.compiled import plain
from parity.torch.network import answered

MASKED = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
"""Layers that are told what is padding; True is what they leave out."""
NAMES = ("src_key_padding_mask", "key_padding_mask")


def turned_mask(module: nn.Module, x: Any) -> bool:
    """Whether attention is told to leave out all but the padding, the zeros of token numbers."""
    layers = [part for part in plain(module).modules() if isinstance(part, MASKED)]
    if not layers or not isinstance(x, Tensor) or x.ndim != 2 or x.is_floating_point():
        return False
    words = x != 0
    if bool(words.all()) or not bool(words.any()):
        return False
    seen: list[Tensor] = []

    def called(_: nn.Module, args: Any, kwargs: Any) -> None:
        seen.extend(kwargs[name] for name in NAMES if isinstance(kwargs.get(name), Tensor))

    handles = [part.register_forward_pre_hook(called, with_kwargs=True) for part in layers]
    try:
        answered(module, x)
    except Exception:  # a model is anyone's code
        return False
    finally:
        for handle in handles:
            handle.remove()
    masks = (mask for mask in seen if mask.dtype == torch.bool and mask.shape == words.shape)
    return any(torch.equal(mask.to(words.device), words) for mask in masks)
