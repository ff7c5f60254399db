"""Trainings that are killed and go on: ``python -m tests.kills SIDE SIGNAL TIMES [DATA]``.

SIDE is lightning or keras, SIGNAL is KILL, TERM or INT (keras: KILL). A training of the .npz DATA,
a tiny one by default, is run whole; then others are sent the signal at random moments, several
times each, and resumed, until it was sent TIMES times. Each must end as the first, to the bit, but
for its clock.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.conftest import make_digits, write_npz


class Side(NamedTuple):
    """A program, its flags, and the file that says how far it is."""

    package: str
    flags: tuple[str, ...]
    state: str


COMMON = ("--model.hidden", "[16]", "--model.dropout", "0.3", "--model.batch_norm", "true")
SIDES = {
    "lightning": Side(
        "lightning_mnist",
        (
            *COMMON, "--model.augmentation.rotation", "10", "--data.batch_size", "16",
            "--trainer.max_epochs", "40", "--trainer.callbacks", "EarlyStopping",
            "--trainer.callbacks.monitor", "val_loss", "--trainer.callbacks.patience", "30",
        ),
        "checkpoints/last.ckpt",
    ),
    "keras": Side(
        "keras_reference",
        (
            *COMMON, "--model.augmentation.rotation", "10", "--data.batch_size", "16",
            "--trainer.max_epochs", "25", "--optimizer.decay", "0.95",
        ),
        "training.npz",
    ),
}  # fmt: skip


def start(side: Side, folder: Path, *flags: str) -> subprocess.Popen[bytes]:
    """A training in a process of its own."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", side.package, "fit", *flags],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def outcome(run: Path) -> dict[str, Any]:
    """What must be the same: answers, history but for its clock, scores, symptoms."""
    record = json.loads((run / "record.json").read_text())
    history = [{k: v for k, v in row.items() if k != "seconds"} for row in record["history"]]
    with np.load(run / "predictions.npz") as arrays:
        logits = arrays["logits"].tobytes()
    symptoms = (run / "symptoms.json").read_text()
    return {
        "finished": record["finished"], "history": history, "metrics": record["metrics"],
        "logits": logits, "symptoms": symptoms,
    }  # fmt: skip


def interrupted(
    side: Side, folder: Path, data: Path, number: signal.Signals, most: int, rng: random.Random
) -> int:
    """Train in `folder`/cut, sending the signal at random moments; how often it was sent."""
    run, sent = folder / "cut", 0
    flags = ("--data.source", str(data), "--run_dir", "cut", *side.flags)
    while True:
        state = run / side.state
        before = state.stat().st_mtime_ns if state.exists() else 0
        process = start(side, folder, *flags)
        if sent == most:
            if code := process.wait():
                raise SystemExit(f"a resumed training exits with {code}: see {folder}/log")
            return sent
        while process.poll() is None and not (state.exists() and state.stat().st_mtime_ns > before):
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 1))
        process.send_signal(number)
        code = process.wait()
        if code == 0:  # it had finished
            return sent
        if code not in (-number, 128 + number):
            raise SystemExit(f"exits with {code}: see {folder}/log")
        sent += 1
        flags = ("--resume", "cut")


def main() -> int:
    """The number of trainings that ended otherwise."""
    side, number = SIDES[sys.argv[1]], signal.Signals[f"SIG{sys.argv[2]}"]
    times = int(sys.argv[3])
    rng, different, sent, runs = random.Random(0), 0, 0, 0  # noqa: S311
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tiny = folder / "tiny.npz"
        data = (
            Path(sys.argv[4]).resolve()
            if len(sys.argv) > 4
            else write_npz(make_digits(40, 8), tiny)
        )
        whole = start(side, folder, "--data.source", str(data), "--run_dir", "whole", *side.flags)
        if whole.wait():
            raise SystemExit((folder / "log").read_text(errors="replace"))
        expected = outcome(folder / "whole")
        while sent < times:
            sent += interrupted(side, folder, data, number, min(5, times - sent), rng)
            runs += 1
            found = outcome(folder / "cut")
            odd = [name for name in expected if found[name] != expected[name]]
            different += bool(odd)
            print(f"{sent} of {times} signals, {runs} trainings: {odd or 'the same'}", flush=True)
            (folder / "cut").rename(folder / f"cut{runs}")
    return different


if __name__ == "__main__":
    sys.exit(main())
