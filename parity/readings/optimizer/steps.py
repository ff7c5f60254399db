"""One step function for each family of optimisers (NumPy only).

Each is a generator: it is sent the gradient [N] and the learning rate of a step, and gives what the
step takes off the weights [N]; it keeps the optimiser's state. With betas of 0.9 and 0.999 these
are the formulas of PyTorch 2.13 and Keras 3.15; where the two differ, a setting says which.
"""

import itertools
from collections.abc import Callable, Generator
from typing import Any, Literal

import numpy as np

from parity.arrays import Floats

Bias = Literal[
    "exact", "float32", "float32 product", "none", "of the mean only", "of the square only"
]
"""With exact betas; with betas that went through float32, in Keras' Nadam in its averages too;
torch's Nadam with its product of the momenta in float32; or left out, in part or whole."""
Step = Generator[Floats, tuple[Floats, float], None]


def _sgd(rule: Any, count: int) -> Step:
    buffer, update, first = np.zeros(count), np.zeros(count), True
    while True:
        gradient, rate = yield update
        if rule.rate_inside:
            gradient = rate * gradient
        kept = 1 - rule.dampening if rule.momentum and not first else 1.0
        buffer, first = rule.momentum * buffer + kept * gradient, False
        update = rule.momentum * buffer + gradient if rule.nesterov else buffer
        if not rule.rate_inside:
            update = rate * update


def _adam(rule: Any, count: int) -> Step:
    mean, square, largest, update = np.zeros((4, count))
    for t in itertools.count(rule.count):
        gradient, rate = yield update
        mean = mean + (1 - rule.beta_1) * (gradient - mean)
        square = square + (1 - rule.beta_2) * (np.square(gradient) - square)
        largest = np.maximum(largest, square) if rule.amsgrad else square
        first, second = _corrections(rule, max(t, 1))
        if rule.epsilon_at == "first":
            update = rate * np.sqrt(second) / first * mean / (np.sqrt(largest) + rule.epsilon)
        else:
            update = rate / first * mean / _root(rule, largest / second)


def _corrections(rule: Any, t: int) -> tuple[float, float]:
    betas = [rule.beta_1, rule.beta_2]
    if rule.bias == "float32":
        betas = [float(np.float32(beta)) for beta in betas]
    first = 1.0 if rule.bias in ("none", "of the square only") else 1 - betas[0] ** t
    second = 1.0 if rule.bias in ("none", "of the mean only") else 1 - betas[1] ** t
    return first, second


def _adamax(rule: Any, count: int) -> Step:
    mean, largest, update = np.zeros((3, count))
    for t in itertools.count(rule.count):
        gradient, rate = yield update
        mean = mean + (1 - rule.beta_1) * (gradient - mean)
        to_size, to_largest = (rule.epsilon * (rule.epsilon_at == at) for at in ("last", "first"))
        largest = np.maximum(rule.beta_2 * largest, np.abs(gradient) + to_size)
        first, _ = _corrections(rule, max(t, 1))
        update = rate / first * mean / (largest + to_largest)


def _radam(rule: Any, count: int) -> Step:
    """Liu et al. 2020, "On the variance of the adaptive learning rate and beyond"."""
    mean, square, update = np.zeros((3, count))
    longest = 2 / (1 - rule.beta_2) - 1
    for t in itertools.count(1):
        gradient, rate = yield update
        mean = mean + (1 - rule.beta_1) * (gradient - mean)
        square = square + (1 - rule.beta_2) * (np.square(gradient) - square)
        first, second = _corrections(rule, t)
        length = longest - 2 * t * rule.beta_2**t / second
        update = rate / first * mean
        if length > 5:
            ratio = (length - 4) * (length - 2) * longest
            ratio /= (longest - 4) * (longest - 2) * length
            update = update * np.sqrt(ratio * second) / (np.sqrt(square) + rule.epsilon)


def _nadam(rule: Any, count: int) -> Step:
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
        before, product = product, product * factor
        if rule.bias == "float32 product":
            product = float(np.float32(before) * np.float32(factor))
        mean = mean + (1 - beta_1) * (gradient - mean)
        square = square + (1 - beta_2) * (np.square(gradient) - square)
        ahead = following * mean / (1 - product * following) + (1 - now) * gradient / (1 - product)
        update = rate * ahead / (np.sqrt(square / (1 - beta_2**t)) + rule.epsilon)


def _rmsprop(rule: Any, count: int) -> Step:
    mean, square, buffer, update = np.zeros((4, count))
    while True:
        gradient, rate = yield update
        square = rule.beta_2 * square + (1 - rule.beta_2) * np.square(gradient)
        mean = rule.beta_2 * mean + (1 - rule.beta_2) * gradient
        spread = np.maximum(square - np.square(mean), 0) if rule.centered else square
        scaled = gradient / _root(rule, spread)
        buffer = rule.momentum * buffer + (rate * scaled if rule.rate_inside else scaled)
        update = buffer if rule.rate_inside else rate * buffer


def _adagrad(rule: Any, count: int) -> Step:
    total, update = np.full(count, rule.accumulator), np.zeros(count)
    while True:
        gradient, rate = yield update
        total = total + np.square(gradient)
        update = rate * gradient / _root(rule, total)


def _root(rule: Any, square: Floats) -> Floats:
    result: Floats = (
        np.sqrt(square + rule.epsilon)
        if rule.epsilon_at == "inside"
        else np.sqrt(square) + rule.epsilon
    )
    return result


def _adadelta(rule: Any, count: int) -> Step:
    square, moved, update = np.zeros((3, count))
    while True:
        gradient, rate = yield update
        square = rule.beta_2 * square + (1 - rule.beta_2) * np.square(gradient)
        delta = np.sqrt(moved + rule.epsilon) / np.sqrt(square + rule.epsilon) * gradient
        moved = rule.beta_2 * moved + (1 - rule.beta_2) * np.square(delta)
        update = rate * delta


def _lion(rule: Any, count: int) -> Step:
    """Chen et al. 2023, "Symbolic discovery of optimization algorithms"."""
    mean, update = np.zeros((2, count))
    while True:
        gradient, rate = yield update
        update = rate * np.sign(rule.beta_1 * mean + (1 - rule.beta_1) * gradient)
        mean = rule.beta_2 * mean + (1 - rule.beta_2) * gradient


STEPS: dict[str, Callable[[Any, int], Step]] = {
    "SGD": _sgd,
    "Adam": _adam,
    "Nadam": _nadam,
    "RMSprop": _rmsprop,
    "Adagrad": _adagrad,
    "Adamax": _adamax,
    "RAdam": _radam,
    "Adadelta": _adadelta,
    "Lion": _lion,
}
