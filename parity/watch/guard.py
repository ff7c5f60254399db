"""Watches a training: collects symptoms, knows when to look, and decides (numpy only)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.watch.alarm import Alarm, Reaction
from parity.watch.collapse import CollapseLimits
from parity.watch.diagnosis import Case, diagnose
from parity.watch.fingerprint import Fingerprint
from parity.watch.pixels.change import change
from parity.watch.reading import dead_layers, smothered
from parity.watch.symptoms import Layer, Symptoms, Weights, changes_of

Floats = NDArray[np.floating[Any]]

ENOUGH = 32
"""Images from which on the accuracy of a batch means something."""
PROBE = 128
"""Validation images that are looked at within an epoch."""
LIMITS = CollapseLimits()


class Guard:
    """The part of a collapse guard that needs no framework.

    Args:
        run_dir: Where evidence is kept; None keeps none.
        reaction: "stop" raises `CollapsedError`, "warn" prints and goes on.
        trained: Symptoms of the training whose model is only tested.
        go_on: What to write for the other reaction.
    """

    def __init__(
        self,
        run_dir: Path | None,
        reaction: Reaction,
        trained: Symptoms | None = None,
        *,
        go_on: str = "--guard warn",
    ) -> None:
        self.alarm = Alarm(run_dir, reaction, go_on)
        self.symptoms = trained or Symptoms()
        self.counts_epochs = True
        """False where a training does not say when an epoch ends."""
        self.seen: Callable[..., None] | None = None
        """Is told of each look, as `parity.watch.story.Story.see`."""
        self._initial: Weights = {}
        self._dead_before: dict[str, float] = {}
        self._said = False
        self._fed_otherwise = False

    _KEPT = ("_dead_before", "_said", "_fed_otherwise")

    def start(
        self,
        *,
        labels: NDArray[np.int64] | None,
        classes: int,
        raw: NDArray[Any] | None,
        preprocessing: dict[str, Any] | None,
        fed: Floats | None,
        weights: Weights,
        dead: dict[str, float],
        optimizer: str,
    ) -> None:
        """Measure what is there before the first step.

        Args:
            labels: int64 [N], of the training images; None where classes are not told apart.
            classes: C.
            raw: Training images [N, H, W]; None where they are no images.
            preprocessing: As in the run record; None where what it is meant to be is not known.
            fed: The same images as the network gets them, [N, H, W].
            weights: Of each layer.
            dead: Share of dead ReLU units by layer.
            optimizer: Name of its class.
        """
        symptoms = self.symptoms
        if labels is not None:
            symptoms.class_counts = np.bincount(labels, minlength=classes).tolist()
        self.alarm.pictures = raw is not None or fed is not None
        symptoms.see_training(raw, preprocessing, fed)
        symptoms.optimizer = optimizer
        symptoms.layers = Layer.before_training(weights, dead)
        if symptoms.intended is not None and symptoms.trained_on is not None:
            self._fed_otherwise = change(symptoms.intended, symptoms.trained_on) is not None
        self._initial = {name: values.copy() for name, values in weights.items()}

    def state(self) -> dict[str, Any]:
        """What `restore` needs to go on as if nothing had been interrupted."""
        kept = {name: getattr(self, name) for name in self._KEPT}
        return {"symptoms": self.symptoms.text(), "initial": dict(self._initial), **kept}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave, instead of `start`."""
        self.symptoms = Symptoms.parse(state["symptoms"])
        self._initial = dict(state["initial"])
        for name in self._KEPT:
            setattr(self, name, state[name])

    @staticmethod
    def looks_after(step: int) -> bool:
        """Whether to call `after_step`: after 1, 2, 4, 8, ... steps."""
        return step > 0 and step & (step - 1) == 0

    def after_step(
        self,
        step: int,
        *,
        labels: NDArray[np.int64] | None,
        logits: Floats,
        dead: dict[str, float],
        batch_accuracy: float | None,
        train_loss: float,
        learning_rate: float,
        weights: Callable[[], Weights],
    ) -> None:
        """Look for what cannot get better: values that are not finite, layers that are dead.

        A layer must be dead twice in a row: momentum may bring it back.

        Args:
            step: Updates of the weights so far.
            labels: int64 [P], of the probe; None where classes are not told apart.
            logits: float [P, C], or what else the network answers.
            dead: Share of dead ReLU units by layer.
            batch_accuracy: Of a training batch before it is learned, unless it is a small one.
            train_loss: Of training batches.
            learning_rate: Of the last step.
            weights: Gives them as they are now; asked on a collapse only.

        Raises:
            CollapsedError: a collapse, where the reaction is to stop.
        """
        if labels is not None and batch_accuracy is not None:
            self.symptoms.note_gap(labels, logits, batch_accuracy)
        signs = self.symptoms.look(step, labels, logits, dead).signs(settled=False)
        twice = {name: dead[name] for name in dead if self._dead_before.get(name) == 1}
        signs += dead_layers(twice)
        self._dead_before = dead
        if self.seen is not None:
            self.seen(step, labels, logits, dead, weights(), self._initial)
        if signs:
            self.symptoms.step = step
            self.symptoms.measure(weights(), self._initial, dead, learning_rate, train_loss)
            self._collapsed(signs, labels, logits, np.arange(len(logits)))

    def after_epoch(
        self,
        epoch: int,
        step: int,
        *,
        labels: NDArray[np.int64] | None,
        logits: Floats,
        sample_ids: NDArray[np.int64],
        dead: dict[str, float],
        weights: Weights,
        learning_rate: float,
        train_loss: float,
        train_accuracy: float | None,
    ) -> None:
        """Measure, look for a collapse, and keep the symptoms.

        Args: as of `after_step`, of N validation images and of this epoch, and
            epoch: Finished epochs.
            sample_ids: int64 [N].
            weights: As they are now.
            train_accuracy: Of this epoch, where it is known.

        Raises:
            CollapsedError: a collapse, where the reaction is to stop.
        """
        symptoms = self.symptoms
        symptoms.epoch, symptoms.step = epoch, step
        symptoms.train_accuracy = train_accuracy
        if labels is not None:
            symptoms.note_validation(labels, logits)
        symptoms.measure(weights, self._initial, dead, learning_rate, train_loss)
        patience = LIMITS.steps if self._fed_otherwise else LIMITS.patience
        reading = symptoms.look(step, labels, logits, dead)
        signs = dead_layers(dead) + reading.signs(settled=step >= patience, limits=LIMITS)
        if labels is not None:
            signs = signs or smothered(dead, reading, LIMITS)
        if self.seen is not None:
            self.seen(step, labels, logits, dead, weights, self._initial)
        if signs:
            self._collapsed(signs, labels, logits, sample_ids)
        self.alarm.keep(symptoms)

    def after_test(
        self,
        *,
        labels: NDArray[np.int64],
        logits: Floats,
        seen: Floats,
        weights: Weights,
        repeat_difference: float,
    ) -> None:
        """Measure how the test set was answered, and say so where nothing was seen in it.

        Args:
            labels: int64 [N], of the test images.
            logits: float [N, C].
            seen: Test images as the network got them, [N, H, W].
            weights: That answered.
            repeat_difference: Largest difference between logits of the same images, asked twice.

        Raises:
            CollapsedError: what was trained here has collapsed, and the reaction is to stop.
        """
        self.symptoms.seen = Fingerprint.of(seen)
        self.symptoms.repeat_difference = repeat_difference
        if self._initial:
            changes = changes_of(weights, self._initial)
            for layer in self.symptoms.layers:
                layer.evaluated_change = changes[layer.name]
        self.alarm.keep(self.symptoms)
        case = Case(logits, labels, self.symptoms)
        if not case.signs or self._said:
            return
        findings = diagnose(case)
        # A young network without a cause may have been about to learn.
        stop = bool(self._initial) and (bool(findings) or not case.young)
        stop = stop and case.collapsed_as_trained
        self.alarm.sound(case.signs, findings, "on the test set", stop=stop)

    def _collapsed(
        self,
        signs: list[str],
        labels: NDArray[np.int64] | None,
        logits: Floats,
        ids: NDArray[np.int64],
    ) -> None:
        if self._said:
            return
        self._said = True
        symptoms = self.symptoms
        symptoms.collapsed_at, symptoms.signs = (symptoms.epoch, symptoms.step), signs
        # What is known of causes is about classes.
        findings = [] if labels is None else diagnose(Case(logits, labels, symptoms))
        symptoms.causes = [finding.cause for finding in findings]
        self.alarm.keep(symptoms)
        if labels is not None:
            self.alarm.keep_answers(labels, logits, ids)
        when = f"in epoch {symptoms.epoch or 1}, " if self.counts_epochs else ""
        self.alarm.sound(signs, findings, when + f"after {symptoms.step:,} steps", stop=True)
