"""What a module is called, whatever its program calls it: alike in every framework."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from torch import nn
from torch.nn.modules import activation
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.modules.loss import _Loss
from torch.nn.utils import parametrize

_CLASSES: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.Linear, "dense"),
    (_ConvTransposeNd, "conv_transpose"),
    (_ConvNd, "conv"),
    (_BatchNorm, "batch_norm"),
    (_InstanceNorm, "instance_norm"),
    (nn.LayerNorm, "layer_norm"),
    (nn.RMSNorm, "rms_norm"),
    (nn.GroupNorm, "group_norm"),
    (nn.Embedding, "embedding"),
    (nn.EmbeddingBag, "embedding"),
    (nn.LSTM, "lstm"),
    (nn.LSTMCell, "lstm"),
    (nn.GRU, "gru"),
    (nn.GRUCell, "gru"),
    (nn.RNN, "rnn"),
    (nn.RNNCell, "rnn"),
    (nn.MultiheadAttention, "multi_head_attention"),
    (_DropoutNd, "dropout"),
)
_NAMES = {
    "adaptive_avg_pool": "global_avg_pool",
    "adaptive_max_pool": "global_max_pool",
    "unflatten": "reshape",
    "upsample": "up_sampling",
    "zero_pad": "zero_padding",
}
"""By the name of torch's class or function in snake case, where that is not the kind itself."""
_ACTIVATIONS = {
    "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_softmax",
    "logsigmoid", "mish", "prelu", "relu", "relu6", "rrelu", "selu", "sigmoid", "silu", "softmax",
    "softplus", "softsign", "tanh", "tanhshrink",
}  # fmt: skip
_POOLS = {
    f"{kind}{size}d"
    for kind in ("max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool")
    for size in (1, 2, 3)
}
DROPOUTS = {"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"}
RELUS = ("relu", "relu6")
"""Functions that are 0 below 0."""
SHUT = (
    "argmax", "bernoulli", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "floor", "heaviside",
    "round", "sign", "trunc",
)  # fmt: skip
"""Functions of torch through which no gradient comes, at the ends of their range or at all."""
SHAPING = ("flatten", "reshape")
"""Kinds that move values and leave them as they are."""


class Unit(NamedTuple):
    """A module that is a layer, and whether it is one whatever it consists of."""

    path: str
    module: nn.Module
    whole: bool


def units(module: nn.Module, path: str = "") -> Iterator[Unit]:
    """The layers of a module as they are declared, each once.

    A layer is what torch provides as one, what holds weights of its own, and what has neither
    weights nor modules.
    """
    seen: set[int] = set()

    def within(module: nn.Module, path: str) -> Iterator[Unit]:
        if id(module) in seen or isinstance(module, nn.Identity | _Loss):
            return
        seen.add(id(module))
        children = dict(module.named_children())
        bare = not children and not has_weights(module)
        whole = bare or _of_torch(module) or parametrize.is_parametrized(module)
        if whole or list(module.parameters(recurse=False)):
            yield Unit(path, module, whole)
        if not whole:
            for name, child in children.items():
                yield from within(child, f"{path}.{name}" if path else name)

    return within(module, path)


def kind_of(module: nn.Module) -> str:
    """``dense``, ``conv``, ``batch_norm``, ``activation``, ...; an unknown class in snake case."""
    kind = _known(module)
    if kind == "conv":
        groups: Any = getattr(module, "groups", 1)
        return "depthwise_conv" if groups > 1 and groups == module.in_channels else "conv"
    return kind or _snake(_class_of(module).__name__)


def kind_of_function(function: Callable[..., Any]) -> str | None:
    """The kind of layer that a function of torch stands for; None where it stands for none."""
    name = name_of(function)
    if name in _ACTIVATIONS:
        return "activation"
    if name in DROPOUTS:
        return "dropout"
    if name == "pad":
        return "zero_padding"
    if name == "interpolate":
        return "up_sampling"
    return _snake(name) if name in _POOLS or name == "flatten" else None


def name_of(layer: nn.Module | Callable[..., Any]) -> str:
    """``relu``, ``log_softmax``, ...: a function of torch, or the module that computes it."""
    if isinstance(layer, nn.Module):
        return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", "_", _class_of(layer).__name__).lower()
    return getattr(layer, "__name__", "").removesuffix("_")


def learns(module: nn.Module) -> bool:
    """Whether it has parameters."""
    return any(True for _ in module.parameters())


def has_weights(module: nn.Module) -> bool:
    """Whether it learns or tracks anything."""
    return learns(module) or any(True for _ in module.buffers())


def multiplies(module: nn.Module) -> bool:
    """Whether it has weights of its own with two axes or more, a kernel of some sort."""
    return any(weight.ndim > 1 for weight in module.parameters())


def is_function(module: nn.Module) -> bool:
    """Whether it is a function of somebody's own: neither torch's nor derived from a layer."""
    return not has_weights(module) and _known(module) is None and not _of_torch(module)


def _of_torch(module: nn.Module) -> bool:
    """Whether it is a layer that torch provides, or derived from one that is known here."""
    containers = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    provided = type(module).__module__.startswith("torch.nn.modules")
    whole = provided and not isinstance(module, containers) and not _is_block(module)
    return whole or _known(module) is not None


def _is_block(module: nn.Module) -> bool:
    """Whether it is one of torch's that consists of layers of torch, like its transformers."""
    return any(True for _ in module.children()) and _known(module) is None


def _known(module: nn.Module) -> str | None:
    """The kind of what torch provides."""
    known = next((kind for cls, kind in _CLASSES if isinstance(module, cls)), None)
    if known is None and any(cls.__module__ == activation.__name__ for cls in type(module).__mro__):
        return "activation"
    return known


def _class_of(module: nn.Module) -> type[nn.Module]:
    """The class of torch that it is, or is derived from; its own where it is from none."""
    kinds = [cls for cls in type(module).__mro__ if cls.__module__.startswith("torch.nn.modules.")]
    return kinds[0] if kinds and kinds[0] is not nn.Module else type(module)


def _snake(name: str) -> str:
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    plain = re.sub(r"_?[123]d$", "", parts)
    return _NAMES.get(plain, plain)
