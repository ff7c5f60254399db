"""Asks a network in training about a few samples, and hands what it sees to a `Guard`."""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from parity.torch.layouts import Array, as_array
from parity.torch.look import Look, look
from parity.torch.trace import first_tensor
from parity.watch.check import Program
from parity.watch.classes import Ints, labels_of, logits_of
from parity.watch.fingerprint import GRID
from parity.watch.guard import LIMITS, Guard


class Watcher:
    """Looks at one training; what it cannot look into it leaves out, and says so once.

    Args:
        guard: Decides.
        agree: Gives all processes what the first one has seen.
    """

    def __init__(self, guard: Guard, agree: Callable[[Any], Any] = lambda seen: seen) -> None:
        self.guard = guard
        self.agree = agree
        self.network: nn.Module | None = None
        """What is looked at; None where nothing is."""
        self.x: Any = None
        self.targets: Array | None = None
        self.looking = False
        """Whether the network works for the guard and not for its program."""
        self._noted: set[str] = set()

    def start(
        self,
        network: nn.Module,
        x: Any,
        targets: Array | None,
        optimizer: Optimizer,
        trained_on: Array | None = None,
    ) -> None:
        """Measure what is there before the first step.

        Args:
            network: What is trained, or the part of it that answers.
            x: Samples for it, as `parity.torch.network.inputs`.
            targets: Of these, [N, ...]; None where they are not known.
            optimizer: Of its weights.
            trained_on: All targets of the training; None where they are not known.
        """
        self.network, self.x, self.targets = network, x, self.agree(targets)
        seen = self._look()
        if seen is None:
            return
        logits, labels = self._classes(seen)
        classes = logits.shape[-1] if labels is not None else 0
        all_labels = labels_of(trained_on, classes) if trained_on is not None and classes else None
        if labels is None:
            self.without_classes()
        self.guard.start(
            labels=all_labels,
            classes=classes,
            raw=None,
            preprocessing=None,
            fed=_images(seen),
            weights=seen.weights(),
            dead=seen.dead,
            optimizer=type(optimizer).__name__,
        )

    def after(self, step: int, optimizer: Optimizer, finished: int | None = None) -> None:
        """Look again.

        Args:
            step: Updates of the weights so far.
            optimizer: Makes them.
            finished: Epochs so far, where one has just ended.

        Raises:
            CollapsedError: a collapse, where the reaction is to stop.
        """
        seen = self._look()
        if seen is None:
            return
        logits, labels = self._classes(seen)
        known: dict[str, Any] = {
            "labels": labels,
            "logits": logits,
            "dead": seen.dead,
            "train_loss": np.nan if labels is None else _loss(labels, logits),
            "learning_rate": max(float(group["lr"]) for group in optimizer.param_groups),
        }
        if finished is None and step < LIMITS.patience:
            self.guard.after_step(step, batch_accuracy=None, weights=seen.weights, **known)
        else:
            ids = np.arange(len(logits))
            self.guard.after_epoch(
                self.guard.symptoms.epoch if finished is None else finished,
                step,
                sample_ids=ids,
                weights=seen.weights(),
                train_accuracy=None,
                **known,
            )

    @property
    def samples(self) -> int:
        """How many are asked for."""
        first = first_tensor(self.x)
        return 0 if first is None else len(first)

    def extend(self, x: Any, targets: Array | None) -> None:
        """Ask for more samples, where they are of the same shape."""
        if self.targets is None or targets is None:
            return
        with contextlib.suppress(RuntimeError, ValueError, KeyError):
            self.x = _joined(self.x, x)
            self.targets = np.concatenate([self.targets, self.agree(targets)])

    def heed(self, program: Program | None) -> None:
        """Look at no targets that the loss does not ask for, as an autoencoder's."""
        if program is not None and (program.targets is None or program.same_as_inputs):
            self.without_classes()

    def without_classes(self) -> None:
        """Look at no targets."""
        self.targets = None
        self.note(
            "sees no classes told apart: it looks for answers that are not finite and for dead "
            "layers only"
        )

    def leave_out(self, why: str) -> None:
        """Look no more."""
        self.network = None
        self.note(f"cannot look into this training: {why}")

    def note(self, what: str) -> None:
        """Say something, once."""
        if what not in self._noted and self.guard.alarm.writes:
            print(f"note: CollapseGuard {what}", file=sys.stderr)
        self._noted.add(what)

    def _look(self) -> Look | None:
        """What the first process sees; None where it can see nothing."""
        if self.network is None:
            return None
        seen, error = None, ""
        self.looking = True
        try:
            seen = look(self.network, self.x)
            if not seen.outputs.ndim:
                raise TypeError("the network gives one number for all samples")
        except Exception as failure:  # a model is anyone's code, and must train all the same
            seen, error = None, f"{type(failure).__name__}: {' '.join(str(failure).split())[:200]}"
        self.looking = False
        said = self.agree((seen.outputs, seen.dead, "") if seen else (None, {}, error))
        outputs, dead, error = said
        if seen is None or error:
            self.leave_out(error)
            return None
        return replace(seen, outputs=outputs, dead=dead)

    def _classes(self, seen: Look) -> tuple[Array, Ints | None]:
        """Logits [N, C] and labels [N]; without classes the answers [N, ...], and None."""
        outputs = as_array(seen.outputs)
        if self.targets is None or len(self.targets) != len(outputs):
            return outputs, None
        logits = logits_of(outputs, "probability" if seen.last == "sigmoid" else "logit")
        labels = None if logits is None else labels_of(self.targets, logits.shape[1])
        return (outputs, None) if logits is None or labels is None else (logits, labels)


def _loss(labels: Ints, logits: Array) -> float:
    """Cross-entropy in nats; NaN where logits are not finite."""
    with np.errstate(all="ignore"):
        values = logits - logits.max(axis=1, keepdims=True)
        losses = np.log(np.exp(values).sum(axis=1)) - values[np.arange(len(values)), labels]
        return float(losses.mean())


def _joined(first: Any, second: Any) -> Any:
    """The samples of both, in the structure that both have."""
    if isinstance(first, Tensor):
        return torch.cat([first, second])
    if isinstance(first, dict):
        return {name: _joined(part, second[name]) for name, part in first.items()}
    return type(first)(_joined(*parts) for parts in zip(first, second, strict=True))


def _images(seen: Look) -> Array | None:
    """What the network is fed, channel by channel, [N, H, W]; None where it is no images."""
    fed = seen.fed
    if fed is None or fed.ndim != 4 or min(fed.shape[1:3]) < GRID:
        return None
    return as_array(fed.movedim(-1, 1).flatten(0, 1).float())
