"""What a rule has for a setting, in words: of numbers and switches the table needs none."""

import re

import numpy as np

from parity.readings.cause import listed
from parity.readings.optimizer.caps import UNREACHED
from parity.readings.optimizer.numbers import shown
from parity.readings.optimizer.rule import Rule

PLACES = {
    ("Adam", "last"): "added to the root, after the bias correction",
    ("Adam", "first"): "added to the root, before the bias correction",
    ("Nadam", "last"): "added to the root, after the bias correction",
    ("Adamax", "last"): "added to the gradient's size",
    ("Adamax", "first"): "added to the denominator",
    ("RMSprop", "last"): "added to the root",
    ("Adagrad", "last"): "added to the root",
}
"""Of epsilon, by family and `Rule.epsilon_at`; else it is inside the root."""
DECAYS = {
    "coupled": "L2, added to the gradient",
    "decoupled": "decoupled",
    "decoupled, after": "decoupled, after the update",
    "decoupled, fixed": "decoupled, without the learning rate",
}
BIASES = {
    "exact": "exact",
    "float32": "betas rounded to float32",
    "float32 product": "the product of its momenta kept in float32",
    "none": "none",
    "of the mean only": "of the mean gradient only",
    "of the square only": "of the mean squared gradient only",
}

LOOPS = {
    "first": "the gradient of the first of them",
    "last": "the gradient of the last of them",
    "sum": "the sum of their gradients",
    "mean": "the mean of their gradients",
}
NORMS = {
    "": "as they are",
    "tensor": "divided by the norm of their tensor",
    "all": "divided by the norm of all",
}
NORMED = {"tensor": "the norm of each tensor", "all": "global norm"}
LINES = {"value": "value", "unit": "column", "input": "row", "tensor": "tensor"}

_RECURRENT = re.compile(r"(lstm|rnn)_")


def rates(rule: Rule) -> str:
    """One rate, or that of each step."""
    return " ".join(shown(x) for x in (rule.rates[:1] if len(set(rule.rates)) == 1 else rule.rates))


def clipping(rule: Rule) -> str:
    """What is clipped, and where."""
    if not np.isfinite(rule.clip):
        return "none"
    kind = {"norm": "the norm of each tensor"}.get(rule.clip_kind, rule.clip_kind)
    added = f" (norm + {shown(rule.clip_epsilon)})" if rule.clip_epsilon else ""
    divided = ", or divided by it" if rule.clip == 1 and rule.clip_kind != "value" else ""
    return f"clipped by {kind} at {shown(rule.clip)}{added}{divided}"


def product(rule: Rule) -> str:
    """Threshold times rate, of gradients that are always clipped."""
    added = f" (norm + {shown(rule.clip_epsilon)})" if rule.clip_epsilon else ""
    return f"{rates(rule)}, threshold times rate, by {NORMED[rule.normed]}{added}"


def decay(rule: Rule) -> str:
    """How much, and in which way."""
    return f"{shown(rule.decay)} ({DECAYS[rule.decay_kind]})" if rule.decay else "none"


def loop(rule: Rule) -> str:
    """How many batches make a step."""
    if rule.every == 1:
        return "a step for each batch"
    return f"a step for every {rule.every} batches, on {LOOPS[rule.gather]}"


def average(rule: Rule) -> str:
    """Which average, and when it replaces the weights."""
    if not rule.written:
        return "none"
    every = "each step" if rule.written == 1 else f"every {rule.written} steps"
    return (
        f"{rule.average_kind} that keeps {shown(rule.average)}, replaces the weights after {every}"
    )


def cap(rule: Rule) -> str:
    """What is limited after a step."""
    if not np.isfinite(rule.cap):
        return "none"
    values = rule.cap_kind in ("value", "negative")
    what = "each value" if values else f"the norm of each {LINES[rule.cap_kind]}"
    where = f" of {listed(sorted(rule.capped))}" if rule.capped else ""
    if rule.cap_kind == "negative":
        return f"{what}{where} at least 0 after a step"
    most = "a figure that none reaches" if rule.cap == UNREACHED else shown(rule.cap)
    return f"{what}{where} at most {most} after a step"


def factors(rule: Rule) -> str:
    """Each rate that is not that of the others."""
    each = [f"{shown(factor)} times that of the others for {name}" for name, factor in rule.factors]
    return ", ".join(each) or "the same for all tensors"


def doubled(rule: Rule) -> bool:
    """Whether only biases of recurrent layers have another rate: twice that of all others."""
    own = [name.rpartition(".") for name, _ in rule.factors]
    biases = all(_RECURRENT.match(layer) and part.startswith("bias") for layer, _, part in own)
    return bool(own) and biases and {factor for _, factor in rule.factors} == {2.0}


def doubles(rule: Rule) -> str:
    """Which biases do as a sum of two does that are both trained."""
    if not doubled(rule):
        return "one step for each bias"
    names = listed(sorted(name for name, _ in rule.factors))
    return f"two steps, of two biases that are added, for {names}"
