"""Causes in how it is learned: order, initial weights, rates, gradients."""

import numpy as np

from parity.watch.diagnosis import rule
from parity.watch.diagnosis.case import LIMITS, Case, dead_from
from parity.watch.diagnosis.rule import Match, Rule

BARELY_MOVED = 0.01
"""Change of the weights, relative to their norm, that a training exceeds in a hundred steps."""
RISING = 4
"""Looks in a row at each of which the loss must be higher than before."""


def sorted_training(case: Case) -> Match | None:
    """Batches of one class each: right on them, and on nothing else."""
    gap = case.symptoms.early_gap
    assert gap is not None
    # Moving averages of batch normalisation lag behind too, in trainings that end well.
    if gap < (0.75 if case.learned else 0.5):
        return None
    return Match(
        "the training images come sorted by class and are not shuffled",
        f"in the first epoch the network was right on {gap:.0%} more of a training batch than of "
        "the validation images: it knows the class of the moment",
    )


def rate_of_zero(case: Case) -> Match | None:
    """No step has a length."""
    if case.symptoms.learning_rate != 0:
        return None
    return Match("the learning rate is zero", f"{case.symptoms.step:,} steps at a rate of 0")


def zero_weights(case: Case) -> Match | None:
    """Units that start alike stay alike."""
    zero = [layer.name for layer in case.symptoms.layers if layer.initial_deviation == 0]
    if not zero:
        return None
    return Match(
        "initial weights are all the same",
        f"{', '.join(zero)} started with a standard deviation of 0, so that all units of a layer "
        "stay alike",
    )


def dead_at_start(case: Case) -> Match | None:
    """Units that no image could switch on before training."""
    layers = dead_from(case, 0.9, at_start=True)
    if not layers:
        return None
    return Match(
        "ReLU units are dead from the start",
        f"units after {', '.join(layers)} were 0 for every image before the first step",
    )


def frozen(case: Case) -> Match | None:
    """Weights that are what they were, at a learning rate above zero."""
    symptoms = case.symptoms
    frozen = [layer.name for layer in symptoms.layers if layer.change == 0]
    if not frozen or symptoms.learning_rate == 0 or dead_from(case, 1):
        return None
    return Match(
        "weights are never updated",
        f"{', '.join(frozen)} {'is' if len(frozen) == 1 else 'are'} what "
        f"{'it was' if len(frozen) == 1 else 'they were'} {symptoms.step:,} steps ago",
    )


def _usual_rate(case: Case) -> float:
    """A learning rate above which most networks diverge."""
    return 0.5 if "sgd" in case.symptoms.optimizer.lower() else 0.02


def rate_too_high(case: Case) -> Match | None:
    """Diverged or dead, at a rate at which most networks end so."""
    rate = case.symptoms.learning_rate
    assert rate is not None
    if rate <= _usual_rate(case):
        return None
    if not case.finite:
        outcome = "logits that are not finite"
    elif case.loss is not None and case.loss > 2 * case.entropy:
        outcome = f"a loss of {case.loss:.3g}; knowing nothing costs {case.entropy:.3g}"
    elif dead_from(case, 0.9):
        outcome = "dead units"
    else:
        return None
    return Match(
        "the learning rate is too high",
        f"{case.symptoms.optimizer} at {rate:g} has come to {outcome}",
    )


def rate_too_low(case: Case) -> Match | None:
    """Weights that have hardly moved, in a hundred steps or at the pace of the few there were."""
    symptoms = case.symptoms
    change = max(layer.change for layer in symptoms.layers)
    allowed = BARELY_MOVED * min(1.0, symptoms.step / LIMITS.steps)
    learned = case.accuracy is not None and not (case.signs or case.ill or case.young)
    if learned or not 0 < change < allowed:
        return None
    return Match(
        "the learning rate is too low, or training too short",
        f"{symptoms.step:,} steps at {symptoms.learning_rate:g} changed the weights by "
        f"{change:.2g} of their norm at most",
    )


def uphill(case: Case) -> Match | None:
    """A loss that rises from look to look, at a usual rate, far above that of knowing nothing."""
    symptoms = case.symptoms
    assert symptoms.learning_rate is not None
    readings = [reading for reading in symptoms.readings if not reading["broken"]]
    losses = [reading["loss"] for reading in readings if reading["loss"] is not None]
    last = losses[-RISING - 1 :]
    rising = len(last) > RISING and bool((np.diff(last) > 0).all())
    usual = 0 < symptoms.learning_rate <= _usual_rate(case)
    ended_badly = not case.finite or (case.loss or 0.0) > 2 * case.entropy
    if not (rising and usual and ended_badly) or last[-1] <= 1.2 * case.entropy:
        return None
    return Match(
        "the loss is driven up: the sign of the loss or of the update is wrong",
        f"at a usual learning rate ({symptoms.learning_rate:g}) and on sound pixels the loss rose "
        f"at every look: {', '.join(f'{loss:.3g}' for loss in last)}; knowing nothing costs "
        f"{case.entropy:.3g}",
    )


def dead(case: Case) -> Match | None:
    """Units that no image switches on any more."""
    layers = [layer for layer in case.symptoms.layers if (layer.dead or 0) >= 0.9]
    if not layers:
        return None
    said = ", ".join(f"{layer.dead:.0%} after {layer.name}" for layer in layers)
    return Match(rule.DEAD, said)


RULES = (
    Rule(
        "sorted training",
        (rule.EARLY,),
        sorted_training,
        "Shuffle the training images anew each epoch",
        explains=("uphill", "unrelated labels", "class frequencies"),
        also_of_sound_models=True,
    ),
    Rule(
        "rate of zero",
        (rule.RATE, rule.STEPS),
        rate_of_zero,
        "Set the learning rate, 0.001 for Adam or 0.1 for SGD, and look at the schedule",
        explains=("frozen", "untrained", "class frequencies", "unrelated labels"),
        also_of_sound_models=True,
    ),
    Rule(
        "zero weights",
        (rule.LAYERS,),
        zero_weights,
        "Draw the initial weights at random: Glorot or He",
        explains=(
            "dead at start",
            "frozen",
            "rate too low",
            "dead",
            "class frequencies",
            "unrelated labels",
        ),
        of_training=True,
    ),
    Rule(
        "dead at start",
        (rule.LAYERS,),
        dead_at_start,
        "Start with zero biases and random weights",
        explains=("frozen", "rate too low", "dead", "class frequencies"),
        of_training=True,
    ),
    Rule(
        "frozen",
        (rule.LAYERS, rule.STEPS, rule.RATE),
        frozen,
        "Hand all parameters to the optimiser, and take nothing out of the graph",
        explains=("rate too low", "unrelated labels", "untrained", "class frequencies"),
        of_training=True,
    ),
    Rule(
        "rate too high",
        (rule.RATE, rule.STEPS),
        rate_too_high,
        "Divide it by ten until the loss falls from the first steps on",
        explains=("not finite", "dead", "class frequencies", "unrelated labels"),
        of_training=True,
    ),
    Rule(
        "rate too low",
        (rule.LAYERS, rule.STEPS, rule.RATE),
        rate_too_low,
        "Raise the learning rate tenfold until the loss falls within the first hundred steps",
        explains=("untrained", "class frequencies", "unrelated labels"),
        of_training=True,
    ),
    Rule(
        "uphill",
        (rule.RATE, rule.COURSE, rule.INTENDED, rule.FED),
        uphill,
        "Minimise the loss: check for a minus sign, and for gradients added to the weights",
        explains=("not finite", "dead", "class frequencies", "unrelated labels", "negated"),
        of_training=True,
    ),
    Rule(
        "dead",
        (rule.LAYERS,),
        dead,
        "Scale the pixels to 0..1, lower the learning rate, or use another activation",
        explains=("class frequencies", "unrelated labels"),
        of_training=True,
    ),
)
