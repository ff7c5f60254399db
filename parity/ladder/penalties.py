"""A penalty in one side's loss that is weight decay in the other's optimiser: the same training."""

from dataclasses import replace

from parity.arrays import Names
from parity.ladder.rung import Rung
from parity.readings import optimizer, penalty
from parity.readings.cause import Cause
from parity.readings.trace import Trace

DECAY = "weight decay"


def optimizers(a: Trace, b: Trace, names: Names, batch_size: int) -> tuple[list[Cause], bool]:
    """How two optimisers differ, and whether one side's penalty was taken for weight decay of its.

    It is beside a side whose optimiser decays, where that explains all: the two are the same.
    """
    causes = optimizer.explain(a, b, names, batch_size)
    moved = penalty.as_decay(a, b)
    if moved is None or not any(cause.name.startswith(DECAY) for cause in causes):
        return causes, False
    as_decay = optimizer.explain(*moved, names, batch_size)
    known = all(cause.name != optimizer.UNEXPLAINED for cause in as_decay)
    return (as_decay if known else causes), known


def suspected(*rungs: Rung) -> bool:
    """Whether a penalty is all that breaks these rungs."""
    broken = [rung for rung in rungs if not rung.passed]
    causes = [cause for rung in broken for cause in rung.causes]
    return all(rung.causes for rung in broken) and {cause.name for cause in causes} == {penalty.L2}


def forgiven(rung: Rung) -> Rung:
    """A rung that a penalty breaks which the steps tell of: the other side's optimiser decays."""
    said = [cause.text.partition("; to align")[0] for cause in rung.causes]
    note = f"no mistake by itself, {said[0]}: the other's optimiser decays the weights"
    tensors = tuple(replace(t, limit=max(t.limit, t.absolute)) for t in rung.tensors)
    reason = f"{rung.reason}, and what the penalty adds"
    return replace(rung, tensors=tensors, reason=reason, note=note, causes=()) if said else rung
