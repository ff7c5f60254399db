"""What the check before the first step wants to know of a module: layers, answers, what is fed."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from parity.torch.between import FOLLOWING
from parity.torch.kinds import RELUS, Unit, kind_of, learns
from parity.torch.layouts import Array, as_array
from parity.torch.losses import Use
from parity.torch.network import dead_share, passed
from parity.torch.trace import Call
from parity.watch.check import Layer, Penalty
from parity.watch.check.initial import DRAWS, as_normal, as_uniform
from parity.watch.check.signals import AT_END, ENDS, NEARLY_ALL
from parity.watch.check.training import RECURRENT


class Facts(NamedTuple):
    """A module at work on some samples, in inference.

    Attributes:
        layers: In the order in which they work.
        fed: What the first one that learns is given, [N, ...], channels last; None without any.
        outputs: What the module gives, [N, ...].
        last: As in `parity.watch.check.Program`.
        kernels: One of each layer that has any, in that order.
        ends: Whether the last layer gives the outputs.
    """

    layers: tuple[Layer, ...]
    fed: Array | None
    outputs: Tensor
    last: str
    kernels: tuple[nn.Parameter, ...] = ()
    ends: bool = False

    def before(self, use: Use | None, between: str) -> tuple[Array, str]:
        """What the loss is given, [N, C] or [N, ..., C], and the activation that it ends in."""
        outputs, last = self.outputs.float(), self.last
        if between:
            outputs, last = FOLLOWING[between](outputs), between
        if use is not None and use.loss.kind == "categorical" and outputs.ndim > 2:
            # The classes are torch's second axis; a program may have moved them there itself.
            as_given = use.given.ndim == outputs.ndim and use.given.shape[1] == outputs.shape[1]
            outputs = outputs.movedim(1, -1) if as_given else outputs
        return as_array(outputs), last


def facts_of(module: nn.Module, x: Any) -> Facts:
    """Look at a module; nothing changes.

    Args:
        module: Any.
        x: Samples for it, as `parity.torch.network.inputs`.

    Raises:
        TypeError: it gives no tensor.
    """
    seen: list[Layer] = []
    fed: list[Tensor] = []
    kernels: list[nn.Parameter] = []
    before: tuple[Tensor, int] | None = None

    def note(name: str, call: Call) -> None:
        nonlocal before
        if call.unit and not call.unit.whole and before and call.outputs is before[0]:
            return  # beside its layers it has a table of places, say, and ends in one of them
        learned = call.unit is not None and learns(call.unit.module)
        if learned and not fed and call.fed is not None:
            fed.append(call.fed.detach().clone())
        if call.unit is not None and learned:
            own = call.unit.module.parameters(recurse=False)
            kernels.extend([weight for weight in own if weight.ndim > 1][:1])
        seen.append(_layer(call, follows=before is None or _follows(call, *before)))
        before = (call.outputs, call.outputs._version)

    outputs = passed(module, x, note)
    ends = before is not None and _same(before[0], outputs) and before[1] == outputs._version
    return Facts(
        tuple(seen),
        as_array(fed[0]) if fed else None,
        outputs.detach(),
        _ending(seen[-1]) if ends else "",
        tuple(kernels),
        ends,
    )


def _layer(call: Call, *, follows: bool) -> Layer:
    return Layer(
        call.kind,
        call.function if call.kind == "activation" else "",
        call.unit is not None and learns(call.unit.module),
        call.given.shape[-1] if call.outputs.ndim else 0,
        follows,
        None if call.unit is None else _gain(call.unit),
        _dropped(call),
        dead_share(call) if call.function in RELUS and call.outputs.ndim > 1 else 0.0,
        _spread(call.outputs),
        flat=_flat(call),
    )


def _ending(layer: Layer) -> str:
    return layer.function or ("linear" if layer.kind in ("dense", "conv") else "")


def _spread(values: Tensor) -> float | None:
    """Deviation between samples, the mean of all units."""
    if values.ndim < 2 or not values.is_floating_point():
        return None
    return float(values.detach().float().std(0, correction=0).mean())


def _flat(call: Call) -> float:
    """Share of the units of a sigmoid or tanh that are at their ends for nearly all samples."""
    if call.function not in ENDS or call.outputs.ndim < 2:
        return 0.0
    low, high = ENDS[call.function]
    units = call.given.detach().float().reshape(-1, call.given.shape[-1])
    near = AT_END * (high - low)
    at_end = (units < low + near) | (units > high - near)
    return float((at_end.float().mean(0) >= NEARLY_ALL).float().mean())


def momentum_of(optimizer: Optimizer | None) -> float | None:
    """Its momentum, or Adam's first beta."""
    group = optimizer.param_groups[0] if optimizer is not None and optimizer.param_groups else {}
    betas = group.get("betas")
    given = group.get("momentum") if betas is None else betas[0]
    return float(given) if isinstance(given, int | float) else None


def stuck(facts: Facts, optimizer: Optimizer | None) -> str:
    """Why the last kernel does not change, where one before it does; empty where it does."""
    if len(facts.kernels) < 2 or optimizer is None:
        return ""
    given = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    *before, last = facts.kernels
    learned = [weight for weight in before if weight.requires_grad and id(weight) in given]
    if not learned or any(weight is last for weight in before):
        return ""
    if not last.requires_grad:
        return "its weights have requires_grad=False"
    return "" if id(last) in given else "the optimiser was not given its weights"


def frozen_of(facts: Facts, optimizer: Optimizer | None) -> dict[str, Any]:
    """What a `Program` says of kernels that stay as they are."""
    return {"stuck": stuck(facts, optimizer), "undrawn": undrawn(facts, optimizer)}


def undrawn(facts: Facts, optimizer: Optimizer | None) -> int:
    """Frozen kernels that are as they were drawn, where all frozen ones are.

    That is, by torch's layers themselves, or by He's rule for what a layer gives, as the networks
    of torchvision do.
    """
    groups = optimizer.param_groups if optimizer is not None else []
    given = {id(weight) for group in groups for weight in group["params"]}
    learned = [id(w) for w in facts.kernels if w.requires_grad and (not groups or id(w) in given)]
    frozen = {id(w): w.detach() for w in facts.kernels if id(w) not in learned}
    large = [as_array(weight) for weight in frozen.values() if weight.numel() >= DRAWS]
    return len(frozen) if large and all(map(_as_drawn, large)) else 0


def _as_drawn(kernel: Array) -> bool:
    given, made = kernel[0].size, kernel[:, 0].size
    return as_uniform(kernel, given**-0.5) or as_normal(kernel, (2 / made) ** 0.5)


def penalties_of(optimizer: Optimizer | None) -> tuple[Penalty, ...]:
    """Weight decay, of torch's own optimisers."""
    if optimizer is None or not type(optimizer).__module__.startswith("torch."):
        return ()
    groups = optimizer.param_groups
    apart = isinstance(optimizer, torch.optim.AdamW) or any(
        group.get("decoupled_weight_decay") for group in groups
    )
    strength = max((float(group.get("weight_decay") or 0) for group in groups), default=0.0)
    return (Penalty("decoupled" if apart else "coupled", strength),) if strength > 0 else ()


def trainable(module: nn.Module, optimizer: Optimizer | None) -> int:
    """How many weights of the module may change, by the optimiser if there is one."""
    own = {id(weight): weight for weight in module.parameters() if weight.requires_grad}
    if optimizer is not None:
        given = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        own = {key: weight for key, weight in own.items() if key in given}
    return sum(weight.numel() for weight in own.values())


def _follows(call: Call, before: Tensor, version: int) -> bool:
    """Whether a layer is given what the one before gave, perhaps in another shape."""
    return (
        call.inputs is not None
        and _same(call.inputs, before)
        and (before._version == version or call.outputs is before)
    )


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same memory, as after a change of shape."""
    return one is other or (one.numel() == other.numel() and one.data_ptr() == other.data_ptr())


def _dropped(call: Call) -> float:
    return float(call.unit.module.p) if call.unit and call.kind == "dropout" else 0.0  # type: ignore[arg-type]


def _gain(unit: Unit) -> float | None:
    if kind_of(unit.module) == "embedding":
        return None
    kernels = [w.detach() for w in unit.module.parameters() if w.ndim > 1 and w.numel() > 1]
    if not kernels or any(kernel.is_complex() for kernel in kernels):
        return None
    recurrent = kind_of(unit.module) in RECURRENT
    gains = [_size(kernel.float()) for kernel in (kernels if recurrent else kernels[:1])]
    return max(gains, key=lambda gain: abs(math.log(max(gain, 1e-12))))


def _size(kernel: Tensor) -> float:
    return float(kernel.std(correction=0)) * math.sqrt(kernel[0].numel())


def batch_of(use: Use | None) -> int | None:
    """Samples of a batch."""
    return None if use is None or not use.given.ndim else len(use.given)
