"""What the reference leaves behind while it trains."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras

from parity.run_record import RunRecord, first_line, written_whole
from parity.seal import seal

MODEL_FILE = "model.keras"


class BestModel(keras.callbacks.Callback):
    """Keeps the network as it was in the epoch with the lowest validation loss.

    `keras.callbacks.ModelCheckpoint` writes in place: a kill while it does leaves no model.

    Args:
        network: To keep; the model that trains has the same weights, and augmentation beside.
        run_dir: Where to.
    """

    def __init__(self, network: keras.Model, run_dir: Path) -> None:
        super().__init__()
        self.network = network
        self.path = run_dir / MODEL_FILE
        self.best = math.inf

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save where the loss has improved; the first epoch always, should none be finite."""
        loss = (logs or {})["val_loss"]
        if epoch == 0 or loss < self.best:
            self.best = loss if math.isfinite(loss) else math.inf
            with written_whole(self.path) as path:
                self.network.save(path)
                seal(path)


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
