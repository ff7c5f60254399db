"""The collapse guard as a callback of Keras: it measures, `parity.watch.guard` decides."""

import math
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from parity.keras.behaviour import beyond_table
from parity.keras.budget import SHARE, Budget
from parity.keras.calls import as_array, undrawn
from parity.keras.first_step import FirstStep
from parity.keras.fit import Fit, ended, fit_of, wrong_way
from parity.keras.held_out import HeldOut
from parity.keras.logs import Logs, accuracy_of, number
from parity.keras.look import Subject
from parity.keras.probe import Probe, batch_of, probe_of
from parity.keras.traced import Traced
from parity.keras.updates import optimizer_of, rate_now
from parity.watch.alarm import Reaction
from parity.watch.check.words import beyond, say
from parity.watch.guard import ENOUGH, PROBE, Guard
from parity.watch.story import Story
from parity.watch.trials.swings import BEGINS

EPOCH_PROBE = 500
"""Samples, at most, that are looked at after each epoch: Keras keeps no answers."""


class CollapseGuard(keras.callbacks.Callback):
    """Stops a training, or warns, once the network no longer looks at its inputs.

    ``model.fit(x, y, callbacks=[CollapseGuard(x, y)])``. It asks the network for some of the
    samples after 1, 2, 4, 8, ... steps of the first epoch, and for more after every epoch, in
    inference; the training does not notice. Looks take 3 % of its time at most: dear ones
    come later. Where no classes are told apart, as in regression, it looks for answers that are not
    finite and for dead layers, and says so.

    Args:
        x: What the network is trained on: array(s) [N, ...], or a ``tf.data.Dataset`` or
            ``keras.utils.PyDataset`` of batches.
        y: Targets, [N] or [N, C]; None for data in batches.
        validation: Samples and targets to look at instead of those of training.
        preprocessing: What it is meant to be, as in a run record.
        reaction: "stop" raises `parity.watch.alarm.CollapsedError`, "warn" prints and goes on.
        run_dir: Folder for evidence.
        guard: Decides instead of one for `reaction` and `run_dir`, by a diagnosis of its own.
        trials: Whether remedies of what looks wrong are tried on a copy, for ten seconds at most.
        report: Folder for ``training.html``: what was fed, answered and said, in pictures.

    Raises:
        OSError: the folder for the report cannot be made.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        validation: tuple[Any, Any] | None = None,
        preprocessing: dict[str, Any] | None = None,
        reaction: Reaction = "stop",
        run_dir: Path | None = None,
        guard: Guard | None = None,
        trials: bool = True,
        report: Path | str | None = None,
    ) -> None:
        super().__init__()
        self.params: dict[str, Any] = {}  # a loop of one's own tells none
        self.guard = guard or Guard(run_dir, reaction, go_on='CollapseGuard(..., reaction="warn")')
        self.preprocessing = preprocessing
        self.first = FirstStep(x, y, trials)
        if guard is None:
            self.guard.alarm.prove = self.first.proved
        self.story = None if report is None else Story(Path(report), self.guard, self.first)
        self.trained = probe_of(x, y, EPOCH_PROBE)
        self.probe = self.trained if validation is None else probe_of(*validation, EPOCH_PROBE)
        self.subject: Subject | None = None
        self.goes_on = False
        """Whether `guard` knows what was there before the first step of a training that goes on."""
        self.epoch = self.steps = self.done = 0
        self.mean_accuracy: float | None = None
        # What a caller's guard keeps must not depend on a clock.
        self.budget = Budget(SHARE if guard is None else math.inf)
        self.due = False
        """Whether a look has been put off."""
        self.held_out = HeldOut()

    def on_train_begin(self, logs: Logs = None) -> None:
        """Measure what is there before the first step."""
        self.subject = None
        if self.trained is None or self.probe is None:
            _say("looks at nothing: these samples can be read only once; give it arrays")
            return
        try:
            with undrawn():
                subject = self._begin(self.trained, self.probe, fit := fit_of(self))
        except Exception as error:  # a model is anyone's code, and must train all the same
            reason = " ".join(str(error).split())[:200]
            _say(f"looks at nothing: the model cannot be asked for these samples ({reason})")
            if (found := beyond_table(self.model, self.trained.x)) is not None:
                say([beyond(*found, "Embedding({}, ...)")])
            return
        self.subject = subject
        self.first.mention(wrong_way(fit.callbacks))
        self.budget.begin()
        if not subject.tells_classes:
            _say(
                "looks for dead layers and for values that are not finite, and at nothing else: "
                "outputs and targets are no classes that exclude each other"
            )

    def _begin(self, trained: Probe, probe: Probe, fit: Fit) -> Subject:
        traced = Traced(self.model)
        seen = traced(trained.x)
        subject = Subject(traced, seen, trained, probe)
        if not self.goes_on:
            self.guard.start(**subject.before(seen), preprocessing=self.preprocessing)
            held = fit.validation if probe is trained else probe
            batch = batch_of(trained, self.params.get("steps") or 0, fit.batch)
            self.first.check(traced, seen, trained, batch, held, fit)
        return subject

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Note which epoch it is."""
        self.epoch, self.steps, self.mean_accuracy = epoch, 0, 0.0

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Look at what other callbacks have set before the first step of an epoch."""
        if batch == 0:
            self.first.begin(self.done + 1)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Look at a few samples in the first steps."""
        before, self.steps = self.steps, batch + 1
        done, self.done = self.done, self.done + self.steps - before
        self.first.look(done, self.done)
        if done == 0 or number(logs, "loss") < 0:
            self.first.weigh(number(logs, "loss"), self.done)
        known = self.first.program is not None  # not where a training goes on
        if self.first.swaying or (known and self.done in BEGINS and self.budget.allows):
            with self.budget.taken():
                self.first.sway(self.done)
        if self.epoch > 0 or self.subject is None:
            return
        accuracy = self._batch_accuracy(before, logs or {})
        new = range(before + 1, self.steps + 1)  # several steps may be taken at a time
        self.due |= any(map(self.guard.looks_after, new))
        if self.due and self.budget.allows:
            self.look(self.steps, accuracy, number(logs, "loss"))

    def look(
        self, step: int, batch_accuracy: float | None = None, train_loss: float = np.nan
    ) -> None:
        """Look at a few samples now, after `step` steps.

        Args:
            step: Since the training began.
            batch_accuracy: Of a training batch before it is learned, where it is known.
            train_loss: Of training batches.

        Raises:
            CollapsedError: the network has collapsed, and the reaction is to stop.
        """
        if self.subject is None:
            return
        self.due = False
        with self.budget.taken():
            self.guard.after_step(
                step,
                **self.subject.now(self.subject.probe.first(PROBE)),
                batch_accuracy=batch_accuracy,
                train_loss=train_loss,
                learning_rate=rate_now(optimizer_of(self.model)),
                weights=self.subject.weights,
            )

    def on_test_begin(self, logs: Logs = None) -> None:
        """Count what is held out."""
        self.held_out.batches = 0

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Count what is held out."""
        self.held_out.batches = batch + 1

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Look at more samples."""
        self.first.leave()
        ends = epoch + 1 == self.params.get("epochs")
        if self.subject is None or not (ends or self.budget.allows):
            return
        optimizer = optimizer_of(self.model)
        with self.budget.taken():
            seen = self.subject.now(self.subject.probe)
            self._look_at_classes(seen, logs or {})
            self.guard.after_epoch(
                epoch + 1,
                self.done if optimizer is None else int(as_array(optimizer.iterations)),
                **seen,
                sample_ids=self.subject.probe.ids,
                weights=self.subject.weights(),
                learning_rate=rate_now(optimizer),
                train_loss=number(logs, "loss"),
                train_accuracy=accuracy_of(logs or {}),
            )

    def _look_at_classes(self, seen: dict[str, Any], logs: dict[str, Any]) -> None:
        """Say so where Keras holds out whole classes."""
        labels = None if self.subject is None or seen["labels"] is None else self.subject.labels
        accuracy, steps, probe = accuracy_of(logs), self.params.get("steps") or 0, self.trained
        if labels is None or accuracy is None or probe is None or self.probe is not probe:
            return
        if probe.batch:
            return
        found = self.held_out.look(labels, probe.ids, seen["logits"], accuracy, steps)
        if found is not None:
            say([found], what=f"in epoch {self.epoch + 1} the validation part looks wrong")

    def on_train_end(self, logs: Logs = None) -> None:
        """Say what would have helped, where nothing was learned."""
        self.first.hold(accuracy_of(logs or {}, held=True), number(logs, "loss"))
        self.first.look(self.done, self.done, ended=True)
        for what, found in ended(fit_of(self).callbacks):
            self.first.mention([found], what)
        if self.story is not None:
            self.story.write()

    def _batch_accuracy(self, before: int, logs: dict[str, Any]) -> float | None:
        """That of the last batch, where Keras tells it and the batch is large enough."""
        mean, last, self.mean_accuracy = accuracy_of(logs), self.mean_accuracy, accuracy_of(logs)
        steps = self.params.get("steps") or 0
        # Keras hands out the mean over the batches so far; the last batch may be a small one.
        if mean is None or last is None or self.steps != before + 1 or not self.steps < steps:
            return None
        samples = self._batch_size(steps)
        return mean + before * (mean - last) if samples >= ENOUGH else None

    def _batch_size(self, steps: int) -> float:
        """Samples of a step, of `steps` an epoch; 0 where that is not known."""
        if self.trained is None or self.trained.targets is None:
            return 0.0
        return self.trained.batch or len(self.trained.targets) / (steps - 1)


def _say(what: str) -> None:
    print(f"note: CollapseGuard {what}", file=sys.stderr)
