"""What a guard has seen and said of one training, for the page that it writes (NumPy only)."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.watch.check import Program
from parity.watch.diagnosis import Finding
from parity.watch.guard import Guard
from parity.watch.symptoms import Weights, changes_of
from parity.watch.trials.proving import Prover

FILE = "training.html"
QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)
FED = 200
"""Samples that are kept, at most."""


class Story:
    """Keeps what a guard sees, and writes it whenever something is said, and at the end.

    Args:
        folder: For ``training.html``; made if it is not there.
        guard: Whose looks are kept.
        prover: Knows the program, and speaks too.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path, guard: Guard, prover: Prover | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.guard = folder / FILE, guard
        self.prover: Prover | None = None
        self.said: list[tuple[str, Sequence[Finding], Sequence[str]]] = []
        self.steps: list[int] = []
        self.shares: list[list[float]] = []
        self.quantiles: list[list[float]] = []
        self.losses: list[float | None] = []
        self.blind_loss: float | None = None
        self.dead: dict[str, list[float]] = {}
        self.changes: dict[str, float] = {}
        guard.seen = self.see
        guard.alarm.told = self.say
        if prover is not None:
            self.follow(prover)

    def follow(self, prover: Prover) -> None:
        """Hear what it says, and know its program, from now on."""
        self.prover = prover
        prover.told = self.say

    def see(
        self,
        step: int,
        labels: NDArray[np.int64] | None,
        outputs: NDArray[Any],
        dead: dict[str, float],
        weights: Weights,
        initial: Weights,
    ) -> None:
        """Keep one look: answers [N, C] or [N, ...], and labels [N] where classes are told."""
        if self.steps and self.steps[-1] == step:
            return
        self.steps.append(step)
        if labels is not None:
            answered = np.bincount(outputs.argmax(axis=1), minlength=outputs.shape[1])
            self.shares.append((answered / len(outputs)).tolist())
            reading = self.guard.symptoms.readings[-1]
            self.losses.append(None if reading["broken"] else float(reading["loss"]))
            self.blind_loss = float(reading["blind_loss"]) or self.blind_loss
        else:
            finite = outputs[np.isfinite(outputs)].astype(np.float64)
            found = np.quantile(finite, QUANTILES) if len(finite) else np.full(5, np.nan)
            self.quantiles.append(found.tolist())
        for name in dead:
            self.dead.setdefault(name, [np.nan] * (len(self.steps) - 1)).append(dead[name])
        self.changes = changes_of(weights, initial)

    def say(self, when: str, findings: Sequence[Finding], tried: Sequence[str]) -> None:
        """Keep what is said, and write the page."""
        self.said.append((when, findings, tried))
        self.write()

    def write(self) -> None:
        """Write the page; what keeps it from being written is said, and stops no training."""
        if not self.guard.alarm.writes:
            return
        from parity.pages.training import Said, Training, write_training  # takes Matplotlib

        program = None if self.prover is None else self.prover.program
        symptoms = self.guard.symptoms
        training = Training(
            self._facts(program),
            [
                Said(_sentence(when), [(f.cause, str(f)[len(f.cause) :]) for f in found], [*tried])
                for when, found, tried in self.said
            ],
            fed=None if program is None or program.fed is None else program.fed[:FED],
            pictured=program is not None and program.pictures,
            targets=None if program is None else program.numbers,
            labels=None if program is None else program.classes,
            steps=self.steps,
            shares=self.shares,
            quantiles=self.quantiles,
            losses=self.losses,
            blind_loss=self.blind_loss,
            layers=[
                (
                    layer.name,
                    layer.initial_deviation,
                    _finite(self.changes.get(layer.name)),
                    layer.dead_at_start,
                    self.dead.get(layer.name, [layer.dead])[-1],
                )
                for layer in symptoms.layers
            ],
            dead=self.dead,
            spread=[]
            if program is None
            else [(layer.function or layer.kind, layer.spread or 0.0) for layer in program.layers],
        )
        try:
            write_training(self.path, training)
        except (OSError, ValueError) as error:
            print(f"warning: CollapseGuard cannot write its page: {error}", file=sys.stderr)

    def _facts(self, program: Program | None) -> list[tuple[str, str]]:
        found = [("optimiser", self.guard.symptoms.optimizer)]
        if program is not None:
            rate = "" if program.rate is None else f" at {program.rate:g}"
            found = [("optimiser", f"{program.optimizer}{rate}")]
            found.append(("loss", "" if program.loss is None else program.loss.name))
            if program.trainable is not None:
                found.append(("weights that it may change", f"{program.trainable:,}"))
            found.append(("samples of a batch", f"{program.batch or ''}"))
        found.append(("steps so far", f"{self.steps[-1]:,}" if self.steps else ""))
        return [(name, value) for name, value in found if value]


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
