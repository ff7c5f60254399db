"""An update rule with all its settings, and the steps that it takes (NumPy only).

Of each batch: the gradient is gathered and changed, the family makes an update of it, the update
and weight decay move the weights, and what is done to the weights afterwards is done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from parity.arrays import Floats
from parity.readings.optimizer.caps import limited
from parity.readings.optimizer.record import Group, Precision, Record, coarse
from parity.readings.optimizer.steps import STEPS, Bias

DecayKind = Literal["coupled", "decoupled", "decoupled, after", "decoupled, fixed"]
ClipKind = Literal["value", "norm", "global norm"]
Gather = Literal["first", "last", "sum", "mean"]
Average = Literal["exponential", "Lookahead"]


@dataclass(frozen=True)
class Rule:
    """An optimiser with all its settings; what a family does not have is ignored.

    Attributes:
        family: Which update.
        rates: Learning rate of each step.
        rate_inside: The rate multiplies what enters the momentum (Keras), not what leaves it.
        momentum: Of SGD and RMSprop.
        nesterov: SGD looks ahead.
        dampening: torch's, of SGD.
        beta_1: Decay of the mean gradient.
        beta_2: Decay of the mean squared gradient; rho of RMSprop and Adadelta.
        epsilon: What keeps the denominator from zero.
        epsilon_at: Where it is added. "last": torch's place (Adam: to the root after the bias
            correction; RMSprop and Adagrad: outside the root; Adamax: to the gradient's size).
            "first": Keras' (before the bias correction). "inside": in the root.
        bias: How the bias of Adam's and Nadam's averages is corrected.
        count: Number of the first step in the bias correction.
        amsgrad: Adam divides by the largest mean square so far.
        centered: RMSprop subtracts the squared mean.
        accumulator: Adagrad's first sum of squares.
        momentum_decay: Nadam's exponent of 0.96 for each step: Keras 1, torch 0.004.
        scale: What the gradients are multiplied by before anything else.
        signed: Of a gradient only the sign counts.
        normed: Gradients are divided by the norm of their tensor, or of all; empty for neither.
        clip: Threshold of gradient clipping; infinite for none.
        clip_kind: What is compared with it: each value, each tensor's norm, the norm of all.
        clip_epsilon: Added to the norm before dividing, also where `normed`; torch 1e-6.
        decay: Weight decay, 0 for none.
        decay_kind: coupled: added to the gradient (L2). decoupled: times the rate, taken off the
            weights before the update, after it, or without the rate.
        spared: Names of tensors that do not decay.
        zeroed: Gradients are set to zero between steps.
        every: Batches for each step.
        gather: Of which of them the gradients count.
        repeats: How often the update is applied in one step.
        forgets: The optimiser begins anew with each step.
        written: Steps after which an average of the weights replaces them; 0 for never.
        average: What that average keeps of itself, where it is exponential (begun after the first
            step) or Lookahead's, whose slow weights move with each writing only.
        average_kind: Which of them. The mean of all weights so far looks like rates of 1 / t.
        cap: What the weights are shrunk to after each step; infinite for none.
        cap_kind: What is compared with it: each value, each negative value, or the norm of each
            unit's incoming weights, of each input's, of each tensor's.
        cap_form: torch and Keras divide by the norm plus 1e-7, Keras even where it is below.
        capped: Names of the tensors that are shrunk; empty for all.
        stored: Precision that the weights are rounded to after each step.
        frozen: Names of tensors that are never updated.
        factors: Names of tensors and what their own learning rate is a multiple by.
    """

    family: str
    rates: tuple[float, ...] = ()
    rate_inside: bool = False
    momentum: float = 0.0
    nesterov: bool = False
    dampening: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    epsilon_at: Literal["first", "last", "inside"] = "first"
    bias: Bias = "exact"
    count: int = 1
    amsgrad: bool = False
    centered: bool = False
    accumulator: float = 0.0
    momentum_decay: float = 0.004
    scale: float = 1.0
    signed: bool = False
    normed: Literal["", "tensor", "all"] = ""
    clip: float = np.inf
    clip_kind: ClipKind = "value"
    clip_epsilon: float = 0.0
    decay: float = 0.0
    decay_kind: DecayKind = "decoupled"
    spared: frozenset[str] = frozenset()
    zeroed: bool = True
    every: int = 1
    gather: Gather = "last"
    repeats: int = 1
    forgets: bool = False
    written: int = 0
    average: float = 0.0
    average_kind: Average = "exponential"
    cap: float = np.inf
    cap_kind: Group | Literal["value", "negative"] = "unit"
    cap_form: Literal["exact", "torch", "keras"] = "exact"
    capped: frozenset[str] = frozenset()
    stored: Precision = "as it is"
    frozen: frozenset[str] = frozenset()
    factors: tuple[tuple[str, float], ...] = ()

    def having(self, settings: Mapping[str, Any]) -> "Rule":
        """The same rule with these fields changed; `replace` and `copy` are slow for thousands."""
        changed = object.__new__(Rule)
        assert settings.keys() <= vars(self).keys(), settings
        vars(changed).update(vars(self), **settings)
        return changed

    def steps_at(self, batch: int) -> bool:
        """Whether a step is taken after this batch, counted from 0."""
        return batch % self.every == (0 if self.gather == "first" else self.every - 1)


@np.errstate(all="ignore")  # what is not finite explains nothing
def simulate(rule: Rule, record: Record) -> Floats:
    """What the rule would have added to the weights in each step, float64 [T, N].

    Each step starts from the recorded weights; the optimiser's own state is carried along.
    """
    rates = np.array(rule.rates)[:, None]
    moved = updates(rule, record, rule.rates)
    if rule.decay and rule.decay_kind != "coupled":
        share = rule.decay * decayed(rule, record)
        if rule.decay_kind == "decoupled, after":
            moved = moved * (1 - rule.decay * rates * decays(rule, record))
        moved = moved + share * (1 if rule.decay_kind == "decoupled, fixed" else rates)
    change = -averaged(rule, moved)
    if np.isfinite(rule.cap) or rule.stored != "as it is":
        capped = limited(rule, record, record.before + change)
        change = coarse(capped, rule.stored) - record.before
    if rule.frozen:
        change[:, record.of(rule.frozen)] = 0
    return change


def updates(rule: Rule, record: Record, rates: tuple[float, ...]) -> Floats:
    """What each step takes off the weights, decoupled decay apart, float64 [T, N].

    It is linear in the rates.
    """
    result = np.zeros(record.before.shape)
    gathered = np.zeros(record.before.shape[1])
    adds = not rule.zeroed or rule.gather in ("sum", "mean")
    share = rule.every if rule.gather == "mean" else 1
    for t in range(record.steps):
        if t == 0 or rule.forgets:
            step = STEPS[rule.family](rule, len(gathered))
            next(step)
        gathered = gathered + record.gradient[t] if adds else record.gradient[t]
        if not rule.steps_at(t):
            continue
        gradient = _changed(rule, record, t, gathered / share if share > 1 else gathered)
        for _ in range(rule.repeats):
            result[t] += step.send((gradient, rates[t]))
        if adds and rule.zeroed:
            gathered = np.zeros_like(gathered)
    return _by_factors(rule, record, result)


def decayed(rule: Rule, record: Record) -> Floats:
    """What decoupled decay of 1 and a rate of 1 takes off, float64 [T, N]."""
    steps = np.array([rule.steps_at(t) for t in range(record.steps)])
    return _by_factors(rule, record, record.before * decays(rule, record) * steps[:, None])


def decays(rule: Rule, record: Record) -> Floats:
    """1 for the weights that decay, 0 for the others, float64 [N]."""
    return (~record.of(rule.spared)).astype(np.float64)


def averaged(rule: Rule, moved: Floats) -> Floats:
    """What steps [T, N] come to where an average of the weights is written back; linear."""
    if not rule.written:
        return moved
    result = moved.copy()
    behind = np.zeros_like(moved[0])  # how far the average is from the weights
    for t in range(len(moved)):
        lookahead = rule.average_kind == "Lookahead"
        keeps = 1.0 if lookahead else rule.average if t else 0.0
        behind = keeps * (behind + moved[t])
        if (t + 1) % rule.written == 0:
            share = rule.average if lookahead else 1.0
            result[t] = moved[t] - share * behind
            behind = np.zeros_like(behind)
    return result


def _by_factors(rule: Rule, record: Record, result: Floats) -> Floats:
    for name, factor in rule.factors:
        result[:, record.of(frozenset({name}))] *= factor
    return result


def _changed(rule: Rule, record: Record, t: int, gradient: Floats) -> Floats:
    """The gradient that reaches the moments: scaled, clipped, with coupled decay, float64 [N]."""
    if rule.scale != 1:
        gradient = gradient * rule.scale
    if rule.signed:
        gradient = np.sign(gradient)
    if rule.normed:
        gradient = gradient / (_norms(record, t, rule.normed == "all") + rule.clip_epsilon)
    if np.isfinite(rule.clip) and rule.clip_kind == "value":
        gradient = np.clip(gradient, -rule.clip, rule.clip)
    elif np.isfinite(rule.clip):
        norms = _norms(record, t, rule.clip_kind == "global norm") * abs(rule.scale)
        gradient = gradient * np.minimum(1, rule.clip / (norms + rule.clip_epsilon))
    if rule.decay and rule.decay_kind == "coupled":
        gradient = gradient + rule.decay * decays(rule, record) * record.before[t]
    return gradient


def _norms(record: Record, t: int, all_together: bool) -> Floats:
    """For each weight the norm of its tensor's gradient, or of all tensors', float64 [N]."""
    norms = record.norms[t]
    if all_together:
        norms = np.full(norms.shape, np.sqrt(np.square(norms).sum()))
    result: Floats = np.maximum(norms, 1e-300)[record.tensor]
    return result
