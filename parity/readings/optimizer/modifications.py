"""What may be done to a rule: hypotheses that differ from it in one thing."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from parity.readings.optimizer.caps import UNREACHED
from parity.readings.optimizer.fit import LIMIT, Hypothesis
from parity.readings.optimizer.numbers import SCALES, nearest_round
from parity.readings.optimizer.record import Record
from parity.readings.optimizer.rule import ClipKind, Rule, simulate
from parity.readings.optimizer.steps import Bias
from parity.readings.optimizer.table import SETTINGS

CLIPS: tuple[ClipKind, ...] = ("value", "norm", "global norm")
CHOICES: dict[str, tuple[Any, ...]] = {
    "nesterov": (False, True),
    "rate_inside": (False, True),
    "epsilon_at": ("first", "last", "inside"),
    "bias": ("exact", "float32", "none", "of the mean only", "of the square only"),
    "count": (1, 2, 0),
    "amsgrad": (False, True),
    "centered": (False, True),
    "momentum_decay": (0.004, 1.0),
}
"""Settings of a family that are no numbers."""


def varied(rule: Rule, record: Record) -> Iterator[Hypothesis]:
    """The rule itself, and with one of its family's settings changed."""
    yield Hypothesis(rule, tied=True)
    own = [s.fields for s in SETTINGS if len(s.fields) == 1 and s.when(rule, rule)]
    for (field,) in own:
        if field in CHOICES:
            for value in CHOICES[field]:
                if value != getattr(rule, field):
                    yield Hypothesis(rule.having({field: value}), tied=True)
        elif field in SCALES:
            yield Hypothesis(rule, (field,), tied=True)
    yield from decayed([Hypothesis(rule, tied=True)], record)
    yield Hypothesis(rule)


def modified(
    hypotheses: Iterable[Hypothesis], record: Record, rare: bool = True
) -> Iterator[Hypothesis]:
    """With one thing done to the gradients, between the steps or to the weights."""
    for base in hypotheses:
        for changed in (*_changes(record), *(_rare_changes() if rare else ())):
            yield replace(base, rule=base.rule.having(changed), tied=True)
        for changed in _averages(record.steps) if rare else ():
            rule = base.rule.having(changed)
            yield replace(base, rule=rule, free=("average", *base.free), tied=True)
        if base.tied:
            yield from clipped([base])


def _changes(record: Record) -> Iterator[dict[str, Any]]:
    moving: NDArray[np.bool_] = np.array(record.change.any(axis=1))
    yield {"repeats": 2}
    yield {"zeroed": False}
    sizes = np.abs(record.change[moving.argmax()])
    sizes = sizes[sizes > 0]
    if len(sizes) and np.ptp(sizes) < 1e-6 * sizes.max():
        yield {"signed": True}
    if not moving.all():
        yield from _loops(~moving)
    for which in ("all", "tensor"):
        yield {"normed": which}


def _rare_changes() -> Iterator[dict[str, Any]]:
    yield {"repeats": 3}
    yield {"forgets": True}


def _loops(still: NDArray[np.bool_]) -> Iterator[dict[str, Any]]:
    """What leaves these steps out, of the kinds of loops that step after some batches only."""
    for every in range(2, len(still) + 1):
        for gather in ("first", "last", "mean", "sum"):
            loop = {"every": every, "gather": gather}
            if all(Rule("SGD").having(loop).steps_at(t) != still[t] for t in range(len(still))):
                yield loop


def _averages(steps: int) -> Iterator[dict[str, Any]]:
    for written in range(1, min(steps, 5)):
        yield {"written": written, "average_kind": "exponential"}
    for written in range(2, steps + 1):
        yield {"written": written, "average_kind": "Lookahead"}


def finer(rule: Rule) -> Iterator[Rule]:
    """Rules that differ from this one only in how it rounds, or by a millionth."""
    if rule.clip_kind != "value" and not rule.clip_epsilon:
        yield replace(rule, clip_epsilon=1e-6)
    biases: tuple[Bias, ...] = ()
    if rule.family == "Nadam":
        biases = ("float32", "float32 product")
    elif rule.family == "Adam":
        biases = ("float32",)
    for bias in biases:
        yield replace(rule, bias=bias)


def decayed(hypotheses: Iterable[Hypothesis], record: Record) -> Iterator[Hypothesis]:
    """With the decay that the linear part of a fit does not cover."""
    for spared in (frozenset[str](), record.vectors):
        for hypothesis in hypotheses:
            rule = replace(hypothesis.rule, spared=spared)
            if spared:
                yield replace(hypothesis, rule=replace(rule, decay_kind="decoupled", decay=0.0))
            coupled = replace(rule, decay_kind="coupled")
            yield replace(hypothesis, rule=coupled, free=("decay", *hypothesis.free))


def clipped(
    hypotheses: Iterable[Hypothesis], kinds: tuple[ClipKind, ...] = CLIPS
) -> Iterator[Hypothesis]:
    """With each kind of gradient clipping."""
    for hypothesis in hypotheses:
        for kind in kinds:
            # Where everything is clipped, epsilon is known only relative to the threshold.
            free = hypothesis.free
            if hypothesis.tied and hypothesis.rule.family != "SGD" and "epsilon" not in free:
                free = ("epsilon", *free)
            yield Hypothesis(
                replace(hypothesis.rule, clip_kind=kind),
                ("clip", *free),
                # Else the rates of the steps would take up what the norm of all gradients does.
                tied=hypothesis.tied or kind == "global norm",
            )


def limited(rule: Rule, record: Record) -> Iterator[Rule]:
    """The very rule, with its weights limited or rounded after each step; of whole tensors."""
    for precision in ("bfloat16", "float16", "float32"):
        yield replace(rule, stored=precision)
    off = (np.abs(record.change - simulate(rule, record)) > LIMIT * record.noise).any(axis=0)
    some = frozenset(record.names[k] for k in np.unique(record.tensor[off]))
    for capped in dict.fromkeys((frozenset[str](), some)):
        yield from _capped(replace(rule, capped=capped), record)


def _capped(rule: Rule, record: Record) -> Iterator[Rule]:
    """With what each kind of limit comes to, on the tensors that have one."""
    after = record.before + record.change
    here = record.of(rule.capped) if rule.capped else np.ones(len(record.tensor), bool)
    if not here.any():
        return
    if (after[:, here] >= 0).all():
        yield replace(rule, cap_kind="negative", cap=0.0)
    kinds: tuple[Literal["unit", "input", "tensor", "value"], ...] = (
        "unit", "input", "tensor", "value",
    )  # fmt: skip
    for kind in kinds:
        sizes = np.abs(after) if kind == "value" else record.norms_of(after, kind)
        largest = float(sizes[:, here].max())
        capped = replace(rule, cap_kind=kind, cap=nearest_round(largest, 1e-12))
        yield capped
        if kind in ("unit", "input"):
            capped = replace(capped, cap=nearest_round(largest, 1e-6))
            yield from (replace(capped, cap_form=form) for form in ("torch", "keras"))
            yield replace(capped, cap=UNREACHED, cap_form="keras")
