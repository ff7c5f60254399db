"""What a network in training makes of some samples, in the form that the guard asks for."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from parity.torch.kinds import RELUS, multiplies
from parity.torch.layouts import Array, as_array
from parity.torch.network import dead_share, passed
from parity.torch.trace import Call, begins


@dataclass(frozen=True)
class Look:
    """What a network makes of some samples, in inference.

    Attributes:
        outputs: Its answers, [N, ...].
        dead: Share of units that are 0 for all samples after each layer with a kernel and a ReLU.
        fed: What its first layer was given, [N, ...], channels last.
        kernels: The layers with a kernel, ``layer 1``, ``layer 2``, ..., in the order in which
            they work.
        last: What the last layer computes, as ``sigmoid``.
    """

    outputs: Tensor
    dead: dict[str, float]
    fed: Tensor | None
    kernels: dict[str, nn.Module]
    last: str

    def weights(self) -> dict[str, Array]:
        """A copy of the largest weight of each layer with a kernel."""
        return {
            name: as_array(max(layer.parameters(), key=lambda weight: weight.numel()))
            for name, layer in self.kernels.items()
        }


def look(module: nn.Module, x: Any) -> Look:
    """Ask a module in inference; nothing changes."""
    dead: dict[str, float] = {}
    kernels: dict[str, nn.Module] = {}
    places: dict[int, str] = {}
    fed: list[Tensor] = []
    before = last = ""

    def note(name: str, call: Call) -> None:
        nonlocal before, last
        last = call.function
        if not fed and begins(call) and call.fed is not None:
            fed.append(call.fed)
        if call.unit is not None and multiplies(call.unit.module):
            before = places.setdefault(id(call.unit.module), f"layer {len(places) + 1}")
            kernels[before] = call.unit.module
        elif call.function in RELUS and before and call.outputs.ndim > 1:
            # Where several follow one layer, gradients pass if any of them lets them.
            dead[before] = min(dead_share(call), dead.get(before, 1.0))

    outputs = passed(module, x, note)
    return Look(outputs, dead, fed[0] if fed else None, kernels, last)
