"""Watches a training for collapse: what both sides' callbacks hand their measurements to (numpy).

It collects symptoms, knows when to look, decides, keeps the evidence and says why.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from parity.run_record import Predictions
from parity.watch.collapse import CollapseLimits, dead_layers, smothered
from parity.watch.diagnosis import Case, Finding, diagnose
from parity.watch.fingerprint import Fingerprint, intended
from parity.watch.pixels.change import change
from parity.watch.symptoms import Layer, Symptoms, Weights, changes_of

Floats = NDArray[np.floating[Any]]
Reaction = Literal["stop", "warn", "off"]

COLLAPSE_FILE = "collapse.npz"
"""The validation answers in which the guard saw the collapse, in the form of predictions.npz."""
ENOUGH = 32
"""Images from which on the accuracy of a batch means something."""
PROBE = 128
"""Validation images that are looked at within an epoch."""
LIMITS = CollapseLimits()


class CollapsedError(RuntimeError):
    """The guard has stopped a training; the message has the signs and the diagnosis."""


class Guard:
    """The part of a collapse guard that needs no framework.

    Args:
        run_dir: Where evidence is kept.
        reaction: "stop" raises `CollapsedError`, "warn" prints and goes on.
        trained: Symptoms of the training whose model is only tested.
    """

    def __init__(self, run_dir: Path, reaction: Reaction, trained: Symptoms | None = None) -> None:
        self.run_dir = run_dir
        self.reaction = reaction
        self.symptoms = trained or Symptoms()
        self.writes = True
        """False on all processes but one."""
        self._initial: Weights = {}
        self._dead_before: dict[str, float] = {}
        self._said = False
        self._fed_otherwise = False

    def start(
        self,
        *,
        labels: NDArray[np.int64],
        classes: int,
        raw: NDArray[np.uint8],
        preprocessing: dict[str, Any],
        fed: Floats,
        weights: Weights,
        dead: dict[str, float],
        optimizer: str,
    ) -> None:
        """Measure what is there before the first step.

        Args:
            labels: int64 [N], of the training images.
            classes: C.
            raw: Training images [N, H, W].
            preprocessing: What it is meant to be, as in the run record.
            fed: The same images as the network gets them, [N, H, W].
            weights: Of each layer, two-dimensional.
            dead: Share of dead ReLU units by layer.
            optimizer: Name of its class.
        """
        symptoms = self.symptoms
        symptoms.class_counts = np.bincount(labels, minlength=classes).tolist()
        symptoms.raw = Fingerprint.of(raw)
        symptoms.intended = Fingerprint.of(intended(raw, preprocessing))
        symptoms.trained_on = Fingerprint.of(fed)
        symptoms.optimizer = optimizer
        symptoms.layers = [
            Layer(name, float(values.std()), dead_at_start=dead.get(name), dead=dead.get(name))
            for name, values in weights.items()
        ]
        self._fed_otherwise = change(symptoms.intended, symptoms.trained_on) is not None
        self._initial = {name: values.copy() for name, values in weights.items()}

    @staticmethod
    def looks_after(step: int) -> bool:
        """Whether to call `after_step`: after 1, 2, 4, 8, ... steps."""
        return step > 0 and step & (step - 1) == 0

    def after_step(
        self,
        step: int,
        *,
        labels: NDArray[np.int64],
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
            labels: int64 [P], of the probe.
            logits: float [P, C].
            dead: Share of dead ReLU units by layer.
            batch_accuracy: Of a training batch before it is learned, unless it is a small one.
            train_loss: Of training batches.
            learning_rate: Of the last step.
            weights: Gives them as they are now; asked on a collapse only.

        Raises:
            CollapsedError: a collapse, where the reaction is to stop.
        """
        if batch_accuracy is not None and self.symptoms.trained_on_classes_like(labels):
            gap = batch_accuracy - float((logits.argmax(axis=1) == labels).mean())
            self.symptoms.early_gap = max(self.symptoms.early_gap or 0.0, gap)
        signs = self.symptoms.look(step, labels, logits, dead).signs(settled=False)
        signs += dead_layers(
            {name: dead[name] for name in dead if self._dead_before.get(name) == 1}
        )
        self._dead_before = dead
        if signs:
            self.symptoms.step = step
            self.symptoms.measure(weights(), self._initial, dead, learning_rate, train_loss)
            self._collapsed(signs, labels, logits, np.arange(len(labels)))

    def after_epoch(
        self,
        epoch: int,
        step: int,
        *,
        labels: NDArray[np.int64],
        logits: Floats,
        sample_ids: NDArray[np.int64],
        dead: dict[str, float],
        weights: Weights,
        learning_rate: float,
        train_loss: float,
        train_accuracy: float,
    ) -> None:
        """Measure, look for a collapse, and keep the symptoms.

        Args:
            epoch: Finished epochs.
            step: Updates of the weights so far.
            labels: int64 [N], of the validation images.
            logits: float [N, C].
            sample_ids: int64 [N].
            dead: Share of dead ReLU units by layer.
            weights: As they are now.
            learning_rate: Of this epoch.
            train_loss: Of this epoch.
            train_accuracy: Of this epoch.

        Raises:
            CollapsedError: a collapse, where the reaction is to stop.
        """
        symptoms = self.symptoms
        symptoms.epoch, symptoms.step = epoch, step
        symptoms.train_accuracy = train_accuracy
        symptoms.validation_counts = np.bincount(labels, minlength=logits.shape[1]).tolist()
        right = float((logits.argmax(axis=1) == labels).mean())
        symptoms.best_accuracy = max(symptoms.best_accuracy or 0.0, right)
        symptoms.measure(weights, self._initial, dead, learning_rate, train_loss)
        patience = LIMITS.steps if self._fed_otherwise else LIMITS.patience
        reading = self.symptoms.look(step, labels, logits, dead)
        signs = dead_layers(dead) + reading.signs(settled=step >= patience, limits=LIMITS)
        if signs := signs or smothered(dead, reading, LIMITS):
            self._collapsed(signs, labels, logits, sample_ids)
        if self.writes:
            symptoms.save(self.run_dir)

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
        if self.writes:
            self.symptoms.save(self.run_dir)
        if self._said or not (case := Case(logits, labels, self.symptoms)).signs:
            return
        findings = diagnose(case)
        # A young network without a cause may have been about to learn.
        stop = bool(self._initial) and (bool(findings) or not case.young)
        self._alarm(case.signs, findings, "on the test set", stop=stop)

    def _collapsed(
        self, signs: list[str], labels: NDArray[np.int64], logits: Floats, ids: NDArray[np.int64]
    ) -> None:
        if self._said:
            return
        self._said = True
        symptoms = self.symptoms
        symptoms.collapsed_at = (symptoms.epoch, symptoms.step)
        symptoms.signs = signs
        findings = diagnose(Case(logits, labels, symptoms))
        symptoms.causes = [finding.cause for finding in findings]
        if self.writes:
            symptoms.save(self.run_dir)
            answers = Predictions(labels, np.asarray(logits, np.float32), ids)
            answers.save(self.run_dir, COLLAPSE_FILE)
        when = f"in epoch {symptoms.epoch or 1}, after {symptoms.step:,} steps"
        self._alarm(signs, findings, when, stop=True)

    def _alarm(self, signs: list[str], findings: list[Finding], when: str, *, stop: bool) -> None:
        lines = [f"the network has collapsed {when}: {'; '.join(signs)}"]
        lines += [f"  {n}. {finding}" for n, finding in enumerate(findings, 1)]
        if not findings:
            lines.append("  the cause is not in what was measured")
        if stop and self.reaction == "stop":
            lines.append(f"  evidence: {self.run_dir}; --guard warn goes on all the same")
            raise CollapsedError("\n".join(lines))
        if self.writes:
            print("\n".join(["warning: " + lines[0], *lines[1:]]), file=sys.stderr)
