"""All that is known of optimisers: each family's members, each setting's name, words and advice.

A new optimiser is a row of `FAMILIES`, a step function, and rows of `SETTINGS` of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from parity.readings.cause import listed
from parity.readings.optimizer import words
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
    # Its first steps say nothing of beta_2 and epsilon.
    "RAdam": (Members(("beta_1",), {"epsilon": (1e-8, 1e-7)}, rare=True),),
    "Adadelta": (Members(("epsilon", "beta_2"), {"epsilon_at": ("inside",)}, rare=True),),
    "Lion": (Members(("beta_1", "beta_2"), rare=True),),
}
"""By name; the members that are met most come first. `steps.STEPS` has their updates."""

When = Callable[[Rule, Rule], bool]
Words = Callable[[Rule], str]


@dataclass(frozen=True)
class Setting:
    """One thing in which two optimisers may differ.

    Attributes:
        name: Of the cause.
        fields: Of a rule, that it consists of.
        advice: How to align two sides.
        when: Between which rules it is named so; families are all that have it.
        words: What a rule has for it; the value of its field by default.
    """

    name: str
    fields: tuple[str, ...]
    advice: str
    when: When = lambda a, b: True
    words: Words | None = None

    def new(self, a: Rule, b: Rule) -> dict[str, Any]:
        """The fields that make rule `a` like `b` in this; empty where it is already."""
        own, other = ({name: getattr(rule, name) for name in self.fields} for rule in (a, b))
        return other if own != other and self.when(a, b) else {}

    def said(self, rule: Rule) -> str:
        """What `rule` has for it."""
        if self.words is not None:
            return self.words(rule)
        value = getattr(rule, self.fields[0])
        return ("off", "on")[value] if isinstance(value, bool) else shown(value)


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


def _gathers(*kinds: str) -> When:
    return lambda a, b: (a if a.every > 1 else b).gather in kinds


def _both_normed(a: Rule, b: Rule) -> bool:
    return bool(a.normed) and a.normed == b.normed


def _constant(a: Rule, b: Rule) -> bool:
    return len(set(a.rates)) == len(set(b.rates)) == 1 and not _both_normed(a, b)


def _second_bias(a: Rule, b: Rule) -> bool:
    return (words.doubled(a) and not b.factors) or (words.doubled(b) and not a.factors)


_EXACT = "use the Keras-exact optimiser of lightning_mnist.optimizers, or "
_EPSILON = _of("Adam", "Nadam", "RMSprop", "Adagrad", "Adamax", "Adadelta", "RAdam")
_MOMENTUM, _BETAS = _of("SGD", "RMSprop"), _of("Adam", "Nadam", "Adamax", "RAdam", "Lion")
_OWN = (
    "family", "rate_inside", "momentum", "nesterov", "dampening", "beta_1", "beta_2",
    "epsilon", "epsilon_at", "bias", "count", "amsgrad", "centered", "accumulator",
    "momentum_decay",
)  # fmt: skip
"""Fields of which another family has no use."""

SETTINGS: tuple[Setting, ...] = (
    Setting("optimiser", _OWN, "use the same optimiser, with all settings given",
            lambda a, b: a.family != b.family, lambda rule: described(rule)),
    Setting("momentum", ("momentum",), "give both the same momentum, rounded alike", _MOMENTUM),
    Setting("Nesterov momentum", ("nesterov",), "set nesterov alike", _of("SGD")),
    Setting("dampening", ("dampening",), "set dampening=0", _of("SGD")),
    Setting("learning rate inside the momentum", ("rate_inside",),
            "with a schedule the two forms differ: use lightning_mnist.optimizers.KerasSGD, or "
            "multiply the rate in the same place", _MOMENTUM),
    Setting("epsilon's value", ("epsilon",), "set epsilon (torch: eps) alike", _EPSILON),
    Setting("epsilon's place", ("epsilon_at",), _EXACT + "add epsilon in the same place",
            _of("Adam", "RMSprop", "Adagrad", "Adamax"),
            lambda rule: words.PLACES.get((rule.family, rule.epsilon_at), "inside the root")),
    Setting("bias correction", ("bias",), _EXACT + "compute the powers of the betas alike",
            _of("Adam", "Adamax", "Nadam"), lambda rule: words.BIASES[rule.bias]),
    Setting("step counter", ("count",), "count the first step as 1", _of("Adam", "Adamax"),
            lambda rule: f"the bias correction begins with step {rule.count}"),
    Setting("beta_1", ("beta_1",), "set beta_1 (torch: betas[0]) alike", _BETAS),
    Setting("beta_2", ("beta_2",), "set beta_2 (torch: betas[1]) alike", _BETAS),
    Setting("rho", ("beta_2",), "set rho (torch's RMSprop: alpha) alike",
            _of("RMSprop", "Adadelta")),
    Setting("amsgrad", ("amsgrad",), "set amsgrad alike", _of("Adam")),
    Setting("centered", ("centered",), "set centered alike", _of("RMSprop")),
    Setting("initial accumulator", ("accumulator",), "set initial_accumulator_value alike",
            _of("Adagrad")),
    Setting("momentum schedule", ("momentum_decay",),
            "use lightning_mnist.optimizers.KerasNadam, or set momentum_decay=1 in torch",
            _of("Nadam"), lambda rule: "0.96 to the power of "
            + ("t" if rule.momentum_decay == 1 else f"{shown(rule.momentum_decay)} * t")),
    Setting("weight decay", ("decay", "decay_kind", "spared"), "set weight_decay alike",
            _either("decay"), words.decay),
    Setting("weight decay", ("decay",), "set weight_decay alike", _both("decay"), words.decay),
    Setting("weight decay's place", ("decay_kind",),
            "use AdamW in torch, or a Keras-exact optimiser, for decoupled decay, and Adam with "
            "weight_decay for L2", _both("decay"), lambda rule: words.DECAYS[rule.decay_kind]),
    Setting("weight decay's tensors", ("spared",), "exclude the same tensors from weight decay",
            _both("decay"), lambda r: f"all but {listed(sorted(r.spared))}" if r.spared else "all"),
    Setting("gradient clipping", ("clip", "clip_kind", "clip_epsilon"),
            "clip alike: clipvalue, clipnorm (each tensor) or global_clipnorm in Keras, "
            "clip_grad_value_ or clip_grad_norm_ (all tensors together) in torch",
            lambda a, b: not _both_normed(a, b), words.clipping),
    Setting("sign", ("scale",), "set maximize=False, or turn the sign of the loss",
            lambda a, b: a.scale == -b.scale, lambda r: "uphill" if r.scale < 0 else "downhill"),
    Setting("gradient scale", ("scale",),
            "reduce the loss alike: the mean over the batch, not the sum, no loss scale left in",
            lambda a, b: a.scale != -b.scale, lambda r: f"{r.scale:g} times the recorded gradient"),
    Setting("sign of the gradients", ("signed",), "give the optimiser the gradients as they are",
            words=lambda rule: "only their signs count" if rule.signed else "their size counts"),
    Setting("normalised gradients", ("normed",), "give the optimiser the gradients as they are",
            words=lambda rule: words.NORMS[rule.normed]),
    Setting("gradients not zeroed", ("zeroed",), "call zero_grad() before each backward()",
            words=lambda r: "zeroed" if r.zeroed else "added to those of all batches before"),
    Setting("accumulated batches", ("every", "gather"),
            "take a step for each batch, or gather as many and divide by their number: "
            "accumulate_grad_batches in Lightning, gradient_accumulation_steps in Keras",
            _gathers("sum", "mean"), words.loop),
    Setting("steps left out", ("every", "gather"), "call step() once for each batch",
            _gathers("first", "last"), words.loop),
    Setting("repeated update", ("repeats",), "call step() once a batch",
            words=lambda rule: f"applied {rule.repeats} times a step"),
    Setting("optimiser's memory", ("forgets",), "make the optimiser once, before the first step",
            words=lambda rule: "begins anew with each step" if rule.forgets else "kept"),
    Setting("average of the weights", ("written", "average", "average_kind"),
            "keep the average apart and train the weights themselves: use_ema with "
            "ema_overwrite_frequency=None in Keras, AveragedModel in torch", words=words.average),
    Setting("weights limited", ("cap", "cap_kind", "cap_form", "capped"), "limit both alike: "
            "MaxNorm and NonNeg in Keras, renorm or clamp_ after step() in torch", words=words.cap),
    Setting("weights rounded", ("stored",), "keep the weights in the precision of the steps",
            words=lambda r: "kept as they are" if r.stored == "as it is" else f"to {r.stored}"),
    Setting("frozen tensor", ("frozen",),
            "give the tensor to the optimiser, with requires_grad or trainable set",
            words=lambda r: f"{listed(sorted(r.frozen))} never updated" if r.frozen else "none"),
    Setting("second bias", ("factors",),
            "torch's LSTM and RNN add two biases that learn alike, Keras' have one: keep the "
            "second at 0, bias_hh_l0.requires_grad_(False)", _second_bias, words.doubles),
    Setting("learning rate of a tensor", ("factors",),
            "give all tensors the same rate, in one parameter group",
            lambda a, b: not _second_bias(a, b), words.factors),
    Setting("threshold of clipping or learning rate", ("rates", "clip_epsilon"),
            "clip at the same norm, with the same rate: of gradients that are all longer than the "
            "threshold only threshold times rate shows", _both_normed, words.product),
    Setting("learning rate", ("rates",), "set the learning rate alike", _constant, words.rates),
    Setting("learning-rate schedule", ("rates",), "compare the schedules' values step by step",
            lambda a, b: not _constant(a, b) and not _both_normed(a, b), words.rates),
)  # fmt: skip
"""Every setting, in the order in which rules are compared."""


def described(rule: Rule) -> str:
    """The rule in one line: "Adam(learning rate 0.001, ...)"."""
    usual = Rule(rule.family, epsilon_at=rule.epsilon_at)
    parts = [f"learning rate {words.rates(rule)}"]
    for setting in SETTINGS:
        named = setting.fields[0] in ("beta_1", "beta_2", "epsilon")
        unusual = any(getattr(rule, f) != getattr(usual, f) for f in setting.fields)
        if setting.when(rule, rule) and setting.fields != ("rates",) and (named or unusual):
            name = setting.name.removesuffix("'s value")
            parts.append(f"{name} {setting.said(rule)}")
    return f"{rule.family}({', '.join(parts)})"
