"""Watches a module at work: which layers it calls, in which order, with what."""

from collections.abc import Callable, Iterable
from dataclasses import is_dataclass
from math import prod
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from parity.torch.compiled import eagerly
from parity.torch.kinds import (
    Unit,
    is_function,
    kind_of,
    kind_of_function,
    learns,
    multiplies,
    name_of,
    units,
)
from parity.torch.order import channels_first, channels_last, same_but_for_places

Instead = Callable[[int], Tensor | None]
"""What the layer that works next, by its place, is fed instead: channels last."""
_CHANNELS_FIRST = (
    "conv", "pool", "batch_norm", "instance_norm", "group_norm", "padding", "up_sampling",
)  # fmt: skip
"""In the names of kinds that have the channels before the places."""
_FLATTENING = ("flatten", "reshape", "view")
"""What torch calls its functions that may make one axis of several."""


class Call(NamedTuple):
    """A layer at work.

    Attributes:
        unit: The layer; None where it is a function of torch.
        kind: As `parity.torch.kinds.kind_of`.
        function: torch's name of what an activation computes, as ``relu``; else of the kind.
        inputs: What it was given: the first tensor of several; it may have worked in place.
        outputs: What it gives, likewise; the next layer may work in place.
        channels_first: Whether the outputs are [B, channels, ...].
        flattened: The channels and places of which the inputs' one axis was made; else empty.
    """

    unit: Unit | None
    kind: str
    function: str
    inputs: Tensor | None
    outputs: Tensor
    channels_first: bool
    flattened: tuple[int, ...] = ()

    @property
    def keeps_order(self) -> bool:
        """Whether the values come out in the order in which they went in."""
        shaped = self.inputs is not None and self.inputs.shape == self.outputs.shape
        return shaped and (self.unit is None or not multiplies(self.unit.module))

    @property
    def fed(self) -> Tensor | None:
        """The inputs with the channels last."""
        if self.flattened and self.inputs is not None:
            return channels_last(self.inputs, self.flattened)
        first = self.inputs is not None and (self.inputs.ndim in (4, 5) or self.channels_first)
        return self.inputs.movedim(1, -1) if first and self.inputs is not None else self.inputs

    @property
    def given(self) -> Tensor:
        """The outputs with the channels last."""
        if self.flattened and self.keeps_order:
            return channels_last(self.outputs, self.flattened)
        return self.outputs.movedim(1, -1) if self.channels_first else self.outputs


class _Watch(TorchFunctionMode):
    """Is told of layers by hooks and of functions by torch."""

    def __init__(
        self, module: nn.Module, seen: Callable[[Call], object], instead: Instead | None
    ) -> None:
        super().__init__()
        self.instead = instead
        self.noted = 0
        self.units = list(units(module))
        self.seen = seen
        self.within = 0
        """Layers that are at work and whose functions are their own."""
        self.channels_first: WeakValueDictionary[int, Tensor] = WeakValueDictionary()
        """Outputs that are known to be so, by identity."""
        self.flattened: Any = WeakIdKeyDictionary()
        """The channels and places of which an output's one axis was made."""

    def __enter__(self) -> "_Watch":
        self.handles = []
        for unit in self.units:
            if unit.whole:
                self.handles.append(unit.module.register_forward_pre_hook(self._enter))
            self.handles.append(
                unit.module.register_forward_hook(self._leave_of(unit), with_kwargs=True)
            )
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for handle in self.handles:
            handle.remove()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        layer = not self.within and kind_of_function(func) is not None
        args = self._fed_instead(args) if layer else args
        outputs = func(*args, **(kwargs or {}))
        if not self.within and name_of(func) in _FLATTENING:
            self._flatten(first_tensor(args), first_tensor(outputs))
        if not self.within and (kind := kind_of_function(func)) is not None:
            self._note(None, kind, name_of(func), first_tensor(args), first_tensor(outputs))
        return outputs

    def _enter(self, module: nn.Module, args: Any) -> Any:
        self.within += 1
        return self._fed_instead(args) if self.within == 1 else args

    def _fed_instead(self, args: Any) -> Any:
        """The arguments of the next layer; another first one of its shape may be there."""
        fed = self.instead(self.noted) if self.instead is not None and args else None
        given = args[0] if args else None
        if fed is None or not isinstance(given, Tensor):
            return args
        flattened = self.flattened.get(given, ())
        first = id(given) in self.channels_first
        if flattened:
            fed = channels_first(fed, flattened)
        elif first or given.ndim in (4, 5):
            fed = fed.movedim(-1, 1)
        if not same_but_for_places(fed.shape, given.shape):
            return args
        fed = fed.to(given.dtype).contiguous()
        if flattened:
            self.flattened[fed] = flattened
        if first:
            self.channels_first[id(fed)] = fed
        return (fed, *args[1:])

    def _leave_of(self, unit: Unit) -> Callable[..., None]:
        def leave(module: nn.Module, args: Any, kwargs: Any, outputs: Any) -> None:
            self.within -= unit.whole
            if not self.within:
                inputs, given = first_tensor([args, kwargs]), first_tensor(outputs)
                self._note(unit, kind_of(module), name_of(module), inputs, given)

        return leave

    def _note(
        self,
        unit: Unit | None,
        kind: str,
        function: str,
        inputs: Tensor | None,
        outputs: Tensor | None,
    ) -> None:
        if outputs is None:
            return
        shaped = inputs is not None and inputs.shape == outputs.shape
        if unit is not None and shaped and is_function(unit.module):
            kind = "activation"
        if unit is not None and inputs is not None and _seen_otherwise(inputs, outputs):
            kind = "reshape"
        if kind in _FLATTENING:
            self._flatten(inputs, outputs)
        flattened = self.flattened.get(inputs, ()) if inputs is not None else ()
        by_kind = any(part in kind for part in _CHANNELS_FIRST) and outputs.ndim > 2
        if by_kind or (shaped and id(inputs) in self.channels_first):
            self.channels_first[id(outputs)] = outputs
        first = outputs.ndim in (4, 5) or id(outputs) in self.channels_first
        call = Call(unit, kind, function, inputs, outputs, first, flattened)
        if flattened and call.keeps_order:
            self.flattened[outputs] = flattened
        self.noted += 1
        self.seen(call)

    def _flatten(self, inputs: Tensor | None, outputs: Tensor | None) -> None:
        """Note of what a flat output was made, where the order of its values tells."""
        if inputs is None or outputs is None or id(inputs) not in self.channels_first:
            return
        channels, *places = inputs.shape[1:]
        if outputs.ndim == 2 and len(outputs) == len(inputs) and channels > 1 < prod(places):
            self.flattened[outputs] = (channels, *places)


def _seen_otherwise(inputs: Tensor, outputs: Tensor) -> bool:
    """Whether they are the same numbers with other axes, as a module gives that only permutes."""
    same = inputs.data_ptr() == outputs.data_ptr() and inputs.numel() == outputs.numel()
    return same and (inputs.shape, inputs.stride()) != (outputs.shape, outputs.stride())


def watch(
    module: nn.Module, x: Any, seen: Callable[[Call], object], instead: Instead | None = None
) -> Any:
    """Call the module and tell of each of its layers, in the order in which they have worked.

    Activations, dropout and pooling count whether they are modules or functions. A layer of torch
    is one call, whatever it consists of. State may change: see `parity.torch.state.unchanged`.

    Args:
        module: Any; its modules in TorchScript work unseen.
        x: What it takes; a tuple or a list is several arguments, a dictionary is named ones.
        seen: Is told of each call while the outputs are what they are.
        instead: What a layer is fed instead of what the one before it gives.

    Returns:
        What the module gives.
    """
    with eagerly(module), _Watch(module, seen, instead):
        return called(module, x)


def called(module: nn.Module, x: Any) -> Any:
    """What the module gives; `x` as of `watch`."""
    if isinstance(x, dict):
        return module(**x)
    return module(*x) if isinstance(x, tuple | list) else module(x)


def begins(call: Call) -> bool:
    """Whether the network behind the preprocessing may begin with it."""
    learned = call.unit is not None and learns(call.unit.module)
    return learned or call.kind in ("activation", "dropout", "zero_padding")


def first_tensor(values: Any) -> Tensor | None:
    """The first tensor of tuples, lists, dictionaries, dataclasses; ``logits`` before others."""
    if isinstance(values, Tensor):
        return values
    if is_dataclass(values):
        values = vars(values)
    if isinstance(values, dict):
        values = [values["logits"]] if "logits" in values else list(values.values())
    if not isinstance(values, tuple | list):
        return None
    parts: Iterable[Tensor | None] = map(first_tensor, values)
    return next((part for part in parts if part is not None), None)
