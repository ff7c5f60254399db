"""The update rules that recorded steps are tried against, the plainest first."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from parity.readings.optimizer.fit import Hypothesis
from parity.readings.optimizer.rules import Bias, ClipKind, Rule

MOMENTS = ("epsilon", "beta_1", "beta_2")
CLIPS: tuple[ClipKind, ...] = ("value", "norm", "global norm")


def plain() -> Iterator[Hypothesis]:
    """Every family, without clipping and coupled decay."""
    yield from common()
    yield Hypothesis(Rule("SGD"), ("momentum", "dampening"))
    for last in (True, False):
        rule = Rule("RMSprop", epsilon_last=last)
        for centered, inside in ((False, False), (False, True), (True, False), (True, True)):
            varied = replace(rule, centered=centered, rate_inside=inside)
            if centered and not inside:
                yield Hypothesis(varied, ("epsilon", "beta_2"))
            yield Hypothesis(varied, ("epsilon", "beta_2", "momentum"))
    yield Hypothesis(Rule("Adagrad", epsilon_last=True), ("epsilon", "accumulator"))
    for last in (True, False):
        yield Hypothesis(Rule("Adam", amsgrad=True, epsilon_last=last), MOMENTS)


def common() -> Iterator[Hypothesis]:
    """The members of each family that are met most."""
    yield Hypothesis(Rule("SGD"))
    for nesterov in (False, True):
        for inside in (False, True):
            rule = Rule("SGD", nesterov=nesterov, rate_inside=inside)
            yield Hypothesis(rule, ("momentum",))
    for last in (True, False):
        yield Hypothesis(Rule("RMSprop", epsilon_last=last), ("epsilon", "beta_2"))
    for last in (True, False):
        yield Hypothesis(Rule("Adagrad", epsilon_last=last), ("epsilon",))
    for last in (True, False):
        yield Hypothesis(Rule("Adam", epsilon_last=last), MOMENTS)
    for decay in (0.004, 1.0):
        yield Hypothesis(Rule("Nadam", momentum_decay=decay, epsilon_last=True), MOMENTS)


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


def decayed(hypotheses: Iterable[Hypothesis]) -> Iterator[Hypothesis]:
    """With the decay that the linear part of a fit does not cover."""
    for matrices in (False, True):
        for hypothesis in hypotheses:
            rule = replace(hypothesis.rule, decay_matrices=matrices)
            if matrices:
                yield replace(hypothesis, rule=rule)
            coupled = replace(rule, decay_kind="coupled")
            yield replace(hypothesis, rule=coupled, free=("decay", *hypothesis.free))


def clipped(
    hypotheses: Iterable[Hypothesis], kinds: tuple[ClipKind, ...] = CLIPS
) -> Iterator[Hypothesis]:
    """With each kind of gradient clipping."""
    for hypothesis in hypotheses:
        for kind in kinds:
            yield Hypothesis(
                replace(hypothesis.rule, clip_kind=kind),
                ("clip", *hypothesis.free),
                # Else the rates of the steps would take up what the norm of all gradients does.
                tied=kind == "global norm",
            )


def repeated(hypotheses: Iterable[Hypothesis]) -> Iterator[Hypothesis]:
    """Applied twice in each step."""
    for hypothesis in hypotheses:
        yield replace(hypothesis, rule=replace(hypothesis.rule, repeats=2), tied=True)


def neighbours(rule: Rule) -> Iterator[Hypothesis]:
    """The rule itself, and with another clipping or decay."""
    rule = replace(rule, frozen=frozenset())
    yield Hypothesis(rule)
    # Where everything is clipped, epsilon is known only relative to the threshold.
    free = ("clip",) if rule.family == "SGD" else ("clip", "epsilon")
    for kind in CLIPS:
        for epsilon in (0.0, 1e-6) if kind != "value" else (0.0,):
            other = replace(rule, clip_kind=kind, clip_epsilon=epsilon)
            yield Hypothesis(other, free, tied=kind == "global norm")
    for matrices in (False, True):
        other = replace(rule, decay_kind="coupled", decay_matrices=matrices)
        yield Hypothesis(other, ("decay",))
