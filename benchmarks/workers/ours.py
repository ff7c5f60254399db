"""``python -m lightning_mnist fit``, as a user calls it, with everything switched on."""

import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.errors import WorkerFailedError
from benchmarks.work import AUGMENTATION, Work
from benchmarks.workers.serving import Prepared, serve
from parity.run_record import RECORD_FILE, RunRecord


def flags(work: Work, run_dir: Path) -> list[str]:
    """The command line, without the interpreter, for the plain network and Adam."""
    values: dict[str, object] = {
        "seed_everything": work.seed,
        "data.source": work.data,
        "data.batch_size": work.device_batch * work.devices,
        "data.val_size": work.val_images,
        "model.hidden": list(work.hidden),
        "model.batch_norm": "false",
        "model.dropout": 0,
        "optimizer": "torch.optim.Adam",
        "optimizer.lr": work.learning_rate,
        "lr_scheduler": "null",
        "trainer.max_epochs": round(work.epochs),
        "trainer.accelerator": work.accelerator,
        "trainer.devices": work.devices,
        "run_dir": run_dir,
        "guard": "warn",  # it looks as often, and a few steps on a few images may collapse
    }
    if work.decay != 1:
        values["lr_scheduler"] = "torch.optim.lr_scheduler.ExponentialLR"
        values["lr_scheduler.gamma"] = work.decay
    if work.augmented:
        values |= {f"model.augmentation.{name}": value for name, value in AUGMENTATION.items()}
    if work.devices > 1:
        values["trainer.strategy"] = "ddp"
    if work.precision not in ("32-true", "tf32"):
        values["trainer.precision"] = work.precision
    if work.steps_per_execution is not None:
        values["model.steps_per_execution"] = work.steps_per_execution
    given = [str(item) for name, value in values.items() for item in (f"--{name}", value)]
    return ["fit", *given]


def epoch_seconds(record: RunRecord, work: Work) -> float:
    """Of training, with validation, guard, progress, record and checkpoints, for each epoch.

    Raises:
        WorkerFailedError: it did not do the work.
    """
    done: tuple[Any, ...] = (record.data["train"], len(record.history), record.history[-1]["step"])
    expected = (work.images, round(work.epochs), work.steps * round(work.epochs))
    if done != expected:
        raise WorkerFailedError(
            f"fit trained on {done[0]:,} images for {done[1]} epochs in {done[2]} steps; "
            f"expected {expected[0]:,}, {expected[1]} and {expected[2]}"
        )
    return record.durations["fit"] / len(record.history)


def prepare(work: Work) -> Prepared:
    """Every round is a run of its own, in its own folder; start-up is not in its seconds."""
    import torch

    from lightning_mnist.__main__ import main

    torch.set_float32_matmul_precision("high" if work.precision == "tf32" else "highest")

    def run(*more: str) -> float:
        with tempfile.TemporaryDirectory() as folder:
            run_dir = Path(folder) / "run"
            argv = ["lightning_mnist", *flags(work, run_dir), *more]
            with mock.patch.object(sys, "argv", argv):
                code = main()
            if code != 0:
                raise WorkerFailedError(f"lightning_mnist fit ended with exit code {code}")
            return epoch_seconds(RunRecord.load(run_dir / RECORD_FILE), work)

    def count() -> dict[str, int]:
        from benchmarks.workers.training_calls import CountTraining

        run("--trainer.callbacks", f"{CountTraining.__module__}.{CountTraining.__qualname__}")
        return CountTraining.counts

    return Prepared(run, count=count)


if __name__ == "__main__":
    serve(prepare)
