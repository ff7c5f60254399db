"""The ladder in one process, for two models that it can hold at once."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parity.arrays import Array, Table
from parity.ladder.climb import Climb
from parity.ladder.climber import Climber
from parity.ladder.packed import Apart, packed
from parity.ladder.plan import Plan
from parity.ladder.rung import Rung
from parity.sides.entries import Precision, adapter_of
from parity.sides.local import Local
from parity.sides.lockstep import LockStep, Server, adapted


@dataclass(frozen=True)
class Climbed:
    """How far two models went together.

    Attributes:
        rungs: In order, up to the first that is broken.
    """

    rungs: tuple[Rung, ...]

    @property
    def passed(self) -> bool:
        """Whether every rung holds."""
        return all(rung.passed for rung in self.rungs)

    def __str__(self) -> str:
        """A line a rung, and one for each cause."""
        lines = []
        for rung in self.rungs:
            worst = rung.worst
            state = "holds" if rung.passed else f"broken in {worst.tensor}"
            lines.append(f"{rung.name}: {state}, {worst.absolute:.1e} (limit {worst.limit:.1e})")
            lines += [f"  {number}. {c.text}" for number, c in enumerate(rung.causes, 1)]
        return "\n".join(lines)


class _Given(Server):
    """Serves a side, and arrays that are there already."""

    def __init__(self, side: LockStep, digits: Table) -> None:
        super().__init__()
        self.side, self.digits = side, digits

    def read(self, path: str) -> Table:
        """The arrays; the side sees a batch, since some need one to tell their layers."""
        see = getattr(self.side, "see", None)
        if see is not None:
            see(self.digits["x_train"][:2])
        return self.digits


def ladder(
    a: Any,
    b: Any,
    x: Any,
    y: Array,
    *,
    batch_size: int = 32,
    precision: Precision | None = None,
    told: Mapping[str, str] | None = None,
    keep_going: bool = False,
) -> Climbed:
    """Climb with two models in this process, whose weights are others afterwards.

    Args:
        a: What an entry point may return: a compiled keras.Model, a LightningModule, (module,
            optimizer, loss), or an object with the methods of `parity.sides.lockstep.LockStep`.
        b: The other one.
        x: Samples for both, [N, ...]; of several inputs a tuple, list or dictionary of arrays.
        y: Their targets, [N] or [N, ...].
        batch_size: Samples a step; all of them make one epoch.
        precision: Of the arithmetic; by default that of the Keras models, which have theirs from
            the start, and float64 where there are none.
        told: Layers of A and of B that are one, where their order and shapes do not say it.
        keep_going: Past the first broken rung.

    Raises:
        TypeError: `a` or `b` is something else, or takes no several inputs.
        ValueError: the inputs do not hold as many samples.
    """
    samples, apart = packed(x)
    targets = np.asarray(y)
    digits = {"x_train": samples, "y_train": targets, "x_test": samples, "y_test": targets}
    kept = precision or _precision((a, b))
    # In float32, what an ulp does to B is the yardstick.
    copies = [copy.deepcopy(b)] if kept == "float32" else []
    sides: list[Climber] = [
        Local(name, _Given(_fed(adapted(given, kept), apart), digits))
        for name, given in zip("ABB", (a, b, *copies), strict=False)
    ]
    echo = sides[2] if copies else None
    plan = Plan(Path(), batch_size, kept, told=told or {})
    rungs: list[Rung] = []
    for rung in Climb(sides[0], sides[1], echo, plan, lambda _: None).rungs():
        rungs.append(rung)
        if not rung.passed and not keep_going:
            break
    return Climbed(tuple(rungs))


def _fed(side: LockStep, apart: Apart | None) -> LockStep:
    """A side that is given rows of several inputs."""
    if apart is not None:
        if not hasattr(side, "apart"):
            raise TypeError("an object with the methods of a lock step takes one array as x")
        side.apart = apart
    return side


def _precision(given: tuple[Any, Any]) -> Precision:
    """What all of them can compute in."""
    models = [side[0] if isinstance(side, tuple) and side else side for side in given]
    dtypes = [
        str(weight.dtype)
        for model in models
        if adapter_of(model) == "parity.keras"
        for weight in model.weights
    ]
    return "float32" if "float32" in dtypes else "float64"
