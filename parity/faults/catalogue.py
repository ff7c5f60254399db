"""The catalogue of known mistakes, and whether each sets off the right alarm.

A side's own ``faults`` module makes the mistakes: ``python -m PACKAGE.faults NAME fit ...``. Here
stands what each must lead to.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.judge.answers import Run, Side
from parity.judge.loading import load_run
from parity.judge.outcome import judge_sides
from parity.judge.verdict import Thresholds, Verdict
from parity.sides.recipe import Recipe
from parity.watch.diagnosis import Case, Finding, diagnose
from parity.watch.symptoms import SYMPTOMS_FILE, Symptoms


@dataclass(frozen=True)
class Fault:
    """A mistake, what the side's faults module calls it, and the cause that must come first.

    `made` is "none" where a setting is the mistake. It is made in one of `recipes`, or `at_test`,
    when a healthy model answers; where it is `harmless` it may make no measurable difference.
    """

    name: str
    made: str
    cause: str
    recipe: str = "adam"
    at_test: bool = False
    learning_rate: float | None = None
    harmless: bool = False


def _trained(made: str, cause: str, recipe: str = "adam", *, harmless: bool = False) -> Fault:
    return Fault(f"{made}, {recipe}", made, cause, recipe, harmless=harmless)


def _fed(made: str, cause: str, *, harmless: bool = False) -> Fault:
    return Fault(f"fed {made}", made, cause, at_test=True, harmless=harmless)


def _rate(recipe: str, rate: float, cause: str) -> Fault:
    return Fault(f"learning rate {rate:g}, {recipe}", "none", cause, recipe, learning_rate=rate)


CATALOGUE = (
    _trained("raw pixels", "not scaled", "sgd"),
    _trained("255 - x", "inverted and not scaled", "sgd"),
    _trained("255 - x", "inverted and not scaled", "rmsprop"),
    _trained("x / 255 / 255", "scaled twice", "sgd"),
    _trained("1 - x / 255 / 255", "inverted and scaled twice", "sgd"),
    _trained("1 - x / 255 / 255", "inverted and scaled twice"),
    _trained("x * 255", "multiplied by 255", "sgd"),
    _trained("blank", "blank"),
    _trained("NaN pixels", "not finite"),
    _trained("transposed", "transposed", harmless=True),
    _trained("-1 to 1", "scaled to -1 to 1", harmless=True),
    _fed("1 - x", "were inverted: "),
    _fed("255 - x", "inverted and not scaled"),
    _fed("x / 255 / 255", "scaled twice"),
    _fed("1 - x / 255 / 255", "inverted and scaled twice"),
    _fed("-1 to 1", "scaled to -1 to 1"),
    _fed("standardised", "standardised differently"),
    _fed("blank", "blank"),
    _fed("NaN pixels", "not finite"),
    _fed("cut to integers", "cut to integers"),
    _fed("wrapped uint8", "wrapped around in uint8"),
    _fed("half size", "smaller digits"),
    _fed("transposed", "transposed"),
    _fed("mirrored", "mirrored"),
    _fed("upside down", "upside down"),
    _fed("raw pixels", "not scaled", harmless=True),
    _fed("half contrast", "scaled by 0.5", harmless=True),
    _fed("columns reversed", "permuted"),
    _fed("dropout on", "dropout was left on"),
    _rate("sgd", 0.0, "learning rate is zero"),
    _rate("sgd", 1e-6, "too low"),
    _rate("sgd", 1e4, "too high"),
    _rate("adam", 3.0, "too high"),
    _trained("no update", "never updated"),
    _trained("gradient ascent", "driven up", "sgd"),
    _trained("zero weights", "initial weights are all the same"),
    _trained("biases of -10", "dead from the start"),
    _trained("initial weights tested", "stale"),
    _trained("labels shuffled", "nothing to do with the images"),
    _trained("labels one image off", "nothing to do with the images"),
    _trained("labels plus one", "labels are shifted by 1"),
    _trained("4 and 9 swapped", "classes 4 and 9 are swapped"),
    _trained("labels all 0", "missing"),
    _trained("no sevens", "missing"),
    _trained("sorted", "sorted"),
    # Keras on TensorFlow finds the logits behind a softmax or sigmoid, and trains on those. ReLU on
    # the logits loses a class or two, or none, by chance of the initial weights.
    _trained("softmax twice", "softmax is applied twice", "sgd", harmless=True),
    _trained("sigmoid", "sigmoid is applied twice", "sgd", harmless=True),
    _trained("ReLU on logits", "ReLU is applied to the logits", "sgd", harmless=True),
)


def recipes(digits: bool) -> dict[str, Recipe]:
    """The healthy trainings that mistakes are made in; the embedded digits take more epochs."""
    length: dict[str, Any] = {"epochs": 20, "batch_size": 32} if digits else {"epochs": 1}
    plain = Recipe(hidden=(128, 64), **length)
    return {
        "adam": replace(plain, dropout=0.3),
        "sgd": replace(plain, optimizer="sgd", learning_rate=0.03),
        "rmsprop": replace(plain, optimizer="rmsprop"),
    }


@dataclass(frozen=True)
class Outcome:
    """What came of a mistake, beside the accuracy `healthy` without it.

    `shares` of each class among the predictions, float [C]; `guard` is what the guard saw, and
    when, empty for nothing; the verdict, with the first of its reasons, is the judge's against the
    healthy model.
    """

    fault: Fault
    accuracy: float
    healthy: float
    shares: NDArray[np.float64]
    guard: str
    verdict: Verdict
    reason: str
    findings: list[Finding]
    symptoms: Symptoms

    @property
    def detected(self) -> bool:
        """By the guard or by the judge."""
        return bool(self.guard) or self.verdict in (Verdict.COLLAPSED, Verdict.DIFFERENT)

    @property
    def named(self) -> bool:
        """Whether the first-named cause is the right one, by the guard too where it spoke."""
        firsts = [finding.cause for finding in self.findings[:1]]
        if self.guard:
            firsts += self.symptoms.causes[:1] or [""]
        return bool(self.findings) and all(self.fault.cause in first for first in firsts)


def outcome(fault: Fault, run_dir: Path, healthy_dir: Path) -> Outcome:
    """Read what a mistake has left, beside the same training without it.

    Raises:
        RunRecordError: a file is missing or breaks the contract.
    """
    run, healthy = load_run(run_dir), load_run(healthy_dir)
    symptoms = Symptoms.load(run_dir / SYMPTOMS_FILE)
    assert run.logits is not None
    sides = Side("healthy", [healthy]), Side(fault.name, [run])
    judged = judge_sides(*sides, Thresholds()).judgement
    guard = ""
    if symptoms.collapsed_at is not None:
        epoch, step = symptoms.collapsed_at
        guard = f"epoch {epoch or 1}, step {step:,}: {symptoms.signs[0]}"
    return Outcome(
        fault=fault,
        accuracy=_accuracy(run),
        healthy=_accuracy(healthy),
        shares=np.bincount(run.predicted, minlength=run.logits.shape[1]) / len(run.predicted),
        guard=guard,
        verdict=judged.verdict,
        reason=judged.reasons[0].removeprefix(f"{fault.name}, {run.name}: "),
        findings=diagnose(Case(run.logits, run.labels, symptoms)),
        symptoms=symptoms,
    )


def _accuracy(run: Run) -> float:
    return float((run.predicted == run.labels).mean())
