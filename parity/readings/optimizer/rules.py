"""Update rules of the common optimisers, as one function of their settings (NumPy only)."""

import itertools
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from parity.readings.optimizer.record import Floats, Record

Family = Literal["SGD", "Adam", "Nadam", "RMSprop", "Adagrad"]
DecayKind = Literal["coupled", "decoupled", "decoupled, after", "decoupled, fixed"]
Bias = Literal["exact", "float32", "float32 product", "none"]
ClipKind = Literal["value", "norm", "global norm"]
Step = Generator[Floats, tuple[Floats, float], None]
"""Is sent gradient [N] and rate, gives what the step takes off the weights [N]."""


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
        beta_2: Decay of the mean squared gradient; RMSprop's rho.
        epsilon: What keeps the denominator from zero.
        epsilon_last: torch's place of epsilon: Adam, added after the bias correction of the root;
            RMSprop and Adagrad, outside the root. Otherwise Keras': before, and inside.
        bias: Bias correction of Adam and Nadam: with exact betas; with betas that went through
            float32, in Keras' Nadam in its averages too; torch's Nadam with its product of the
            momenta in float32; or left out.
        amsgrad: Adam divides by the largest mean square so far.
        centered: RMSprop subtracts the squared mean.
        accumulator: Adagrad's first sum of squares.
        momentum_decay: Nadam's exponent of 0.96 for each step: Keras 1, torch 0.004.
        decay: Weight decay, 0 for none.
        decay_kind: coupled: added to the gradient (L2). decoupled: times the rate, taken off the
            weights before the update, after it, or without the rate.
        decay_matrices: Decay leaves out tensors of one dimension.
        clip: Threshold of gradient clipping; infinite for none.
        clip_kind: What is compared with it: each value, each tensor's norm, the norm of all.
        clip_epsilon: Added to the norm before dividing; torch 1e-6.
        scale: What the gradients are multiplied by before anything else.
        repeats: How often the update is applied in one step.
        frozen: Names of tensors that are never updated.
    """

    family: Family
    rates: tuple[float, ...] = ()
    rate_inside: bool = False
    momentum: float = 0.0
    nesterov: bool = False
    dampening: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    epsilon_last: bool = False
    bias: Bias = "exact"
    amsgrad: bool = False
    centered: bool = False
    accumulator: float = 0.0
    momentum_decay: float = 0.004
    decay: float = 0.0
    decay_kind: DecayKind = "decoupled"
    decay_matrices: bool = False
    clip: float = np.inf
    clip_kind: ClipKind = "value"
    clip_epsilon: float = 0.0
    scale: float = 1.0
    repeats: int = 1
    frozen: frozenset[str] = frozenset()

    def having(self, settings: Mapping[str, Any]) -> "Rule":
        """The same rule with these fields changed."""
        return replace(self, **settings)


def simulate(rule: Rule, record: Record) -> Floats:
    """What the rule would have added to the weights in each step, float64 [T, N].

    Each step starts from the recorded weights; the optimiser's own state is carried along.
    """
    rates = np.array(rule.rates)[:, None]
    decayed = np.zeros(record.before.shape)
    if rule.decay and rule.decay_kind != "coupled":
        share = rule.decay * (1 if rule.decay_kind == "decoupled, fixed" else rates)
        decayed = share * record.before * decays(rule, record)
    moved = updates(rule, record, rule.rates)
    if rule.decay and rule.decay_kind == "decoupled, after":
        moved = moved * (1 - rule.decay * rates * decays(rule, record))
    change: Floats = -decayed - moved
    if rule.frozen:
        change[:, record.of(rule.frozen)] = 0
    return change


def decays(rule: Rule, record: Record) -> Floats:
    """1 for the weights that decay, 0 for the others, float64 [N]."""
    if not rule.decay_matrices:
        return np.ones(len(record.tensor))
    return record.matrix[record.tensor].astype(np.float64)


def updates(rule: Rule, record: Record, rates: tuple[float, ...]) -> Floats:
    """What each step takes off the weights, decoupled decay apart, float64 [T, N].

    It is linear in the rates.
    """
    step = _STEPS[rule.family](rule, len(record.tensor))
    next(step)
    result = np.zeros(record.before.shape)
    with np.errstate(all="ignore"):  # what is not finite explains nothing
        for t in range(record.steps):
            gradient = effective(rule, record, t)
            for _ in range(rule.repeats):
                result[t] += step.send((gradient, rates[t]))
    return result


def effective(rule: Rule, record: Record, t: int) -> Floats:
    """The gradient that reaches the moments: scaled, clipped, with coupled decay, float64 [N]."""
    gradient = record.gradient[t] * rule.scale
    if np.isfinite(rule.clip):
        if rule.clip_kind == "value":
            gradient = np.clip(gradient, -rule.clip, rule.clip)
        else:
            gradient = gradient * _clipping(rule, record, t)
    if rule.decay and rule.decay_kind == "coupled":
        gradient = gradient + rule.decay * decays(rule, record) * record.before[t]
    result: Floats = gradient
    return result


def _clipping(rule: Rule, record: Record, t: int) -> Floats:
    norms = record.norms[t] * abs(rule.scale)
    if rule.clip_kind == "global norm":
        norms = np.full(norms.shape, np.sqrt(np.square(norms).sum()))
    factor = np.minimum(1, rule.clip / np.maximum(norms + rule.clip_epsilon, 1e-300))
    result: Floats = factor[record.tensor]
    return result


def _sgd(rule: Rule, count: int) -> Step:
    buffer, update, first = np.zeros(count), np.zeros(count), True
    while True:
        gradient, rate = yield update
        if rule.rate_inside:
            gradient = rate * gradient
        kept = 1.0 if first else 1 - rule.dampening
        buffer, first = rule.momentum * buffer + kept * gradient, False
        update = rule.momentum * buffer + gradient if rule.nesterov else buffer
        if not rule.rate_inside:
            update = rate * update


def _adam(rule: Rule, count: int) -> Step:
    mean, square, largest, update = np.zeros((4, count))
    for t in itertools.count(1):
        gradient, rate = yield update
        mean = mean + (1 - rule.beta_1) * (gradient - mean)
        square = square + (1 - rule.beta_2) * (np.square(gradient) - square)
        largest = np.maximum(largest, square) if rule.amsgrad else square
        first, second = _corrections(rule, t)
        root = np.sqrt(largest)
        if rule.epsilon_last:
            update = rate / first * mean / (root / np.sqrt(second) + rule.epsilon)
        else:
            update = rate * np.sqrt(second) / first * mean / (root + rule.epsilon)


def _corrections(rule: Rule, t: int) -> tuple[float, float]:
    if rule.bias == "none":
        return 1.0, 1.0
    betas = [rule.beta_1, rule.beta_2]
    if rule.bias == "float32":
        betas = [float(np.float32(beta)) for beta in betas]
    return 1 - betas[0] ** t, 1 - betas[1] ** t


def _nadam(rule: Rule, count: int) -> Step:
    mean, square, update = np.zeros((3, count))
    beta_1, beta_2, base = rule.beta_1, rule.beta_2, 0.96
    if rule.bias == "float32":
        beta_1, beta_2, base = (float(np.float32(x)) for x in (beta_1, beta_2, base))
    product = 1.0
    for t in itertools.count(1):
        gradient, rate = yield update
        now, following = (
            beta_1 * (1 - 0.5 * base ** (n * rule.momentum_decay)) for n in (t, t + 1)
        )
        # Keras' product of the momenta is the one place where it keeps the exact numbers.
        factor = rule.beta_1 * (1 - 0.5 * 0.96 ** (t * rule.momentum_decay))
        product *= factor
        if rule.bias == "float32 product":
            product = float(np.float32(product / factor) * np.float32(factor))
        mean = mean + (1 - beta_1) * (gradient - mean)
        square = square + (1 - beta_2) * (np.square(gradient) - square)
        ahead = following * mean / (1 - product * following) + (1 - now) * gradient / (1 - product)
        update = rate * ahead / (np.sqrt(square / (1 - beta_2**t)) + rule.epsilon)


def _rmsprop(rule: Rule, count: int) -> Step:
    mean, square, buffer, update = np.zeros((4, count))
    while True:
        gradient, rate = yield update
        square = rule.beta_2 * square + (1 - rule.beta_2) * np.square(gradient)
        mean = rule.beta_2 * mean + (1 - rule.beta_2) * gradient
        spread = np.maximum(square - np.square(mean), 0) if rule.centered else square
        scaled = gradient / _root(rule, spread)
        buffer = rule.momentum * buffer + (rate * scaled if rule.rate_inside else scaled)
        update = buffer if rule.rate_inside else rate * buffer


def _adagrad(rule: Rule, count: int) -> Step:
    total, update = np.full(count, rule.accumulator), np.zeros(count)
    while True:
        gradient, rate = yield update
        total = total + np.square(gradient)
        update = rate * gradient / _root(rule, total)


def _root(rule: Rule, square: Floats) -> Floats:
    result: Floats = (
        np.sqrt(square) + rule.epsilon if rule.epsilon_last else np.sqrt(square + rule.epsilon)
    )
    return result


_STEPS = {"SGD": _sgd, "Adam": _adam, "Nadam": _nadam, "RMSprop": _rmsprop, "Adagrad": _adagrad}
