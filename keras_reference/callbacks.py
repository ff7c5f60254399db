"""What the reference leaves behind while it trains."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_reference.errors import DivergedError
from parity.keras import CollapseGuard
from parity.run_record import RunRecord, first_line
from parity.seal import seal
from parity.watch.alarm import CollapsedError, Reaction
from parity.writing import written_whole

MODEL_FILE = "model.keras"


class BestModel(keras.callbacks.Callback):
    """Keeps the network as it was in the epoch with the lowest validation loss.

    The model that trains has the same weights, and augmentation beside.

    `keras.callbacks.ModelCheckpoint` writes in place: a kill while it does leaves no model.
    """

    def __init__(self, network: keras.Model, run_dir: Path) -> None:
        super().__init__()
        self.network = network
        self.path = run_dir / MODEL_FILE
        self.best = math.inf

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save where the loss has improved; the first epoch always, unless its weights are NaN."""
        loss = (logs or {})["val_loss"]
        if not is_finite(self.network):
            return
        if epoch == 0 or loss < self.best:
            self.best = loss if math.isfinite(loss) else math.inf
            with written_whole(self.path) as path:
                self.network.save(path)
                seal(path)


def is_finite(network: keras.Model) -> bool:
    """Whether all weights are."""
    return all(bool(np.isfinite(weights).all()) for weights in network.get_weights())


class WatchForNaN(keras.callbacks.Callback):
    """Notices the first loss or weight that is not finite; it comes first.

    Args:
        reaction: "warn" says so and goes on; otherwise `DivergedError` ends the training.
        watcher: The guard, if there is one: it is asked for the cause.
        dealt: Which images a step of an epoch has learned, both counted from 0.
    """

    def __init__(
        self, reaction: Reaction, watcher: CollapseGuard | None, dealt: Callable[[int, int], Any]
    ) -> None:
        super().__init__()
        self.reaction, self.watcher, self.dealt = reaction, watcher, dealt
        self.seen: str | None = None
        """What was noticed first."""
        self.epoch = self.batch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note which epoch it is."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss, the mean over the epoch so far."""
        self.batch = batch
        if self.seen is None and not math.isfinite(loss := float((logs or {})["loss"])):
            self._notice(f"the loss of step {self._step()} is {loss}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the weights, which the last step may have spoilt, before they are saved."""
        if self.seen is None and not is_finite(self.model):
            self._notice(f"after step {self._step()} a weight is not finite")

    def end(self) -> None:
        """Once all is written: raise `DivergedError` where something was seen."""
        if self.seen:
            raise DivergedError(self.seen)

    def _step(self) -> int:
        return int(self.model.optimizer.iterations.numpy())

    def _notice(self, what: str) -> None:
        learned = "; ".join(
            f"step {self._step() - back} learned sample ids "
            + " ".join(map(str, self.dealt(self.epoch, self.batch - back).tolist()))
            for back in (0, 1)
            if self.batch >= back
        )
        self.seen = f"training has diverged in epoch {self.epoch + 1}: {what}; {learned}"
        if self.reaction == "warn":
            print(f"\nwarning: {self.seen}", file=sys.stderr)
            return
        if self.watcher is not None:
            try:
                self.watcher.look(self._step())
            except CollapsedError as error:
                raise CollapsedError(f"{error}\n  {self.seen}") from None
        raise DivergedError(f"{self.seen}; lower --optimizer.learning_rate")


class Recorder(keras.callbacks.Callback):
    """Adds each epoch to the run record, which is written anew."""

    def __init__(self, record: RunRecord, run_dir: Path) -> None:
        super().__init__()
        self.record = record
        self.run_dir = run_dir
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the epoch's clock."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Translate Keras' names into those of the contract."""
        logs = logs or {}
        self.record.history.append(
            {
                "epoch": epoch + 1,
                "step": int(self.model.optimizer.iterations.numpy()),
                "learning_rate": float(self.model.optimizer.learning_rate),
                "seconds": time.perf_counter() - self.started,
                "train_loss": float(logs["loss"]),
                "train_accuracy": float(logs["accuracy"]),
                "val_loss": float(logs["val_loss"]),
                "val_accuracy": float(logs["val_accuracy"]),
            }
        )
        self.record.save(self.run_dir)


@contextmanager
def says_why_it_stops(record: RunRecord, run_dir: Path) -> Iterator[None]:
    """Note in the record why a training ends before its time."""
    try:
        yield
    except BaseException as error:
        record.stopped = first_line(error)
        record.save(run_dir)
        raise
