"""Causes in who answers: which weights, in which mode, and whether they have learned."""

import numpy as np

from parity.watch.diagnosis import rule
from parity.watch.diagnosis.case import Case
from parity.watch.diagnosis.figures import SURE, Floats, standard_error
from parity.watch.diagnosis.rule import Match, Rule

CONSTANT = 0.05
"""Range of each class's probability over the images below which all get the same answer."""

LEARNED = 0.75
"""Share of the classes that are likelier where they are true, beyond which this is no chance: more
than seven of ten, which untrained networks come to in 1 of 18."""

NEAR = 0.1
"""Accuracy above or below chance that initial weights come to: whatever they prefer, some classes
look more like it than others. Measured on MNIST: 0.02 to 0.21 where chance gives 0.1."""

COMMON = 0.75
"""How much all logits of an image vary together, in units of how much each varies by itself, in
initial weights. Cross-entropy leaves what they have in common as it was, since its gradient adds up
to 0 over the classes, and makes the rest grow. Measured on MNIST: 0.5 to 2.6 of initial weights,
0.05 to 0.6 after an epoch of 1,000 images, whatever the network is then fed."""

PREFERS = 0.35
"""Total variation between the classes answered and those that occur. Measured on the embedded
digits: 0.4 to 0.9 of initial weights, 0.1 to 0.4 once random labels have been learned for long."""


def stale(case: Case) -> Match | None:
    """The weights that answered are the initial ones, though others were trained."""
    layers = case.symptoms.layers
    if not any(layer.change > 0 and layer.evaluated_change == 0 for layer in layers):
        return None
    return Match(
        "stale weights: another model answered than was trained",
        "the weights that answered are the initial ones, though training changed them",
    )


def not_repeatable(case: Case) -> Match | None:
    """Two answers to the same images."""
    difference = case.symptoms.repeat_difference
    assert difference is not None
    scale = float(np.abs(case.logits).mean()) if case.finite else 1.0
    if not difference > 1e-3 * max(1.0, scale):
        return None
    return Match(
        "dropout was left on: the model answers in training mode",
        f"the same images, asked twice, give logits that differ by up to {difference:.2g}",
    )


def untrained(case: Case) -> Match | None:
    """What a network says before its first step: vague, and its own in what it prefers."""
    shares, accuracy = case.label_shares, case.accuracy
    assert case.labels is not None
    assert shares is not None
    assert accuracy is not None
    trained = any(layer.change > 0 for layer in case.symptoms.layers)
    if not case.finite or trained or case.classes < 3:
        return None
    probabilities = np.exp(case.log_probabilities)
    vague = float(-(probabilities * case.log_probabilities).sum(axis=1).mean())
    even = float(np.log(case.classes))
    count = len(case.labels)
    answered = np.bincount(case.predicted, minlength=case.classes) / count
    by_chance = float(answered @ shares)
    at_chance = abs(accuracy - by_chance) < max(SURE * standard_error(by_chance, count), NEAR)
    own = float(np.abs(probabilities.mean(axis=0) / shares.clip(1 / count) - 1).max())
    if not at_chance or vague < 0.75 * even or case.spread < 1e-3 or own < 0.1 or count < 100:
        return None
    if _favours_the_truth(case) or _common(case.logits.astype(np.float64)) < COMMON:
        return None
    totals = np.log(np.exp(case.logits.astype(np.float64)).sum(axis=1))
    if case.logits.min() >= 0 or np.abs(totals).max() < even / 2:
        return None  # no logits: shares, or their logarithms, have nothing in common left
    preferred = np.flatnonzero(answered)
    assert case.loss is not None
    if len(preferred) < 2 or np.abs(answered - shares).sum() / 2 < PREFERS:
        return None
    return Match(
        "the weights look initial: an untrained network answers so, or one that learned nothing",
        f"accuracy {accuracy:.1%} where chance gives {by_chance:.1%}; a mean confidence of "
        f"{probabilities.max(axis=1).mean():.0%}, and a loss of {case.loss:.3g} where knowing "
        f"nothing costs {even:.3g}; it answers with "
        f"{len(preferred)} of {case.classes} classes ({', '.join(map(str, preferred[:10]))})",
    )


def _favours_the_truth(case: Case) -> bool:
    """Whether most classes are likelier where they are true: something was learned, if little."""
    assert case.labels is not None
    probabilities = np.exp(case.log_probabilities)
    usual = probabilities.mean(axis=0)
    present = np.unique(case.labels)
    likelier = [probabilities[case.labels == c, c].mean() > usual[c] for c in present]
    gain = probabilities[np.arange(len(probabilities)), case.labels] - usual[case.labels]
    sure = gain.mean() > SURE * gain.std() / np.sqrt(len(gain))
    return bool(sure and np.mean(likelier) > LEARNED)


def _common(logits: Floats) -> float:
    """Variance of the logits' mean over the classes, by what it is for independent logits."""
    centred: Floats = logits - logits.mean(axis=0)
    together: Floats = centred.mean(axis=1, keepdims=True)
    apart = float(((centred - together) ** 2).mean()) / (logits.shape[1] - 1)
    share: float = (together**2).mean() / max(apart, 1e-300)
    return share


def class_frequencies(case: Case) -> Match | None:
    """The same answer to every image: how often each class occurs in training."""
    frequencies = case.training_shares
    assert frequencies is not None
    if not case.finite or case.spread >= CONSTANT:
        return None
    mean = np.exp(case.log_probabilities).mean(axis=0)
    counts = np.bincount(case.predicted, minlength=case.classes)
    top = int(counts.argmax())
    if np.abs(mean - frequencies).max() > 0.05 or counts[top] < 0.95 * counts.sum():
        return None
    return Match(
        "the network has learned only how often each class occurs",
        f"its answers vary by {case.spread:.2g} of probability between images and are the training "
        f"labels' shares: {counts[top] / counts.sum():.1%} of them are class {top}, which "
        f"{frequencies[top]:.2%} of the training labels are",
    )


RULES = (
    Rule(
        "stale",
        (rule.LAYERS,),
        stale,
        "Load the checkpoint that this training wrote",
        explains=("untrained", "class frequencies"),
    ),
    Rule(
        "not repeatable",
        (rule.REPEAT,),
        not_repeatable,
        "Call eval() (torch) or leave training=False (Keras) before predicting",
        also_of_sound_models=True,
    ),
    Rule(
        "untrained",
        (rule.SCORES, rule.LABELS),
        untrained,
        "Load the weights that training wrote, before predicting; if these are they, look at the "
        "run directory of the training",
        explains=("class frequencies",),
    ),
    Rule(
        "class frequencies",
        (rule.SCORES, rule.TRAINING_CLASSES),
        class_frequencies,
        "Find out why it cannot see its inputs: pixels, dead units, a layer that is cut off",
    ),
)
