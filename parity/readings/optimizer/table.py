"""All that is known of optimisers: each family's members, each setting's name, words and advice.

A new optimiser is a row of `FAMILIES`, a step function, and rows of `SETTINGS` for what only it
has.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from itertools import product
from typing import Any

import numpy as np

from parity.readings.optimizer.numbers import shown
from parity.readings.optimizer.rule import Rule


@dataclass(frozen=True)
class Members:
    """Rules of a family that differ in a few choices, with some numbers open.

    Attributes:
        free: Fields of a rule that are fitted; the learning rates always are.
        choices: Fields of a rule and their values, each of which is tried.
        rare: Tried only where nothing that is met more often explains the steps.
    """

    free: tuple[str, ...] = ()
    choices: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    rare: bool = False

    def rules(self, family: str) -> Iterator[Rule]:
        """One for each combination of the choices."""
        for values in product(*self.choices.values()):
            yield Rule(family).having(dict(zip(self.choices, values, strict=True)))


_MOMENTS = ("epsilon", "beta_1", "beta_2")
_ADAM = {"epsilon_at": ("last", "first")}
_ROOT = {"epsilon_at": ("last", "inside")}
_OFF_ON = (False, True)
FAMILIES: dict[str, tuple[Members, ...]] = {
    "SGD": (
        Members(),
        Members(("momentum",), {"nesterov": _OFF_ON, "rate_inside": _OFF_ON}),
        Members(("momentum", "dampening"), rare=True),
    ),
    "RMSprop": (
        Members(("epsilon", "beta_2"), _ROOT),
        Members(("epsilon", "beta_2"), _ROOT | {"centered": (True,)}, rare=True),
        Members(
            ("epsilon", "beta_2", "momentum"),
            _ROOT | {"centered": _OFF_ON, "rate_inside": _OFF_ON},
            rare=True,
        ),
    ),
    "Adagrad": (
        Members(("epsilon",), _ROOT),
        Members(("epsilon", "accumulator"), {"epsilon_at": ("last",)}, rare=True),
    ),
    "Adam": (Members(_MOMENTS, _ADAM), Members(_MOMENTS, _ADAM | {"amsgrad": (True,)}, rare=True)),
    "Nadam": (Members(_MOMENTS, {"momentum_decay": (0.004, 1.0), "epsilon_at": ("last",)}),),
    "Adamax": (Members(_MOMENTS, _ADAM, rare=True),),
    "RAdam": (Members(_MOMENTS, {"epsilon_at": ("first",)}, rare=True),),
    "Adadelta": (Members(("epsilon", "beta_2"), {"epsilon_at": ("inside",)}, rare=True),),
    "Lion": (Members(("beta_1", "beta_2"), rare=True),),
    "Rprop": (Members(rare=True),),
}
"""By name; the members that are met most come first. `steps.STEPS` has their updates."""

PLACES = {
    ("Adam", "last"): "added to the root, after the bias correction",
    ("Adam", "first"): "added to the root, before the bias correction",
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

When = Callable[[Rule, Rule], bool]


@dataclass(frozen=True)
class Setting:
    """One thing in which two optimisers may differ.

    Attributes:
        name: Of the cause.
        fields: Of a rule, that it consists of.
        words: What a rule has for it.
        advice: How to align two sides.
        when: Between which rules the setting is named so.
    """

    name: str
    fields: tuple[str, ...]
    words: Callable[[Rule], str]
    advice: str
    when: When = lambda a, b: True

    def new(self, a: Rule, b: Rule) -> dict[str, Any]:
        """The fields that make rule `a` like `b` in this; empty where it is already."""
        own, other = ({name: getattr(rule, name) for name in self.fields} for rule in (a, b))
        return other if own != other and self.when(a, b) else {}


def changes(a: Rule, b: Rule) -> list[tuple[Setting, dict[str, Any]]]:
    """What turns rule `a` into rule `b`: settings, and the fields with their new values."""
    found = [(setting, setting.new(a, b)) for setting in SETTINGS]
    return [(setting, new) for setting, new in found if new]


def _of(*families: str) -> When:
    return lambda a, b: a.family == b.family in families


def _both(name: str) -> When:
    return lambda a, b: bool(getattr(a, name) and getattr(b, name))


def _either(name: str) -> When:
    return lambda a, b: not (getattr(a, name) and getattr(b, name))


def _number(name: str) -> Callable[[Rule], str]:
    return lambda rule: shown(getattr(rule, name))


def _switch(name: str) -> Callable[[Rule], str]:
    return lambda rule: "on" if getattr(rule, name) else "off"


def _listed(names: frozenset[str]) -> str:
    some = sorted(names)
    return ", ".join(some[:4]) + (f" and {len(some) - 4} more" if len(some) > 4 else "")


def _rates(rule: Rule) -> str:
    if len(set(rule.rates)) == 1:
        return shown(rule.rates[0])
    return " ".join(shown(rate) for rate in rule.rates)


def _constant(a: Rule, b: Rule) -> bool:
    return a.family == b.family and len(set(a.rates)) == len(set(b.rates)) == 1


def _clipping(rule: Rule) -> str:
    if not np.isfinite(rule.clip):
        return "none"
    kind = {"norm": "the norm of each tensor"}.get(rule.clip_kind, rule.clip_kind)
    added = f" (norm + {shown(rule.clip_epsilon)})" if rule.clip_epsilon else ""
    return f"clipped by {kind} at {shown(rule.clip)}{added}"


def _decay(rule: Rule) -> str:
    return f"{shown(rule.decay)} ({DECAYS[rule.decay_kind]})" if rule.decay else "none"


def _loop(rule: Rule) -> str:
    if rule.every == 1:
        return "a step for each batch"
    which = {
        "first": "on the gradient of the first of them",
        "last": "on the gradient of the last of them",
        "sum": "on the sum of their gradients",
        "mean": "on the mean of their gradients",
    }
    return f"a step for every {rule.every} batches, {which[rule.gather]}"


def _average(rule: Rule) -> str:
    if not rule.written:
        return "none"
    keeps = f" that keeps {shown(rule.average)}" if "equal" not in rule.average_kind else ""
    return f"{rule.average_kind}{keeps}, replaces the weights after every {rule.written} steps"


def _cap(rule: Rule) -> str:
    if not np.isfinite(rule.cap):
        return "none"
    of = {
        "value": "each value",
        "unit": "the norm of each column",
        "input": "the norm of each row",
        "tensor": "the norm of each tensor",
    }
    return f"{of[rule.cap_kind]} at most {shown(rule.cap)} after a step"


def _factors(rule: Rule) -> str:
    each = [f"{shown(factor)} times that of the others for {name}" for name, factor in rule.factors]
    return ", ".join(each) or "the same for all tensors"


_EXACT = "use the Keras-exact optimiser of lightning_mnist.optimizers, or "
_MOMENTUM = ("SGD", "RMSprop")
_ADAMS = ("Adam", "Nadam", "Adamax", "RAdam")
_BIASED = ("Adam", "Adamax", "Nadam")
_EPSILON = ("Adam", "Nadam", "RMSprop", "Adagrad", "Adamax", "Adadelta", "RAdam")
_COMMON = (
    "family rates scale signed normed centred clip clip_kind clip_epsilon decay decay_kind spared zeroed "
    "every gather repeats forgets written average average_kind cap cap_kind cap_form stored frozen factors"
).split()
_OWN = tuple(each.name for each in fields(Rule) if each.name not in _COMMON)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "optimiser",
        ("family", "rates", *_OWN),
        lambda rule: described(rule),
        "use the same optimiser, with all settings given",
        lambda a, b: a.family != b.family,
    ),
    Setting(
        "momentum",
        ("momentum",),
        _number("momentum"),
        "give both the same momentum, rounded alike",
        _of(*_MOMENTUM),
    ),
    Setting(
        "Nesterov momentum", ("nesterov",), _switch("nesterov"), "set nesterov alike", _of("SGD")
    ),
    Setting("dampening", ("dampening",), _number("dampening"), "set dampening=0", _of("SGD")),
    Setting(
        "learning rate inside the momentum",
        ("rate_inside",),
        lambda rule: "yes" if rule.rate_inside else "no",
        "with a schedule the two forms differ: use lightning_mnist.optimizers.KerasSGD, or "
        "multiply the rate in the same place",
        _of(*_MOMENTUM),
    ),
    Setting(
        "epsilon's value",
        ("epsilon",),
        _number("epsilon"),
        "set epsilon (torch: eps) alike",
        _of(*_EPSILON),
    ),
    Setting(
        "epsilon's place",
        ("epsilon_at",),
        lambda rule: PLACES.get((rule.family, rule.epsilon_at), "inside the root"),
        _EXACT + "add epsilon in the same place",
        _of("Adam", "RMSprop", "Adagrad", "Adamax"),
    ),
    Setting(
        "bias correction",
        ("bias",),
        lambda rule: BIASES[rule.bias],
        _EXACT + "compute the powers of the betas alike",
        _of(*_BIASED),
    ),
    Setting(
        "step counter",
        ("count",),
        lambda rule: f"the bias correction begins with step {rule.count}",
        "count the first step as 1",
        _of("Adam", "Adamax"),
    ),
    Setting(
        "beta_1",
        ("beta_1",),
        _number("beta_1"),
        "set beta_1 (torch: betas[0]) alike",
        _of(*_ADAMS, "Lion"),
    ),
    Setting(
        "beta_2",
        ("beta_2",),
        _number("beta_2"),
        "set beta_2 (torch: betas[1]) alike",
        _of(*_ADAMS, "Lion"),
    ),
    Setting(
        "rho",
        ("beta_2",),
        _number("beta_2"),
        "set rho (torch: alpha, in Adadelta rho) alike",
        _of("RMSprop", "Adadelta"),
    ),
    Setting("amsgrad", ("amsgrad",), _switch("amsgrad"), "set amsgrad alike", _of("Adam")),
    Setting("centered", ("centered",), _switch("centered"), "set centered alike", _of("RMSprop")),
    Setting(
        "initial accumulator",
        ("accumulator",),
        _number("accumulator"),
        "set initial_accumulator_value alike",
        _of("Adagrad"),
    ),
    Setting(
        "momentum schedule",
        ("momentum_decay",),
        lambda rule: (
            "0.96 to the power of "
            + ("t" if rule.momentum_decay == 1 else f"{shown(rule.momentum_decay)} * t")
        ),
        "use lightning_mnist.optimizers.KerasNadam, or set momentum_decay=1 in torch",
        _of("Nadam"),
    ),
    Setting(
        "weight decay",
        ("decay", "decay_kind", "spared"),
        _decay,
        "set weight_decay alike",
        _either("decay"),
    ),
    Setting("weight decay", ("decay",), _decay, "set weight_decay alike", _both("decay")),
    Setting(
        "weight decay's place",
        ("decay_kind",),
        lambda rule: DECAYS[rule.decay_kind],
        "use AdamW in torch, or a Keras-exact optimiser, for decoupled decay, and Adam with "
        "weight_decay for L2",
        _both("decay"),
    ),
    Setting(
        "weight decay's tensors",
        ("spared",),
        lambda rule: f"all but {_listed(rule.spared)}" if rule.spared else "all",
        "exclude the same tensors from weight decay",
        _both("decay"),
    ),
    Setting(
        "gradient clipping",
        ("clip", "clip_kind", "clip_epsilon"),
        _clipping,
        "clip alike: clipvalue, clipnorm (each tensor) or global_clipnorm in Keras, "
        "clip_grad_value_ or clip_grad_norm_ (all tensors together) in torch",
    ),
    Setting(
        "sign",
        ("scale",),
        lambda rule: "uphill" if rule.scale < 0 else "downhill",
        "set maximize=False, or turn the sign of the loss",
        lambda a, b: a.scale == -b.scale,
    ),
    Setting(
        "gradient scale",
        ("scale",),
        lambda rule: f"{rule.scale:g} times the recorded gradient",
        "reduce the loss alike: the mean over the batch, not the sum, and no loss scale left in",
        lambda a, b: a.scale != -b.scale,
    ),
    Setting(
        "sign of the gradients",
        ("signed",),
        lambda rule: "only the gradients' signs count" if rule.signed else "their size counts",
        "give the optimiser the gradients as they are",
    ),
    Setting(
        "normalised gradients",
        ("normed",),
        lambda rule: {
            "": "as they are",
            "tensor": "divided by the norm of their tensor",
            "all": "divided by the norm of all",
        }[rule.normed],
        "give the optimiser the gradients as they are",
    ),
    Setting(
        "centred gradients",
        ("centred",),
        lambda rule: (
            f"less the mean of each {CENTRED[rule.centred]}" if rule.centred else "as they are"
        ),
        "centre the gradients on both sides or on neither",
    ),
    Setting(
        "gradients not zeroed",
        ("zeroed",),
        lambda rule: "zeroed" if rule.zeroed else "added to those of all batches before",
        "call zero_grad() before each backward()",
    ),
    Setting(
        "accumulated batches",
        ("every", "gather"),
        _loop,
        "take a step for each batch, or gather as many and divide by their number: "
        "accumulate_grad_batches in Lightning, gradient_accumulation_steps in Keras",
        lambda a, b: (a if a.every > 1 else b).gather in ("sum", "mean"),
    ),
    Setting(
        "steps left out",
        ("every", "gather"),
        _loop,
        "call step() once for each batch",
        lambda a, b: (a if a.every > 1 else b).gather in ("first", "last"),
    ),
    Setting(
        "repeated update",
        ("repeats",),
        lambda rule: f"applied {rule.repeats} times a step",
        "call step() once a batch",
    ),
    Setting(
        "optimiser's memory",
        ("forgets",),
        lambda rule: "begins anew with each step" if rule.forgets else "kept",
        "make the optimiser once, before the first step",
    ),
    Setting(
        "average of the weights",
        ("written", "average", "average_kind"),
        _average,
        "keep the average apart and train the weights themselves: use_ema with "
        "ema_overwrite_frequency=None in Keras, AveragedModel in torch",
    ),
    Setting(
        "weights limited",
        ("cap", "cap_kind", "cap_form"),
        _cap,
        "give both the same constraint: max_norm in Keras, renorm or clamp_ after step() in torch",
    ),
    Setting(
        "weights rounded",
        ("stored",),
        lambda rule: "kept as they are" if rule.stored == "as it is" else f"kept in {rule.stored}",
        "keep the weights in the precision of the steps",
    ),
    Setting(
        "frozen tensor",
        ("frozen",),
        lambda rule: (
            f"{_listed(rule.frozen)} never updated" if rule.frozen else "all tensors updated"
        ),
        "give the tensor to the optimiser, with requires_grad or trainable set",
    ),
    Setting(
        "learning rate of a tensor",
        ("factors",),
        _factors,
        "give all tensors the same rate, in one parameter group",
    ),
    Setting("learning rate", ("rates",), _rates, "set the learning rate alike", _constant),
    Setting(
        "learning-rate schedule",
        ("rates",),
        _rates,
        "compare the schedules' values step by step",
        lambda a, b: a.family == b.family and not _constant(a, b),
    ),
)
"""Every setting, in the order in which rules are compared."""
CENTRED = {"unit": "column", "input": "row", "tensor": "tensor", "": ""}


def described(rule: Rule) -> str:
    """The rule in one line: "Adam(learning rate 0.001, ...)"."""
    usual = Rule(rule.family, epsilon_at=rule.epsilon_at)
    unsaid = ("optimiser", "learning rate", "learning-rate schedule", "epsilon's place")
    parts = [f"learning rate {_rates(rule)}"]
    for setting in SETTINGS:
        numbers = setting.fields[0] in ("beta_1", "beta_2", "epsilon")
        own = setting.when(rule, rule) and setting.name not in unsaid
        if own and (numbers or any(getattr(rule, f) != getattr(usual, f) for f in setting.fields)):
            parts.append(f"{setting.name} {setting.words(rule)}")
    return f"{rule.family}({', '.join(parts)})"
