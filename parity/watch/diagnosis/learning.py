"""Causes in how it is learned: initial weights, rates, gradients."""

import numpy as np

from parity.watch.diagnosis.case import BARELY_MOVED, Case, Finding, dead_from


def rate_of_zero(case: Case) -> Finding | None:
    """No step has a length."""
    if case.symptoms.learning_rate != 0:
        return None
    return Finding(
        "the learning rate is zero",
        f"{case.symptoms.step:,} steps at a rate of 0",
        "Set the learning rate, 0.001 for Adam or 0.1 for SGD, and look at the schedule",
    )


def zero_weights(case: Case) -> Finding | None:
    """Units that start alike stay alike."""
    zero = [layer.name for layer in case.symptoms.layers if layer.initial_deviation == 0]
    if not zero:
        return None
    return Finding(
        "initial weights are all the same",
        f"{', '.join(zero)} started with a standard deviation of 0, so that all units of a layer "
        "stay alike",
        "Draw the initial weights at random: Glorot or He",
    )


def dead_at_start(case: Case) -> Finding | None:
    """Units that no image could switch on before training."""
    layers = dead_from(case, 0.9, at_start=True)
    if not layers:
        return None
    return Finding(
        "ReLU units are dead from the start",
        f"units after {', '.join(layers)} were 0 for every image before the first step",
        "Start with zero biases and random weights",
    )


def frozen(case: Case) -> Finding | None:
    """Weights that are what they were, at a learning rate above zero."""
    symptoms = case.symptoms
    frozen = [layer.name for layer in symptoms.layers if layer.change == 0]
    if not frozen or symptoms.step == 0 or symptoms.learning_rate == 0 or dead_from(case, 1):
        return None
    return Finding(
        "weights are never updated",
        f"{', '.join(frozen)} {'is' if len(frozen) == 1 else 'are'} what "
        f"{'it was' if len(frozen) == 1 else 'they were'} {symptoms.step:,} steps ago",
        "Hand all parameters to the optimiser, and take nothing out of the graph",
    )


def _usual_rate(case: Case) -> float:
    """A learning rate above which most networks diverge."""
    return 0.5 if "sgd" in case.symptoms.optimizer.lower() else 0.02


def rate_too_high(case: Case) -> Finding | None:
    """A bad end, at a rate at which most networks end badly."""
    rate = case.symptoms.learning_rate
    if rate is None or not case.sick or rate <= _usual_rate(case):
        return None
    if not case.finite:
        outcome = "logits that are not finite"
    elif case.loss is None:
        outcome = "a collapse"
    else:
        outcome = f"a loss of {case.loss:.3g}; knowing nothing costs {case.entropy:.3g}"
    return Finding(
        "the learning rate is too high",
        f"{case.symptoms.optimizer} at {rate:g} has come to {outcome}",
        "Divide it by ten until the loss falls from the first steps on",
    )


def rate_too_low(case: Case) -> Finding | None:
    """A bad end, with weights that have hardly moved."""
    symptoms = case.symptoms
    changes = [layer.change for layer in symptoms.layers]
    rate = symptoms.learning_rate
    if not case.sick or rate is None or not changes or not 0 < max(changes) < BARELY_MOVED:
        return None
    return Finding(
        "the learning rate is too low, or training too short",
        f"{symptoms.step:,} steps at {rate:g} changed the weights by "
        f"{max(changes):.2g} of their norm at most",
        "Raise the learning rate tenfold until the loss falls within the first hundred steps",
    )


def uphill(case: Case) -> Finding | None:
    """A loss far above that of knowing nothing, on the training images themselves."""
    symptoms = case.symptoms
    if not case.sick or case.entropy == 0 or symptoms.learning_rate is None:
        return None
    train_loss = np.inf if symptoms.train_loss is None else symptoms.train_loss
    if train_loss <= 2 * case.entropy or (case.loss or np.inf) < 2 * case.entropy:
        return None
    return Finding(
        "the loss is driven up: the sign of the loss or of the update is wrong",
        f"at a usual learning rate ({symptoms.learning_rate:g}) the training loss is "
        f"{train_loss:.3g}; knowing nothing costs {case.entropy:.3g}",
        "Minimise the loss: check for a minus sign, and for gradients added to the weights",
    )


def not_finite(case: Case) -> Finding | None:
    """Logits that are not numbers."""
    if case.finite:
        return None
    bad = float((~np.isfinite(case.logits)).any(axis=1).mean())
    return Finding(
        "the network has diverged: its logits are not finite",
        f"those of {bad:.1%} of the images, whose predicted class is therefore 0 or arbitrary",
        "Scale the pixels to 0..1 and lower the learning rate",
    )


def dead(case: Case) -> Finding | None:
    """Units that no image switches on any more."""
    layers = [layer for layer in case.symptoms.layers if (layer.dead or 0) >= 0.9]
    if not layers or not case.sick:
        return None
    shares = ", ".join(f"{layer.dead:.0%} after {layer.name}" for layer in layers)
    return Finding(
        "dead ReLUs: units are 0 for every image and cannot learn any more",
        shares,
        "Scale the pixels to 0..1, lower the learning rate, or use another activation",
    )
