"""A module seen layer by layer: names, weights, answers, dead units; NumPy in and NumPy out."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from parity.torch.compiled import eagerly, plain
from parity.torch.kinds import RELUS, Unit, kind_of, units
from parity.torch.layouts import Weight, as_array, weights_of
from parity.torch.names import Names
from parity.torch.state import unchanged
from parity.torch.trace import Call, Instead, called, first_tensor, watch

Array = NDArray[Any]
Table = dict[str, Array]
Note = Callable[[str, Call], object]


@dataclass(frozen=True)
class Layer:
    """One layer of a module.

    Attributes:
        path: Its name in the program; empty where it is a function or the module itself.
        kind: ``dense``, ``conv``, ``activation``, ...
        module: None where it is a function.
        weights: What it learns or tracks, by its part of the canonical name.
        calls: How often it works in one pass.
    """

    path: str
    kind: str
    module: nn.Module | None
    weights: dict[str, Weight]
    calls: int


def layers(module: nn.Module, x: Any) -> dict[str, Layer]:
    """The layers of a module by canonical name, in the order in which they work.

    ``dense_1``, ``conv_1``, ``batch_norm_1``, ``activation_1``, ...: a kind and its place among
    those of that kind, whatever the program calls them. A layer that has weights has one name,
    however often it works; those that never work come last, where they have weights.

    Args:
        module: Any.
        x: A batch for it, as `inputs`.
    """
    found: dict[str, tuple[Unit | None, str, tuple[int, ...]]] = {}
    calls: Counter[str] = Counter()

    def note(name: str, call: Call) -> None:
        own = name.partition("@")[0]
        found.setdefault(own, (call.unit, call.kind, call.flattened))
        calls[own] += 1

    passed(module, x, note)
    seen = {id(unit.module) for unit, _, _ in found.values() if unit is not None}
    for unit in units(module):
        if id(unit.module) not in seen and weights_of(unit):
            kind = kind_of(unit.module)
            before = sum(kind == other for _, other, _ in found.values())
            found[f"{kind}_{before + 1}"] = unit, kind, ()
    known: set[int] = set()
    return {
        name: Layer(
            unit.path if unit else "",
            kind,
            unit.module if unit else None,
            _unshared(unit, flattened, known) if unit else {},
            calls[name],
        )
        for name, (unit, kind, flattened) in found.items()
    }


def named_weights(layers: Mapping[str, Layer]) -> dict[str, Weight]:
    """Everything that is learned or tracked by ``layer.part``, in the order of the layers."""
    return {
        f"{name}.{part}": weight
        for name, layer in layers.items()
        for part, weight in layer.weights.items()
    }


def weights(module: nn.Module, x: Any) -> Table:
    """Copies of everything that is learned or tracked, by canonical name.

    ``dense_1.kernel`` [in, out], ``conv_1.kernel`` [height, width, in, out], ``dense_1.bias``,
    ``batch_norm_1.scale``, ``.offset``, ``.mean`` and ``.variance``, ``embedding_1.kernel``,
    ``lstm_1.recurrent_kernel``; others as the program calls them.
    """
    return {name: weight.array() for name, weight in named_weights(layers(module, x)).items()}


def set_weights(module: nn.Module, x: Any, table: Mapping[str, Array]) -> None:
    """Take all of `table`, under the names that `weights` gives.

    Raises:
        ValueError: a weight is missing, or has another shape.
    """
    assign(named_weights(layers(module, x)), table)


def assign(named: Mapping[str, Weight], table: Mapping[str, Array]) -> None:
    """Give each weight what `table` has under its name.

    Raises:
        ValueError: as `set_weights`.
    """
    for name, weight in named.items():
        if name not in table:
            raise ValueError(f"{name} is not given; expected all of {', '.join(named)}")
        try:
            weight.assign(table[name])
        except ValueError as error:
            raise ValueError(f"{name} has {error}") from None


def answers(module: nn.Module, x: Any, training: bool = False) -> Table:
    """What each layer gives for a batch, by canonical name, in order; nothing changes.

    A layer that works more than once has an entry each time: ``dense_1``, ``dense_1@2``. Channels
    come last; of a layer that gives several tensors it is the first.

    Args:
        module: Any.
        x: A batch for it, as `inputs`.
        training: As in training (batch statistics, dropout) or as in inference.
    """
    table: Table = {}

    def note(name: str, call: Call) -> None:
        table[name] = as_array(call.given)

    passed(module, x, note, training)
    return table


def dead_units(module: nn.Module, x: Any) -> dict[str, float]:
    """The share of units that are 0 for the whole batch, by canonical name of the ReLU.

    A unit of a convolution is a channel, 0 everywhere.
    """
    dead: dict[str, float] = {}

    def note(name: str, call: Call) -> None:
        if call.function in RELUS:
            dead[name] = dead_share(call)

    passed(module, x, note)
    return dead


def dead_share(call: Call) -> float:
    """Of the units that a ReLU gives, those that are 0 for the whole batch."""
    units = call.given.reshape(-1, call.given.shape[-1])
    return (units <= 0).all(dim=0).float().mean().item()


@torch.no_grad()
def passed(
    module: nn.Module,
    x: Any,
    note: Note,
    training: bool = False,
    instead: Instead | None = None,
) -> Tensor:
    """Call the module and tell of each of its layers by name; nothing changes.

    Args:
        module: Any.
        x: A batch for it, as `inputs`.
        note: Is told of each call while its outputs are what they are.
        training: As in training or as in inference.
        instead: As of `parity.torch.trace.watch`.

    Returns:
        The first tensor of what the module gives.

    Raises:
        TypeError: it gives none.
    """
    names = Names()
    module = plain(module)  # hooks are not compiled
    fed = inputs(module, x)
    with unchanged(module, training):
        return _first(module, watch(module, fed, lambda call: note(names.of(call), call), instead))


def answered(module: nn.Module, x: Any, *, graded: bool = False) -> Tensor:
    """As `passed` in inference, without a look at the layers, and with gradients where asked."""
    module = plain(module)
    fed = inputs(module, x)
    with unchanged(module), eagerly(module), torch.set_grad_enabled(graded):
        return _first(module, called(module, fed))


def _first(module: nn.Module, given: Any) -> Tensor:
    found = first_tensor(given)
    if found is None:
        raise TypeError(f"{type(module).__name__} gives no tensor")
    return found


def inputs(module: nn.Module, x: Any) -> Any:
    """Arrays as the module takes them: tensors in its dtype, on its device.

    Integers reach it as floating point too, or, where it takes none, as int64: an embedding looks
    them up. Tensors go as they are.
    """
    if isinstance(x, tuple | list):
        return type(x)(inputs(module, part) for part in x)
    if isinstance(x, dict):
        return {name: inputs(module, part) for name, part in x.items()}
    reference = next(module.parameters(), torch.zeros(()))
    if isinstance(x, Tensor):
        return x.to(reference.device)
    values = torch.from_numpy(np.array(x)).to(reference.device)
    as_floats = values.to(reference.dtype)
    if not values.is_floating_point() and values.dtype != torch.bool:
        try:
            with torch.no_grad(), unchanged(module):
                module(as_floats[:2])
        except (RuntimeError, TypeError, IndexError):
            return values.long()
    return as_floats


def _unshared(unit: Unit, flattened: tuple[int, ...], known: set[int]) -> dict[str, Weight]:
    """The weights of a layer that no earlier one has."""
    own = {
        part: weight
        for part, weight in weights_of(unit, flattened).items()
        if not known.intersection(map(id, weight.tensors))
    }
    known.update(id(tensor) for weight in own.values() for tensor in weight.tensors)
    return own
