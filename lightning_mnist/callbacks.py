"""What a run leaves behind: the run record, the predictions, the pictures."""

import shutil
import time
from collections.abc import Sequence
from typing import Any

import yaml
from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from lightning_mnist.runs.index import write_index
from lightning_mnist.scores import Scores
from parity.claims import Claim, ClaimedError, sweep
from parity.provenance import Provenance, versions_of
from parity.run_record import (
    CONFIG_FILE,
    VIEWS_FOLDER,
    VIEWS_PICTURE,
    Predictions,
    RunRecord,
    first_line,
)
from parity.watch.views import ViewScore
from parity.writing import write_csv, write_file

HISTORY_FILE = "history.csv"


class EpochClock:
    """Times an epoch, and says what it came to."""

    def start(self, trainer: Trainer) -> None:
        """Start the clock, and note the learning rate that the epoch uses."""
        self._started = time.perf_counter()
        self._learning_rate = trainer.optimizers[0].param_groups[0]["lr"]

    def row(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """The epoch's entry in the history, validation included; every rank must take part."""
        assert isinstance(pl_module, DigitClassifier)
        metrics = trainer.callback_metrics
        validated = {name: metrics[name] for name in metrics if name.startswith("val_")}
        scores = {**pl_module.train_scores(), **validated}
        return {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "learning_rate": self._learning_rate,
            "seconds": time.perf_counter() - self._started,
            **{name: value.item() for name, value in scores.items()},
        }


class RunRecorder(Callback):
    """Fills the run directory: see `parity.run_record` for the contract.

    The folder to fill is made once the data have been read. `config` is resolved, as YAML;
    `data_so_far` is what a run that goes on has recorded of its data.

    The record is written when the run starts, after every epoch and at its end, so that a run
    that was cut off says so. The history travels in the checkpoint, and so a resumed run has all
    of it.
    """

    record: RunRecord
    """From `setup` on."""

    def __init__(
        self, claim: Claim, config: str, seed: int, data_so_far: dict[str, Any] | None = None
    ) -> None:
        self.data_so_far = data_so_far
        self.claim = claim
        self.run_dir = claim.folder
        self.config = config
        self.seed = seed
        self.history: list[dict[str, float]] = []
        self._phase_started = 0.0
        self._clock = EpochClock()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Open the run directory and leave the record of a run that has not finished.

        Raises:
            InputError: the folder cannot be written, another process fills it, or the data are not
                those of the run so far.
        """
        if hasattr(self, "record"):  # of the training that this tests
            return
        data = trainer.datamodule.description  # type: ignore[attr-defined]
        self._check_same(data)
        self.record = RunRecord(
            framework="lightning",
            command=stage,
            versions=versions_of("torch", "torchvision", "lightning", "numpy"),
            recipe=yaml.safe_load(self.config),
            seed=self.seed,
            data=data,
            preprocessing={},
            provenance=Provenance.here(),
        )
        if not trainer.is_global_zero:
            return
        try:
            self.claim.take()
            sweep(self.run_dir, self.run_dir / "checkpoints", self.run_dir / VIEWS_FOLDER)
            write_file(self.run_dir / CONFIG_FILE, self.config)
            self.record.save(self.run_dir)
            # A resumed run has others, or none.
            shutil.rmtree(self.run_dir / VIEWS_FOLDER, ignore_errors=True)
            (self.run_dir / VIEWS_PICTURE).unlink(missing_ok=True)
        except ClaimedError as error:
            raise InputError(f"--run_dir {error}; wait for it, or choose a new folder") from None
        except OSError as error:
            raise InputError(
                f"--run_dir {self.run_dir}: cannot be written ({error}); choose another folder"
            ) from error

    def _check_same(self, data: dict[str, Any]) -> None:
        """Refuse to go on with other images, or with other teachers."""
        former = self.data_so_far or data
        if former.get("sha256") != data["sha256"]:
            raise InputError(
                f"--data.source: {data['name']} has other images than {former.get('name')}, which "
                "this training has had so far; give the same data set, or train anew"
            )
        digests = [list(known.get("teachers", {}).values()) for known in (former, data)]
        if digests[0] != digests[1]:
            raise InputError(
                "--teachers: not the networks that this training has learned from so far; give "
                "the same, or train anew"
            )

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback."""
        return {"history": self.history, "recipe": self.config, "data": self.record.data}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.history = list(state_dict["history"])

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record again what a run that goes on has come to so far."""
        if trainer.is_global_zero and self.history:
            self._save(pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of the phase."""
        self._phase_started = time.perf_counter()

    on_test_start = on_train_start

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._clock.start(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch to the history, validation included."""
        self.history.append(self._clock.row(trainer, pl_module))
        if trainer.is_global_zero:
            self._save(pl_module)
            write_csv(self.run_dir / HISTORY_FILE, self.history)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note how long training took."""
        self._end_phase("fit")

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the curves, of a training too that had ended before it was resumed."""
        if trainer.is_global_zero and self.history:
            from lightning_mnist.plots import draw_curves  # slow to import

            draw_curves(self.history, self.run_dir / "curves.png", title=self._title("training on"))

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write predictions, pictures and the scores; every rank takes part."""
        assert isinstance(pl_module, DigitClassifier)
        scores = Scores.of(pl_module.test_scores)
        sample_ids, labels, logits = (
            tensor.cpu().numpy() for tensor in pl_module.test_logits.compute()
        )
        self._end_phase("test")
        if not trainer.is_global_zero:
            return
        Predictions(labels, logits, sample_ids).save(self.run_dir)
        self._draw_test(scores, trainer.datamodule.test_images.cpu().numpy(), labels, logits)  # type: ignore[attr-defined]
        self.record.metrics = scores.describe()
        self._save(pl_module)

    def finish(self, pl_module: LightningModule, views: Sequence[ViewScore]) -> None:
        """Note how the views were read, and that the run has finished."""
        if views:
            self.record.metrics["views"] = [vars(score) for score in views]
        self.record.finished = True
        write_index(self.run_dir, self.record)
        self._save(pl_module)  # last: a run that says so lacks nothing, whenever it is killed

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Note why the run ends before its time."""
        if trainer.is_global_zero and hasattr(self, "record") and self.run_dir.is_dir():
            self.record.stopped = first_line(exception)
            self._save(pl_module)
            write_index(self.run_dir, self.record)

    def _draw_test(self, scores: Scores, images: Any, labels: Any, logits: Any) -> None:
        from lightning_mnist.plots import draw_confusion, draw_mistakes

        title = self._title("test part of")
        draw_confusion(scores, self.run_dir / "confusion.png", title=title)
        draw_mistakes(images, labels, logits, self.run_dir / "mistakes.png", title=title)

    def _end_phase(self, name: str) -> None:
        self.record.durations[name] = time.perf_counter() - self._phase_started

    def _save(self, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, DigitClassifier)
        self.record.history = self.history
        self.record.preprocessing = pl_module.preprocessing.describe()
        self.record.save(self.run_dir)

    def _title(self, what: str) -> str:
        return f"{what} {self.record.data['name']}, seed {self.seed}"
