"""Trainings that come to harm and go on: ``python -m tests.by_hand.kills KIND TIMES``.

A training of MNIST (``LIGHTNING_MNIST_DATA`` names its folder) is run whole. Then the same is begun
again, comes to harm at random moments, a few times each, and is resumed, until that was TIMES
times. Each must end as the first, to the bit, but for its clocks, and keep the promises of
docs/reliability.md on the way; the exit code is the number of those that did not.
"""

import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from lightning_mnist.data import sources
from lightning_mnist.resuming import kept
from tests.conftest import write_npz
from tests.support.harm import (
    Running,
    disk_filled,
    killed_while_it_writes,
    rank_killed,
    sent,
    small_disk,
)
from tests.support.killed import outcome

SLOW = {
    "lightning_mnist": "lightning_mnist.command_line.command",
    "keras_reference": "keras_reference.train",
}
"""What takes seconds to import."""
KEPT = {
    "lightning_mnist": "lightning_mnist.resuming.kept",
    "keras_reference": "keras_reference.kept",
}
"""How often a training keeps its state: ``EVERY`` seconds."""
EPOCHS = 3
"""Of each training."""

COMMON = (
    "--model.hidden", "[32]", "--model.dropout", "0.2", "--model.batch_norm", "true",
    "--model.augmentation.rotation", "10", "--data.batch_size", "32",
)  # fmt: skip
LIGHTNING = (
    *COMMON, "--threads", "1", "--trainer.max_epochs", "9", "--trainer.accelerator", "cpu",
    # The training loss has never been higher than at first: this stops after three epochs.
    "--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "train_loss",
    "--trainer.callbacks.mode", "max", "--trainer.callbacks.patience", "2",
)  # fmt: skip
KERAS = (*COMMON, "--optimizer.decay", "0.75", "--trainer.max_epochs", "3")
PARITY = ("--hidden", "[16]", "--epochs", "1", "--seeds", "1", "--dropout", "0.2")
FIRST = 12_000
"""Training images of MNIST that are learned, so that a hundred trainings are affordable."""
IN_A_ROW = 5
"""How often a training is harmed at most."""


class Kind(NamedTuple):
    """What is run, what it comes to, and the exit codes that it may then have."""

    package: str
    flags: tuple[str, ...]
    harm: Callable[[Running], None]
    codes: tuple[int, ...]
    every: float = 0.5
    """Seconds after which a checkpoint is written within an epoch."""
    latest: float = 0.35
    """Moment of harm after a start, as a share of the time that a whole training takes."""
    verdicts: tuple[int, ...] = (0,)
    """Exit codes of one that has come to its end."""
    anew: bool = False
    """Whether it is started by ``python -m``, rather than forked once all is imported."""


KINDS = {
    "kill": Kind("lightning_mnist", LIGHTNING, sent(signal.SIGKILL), (-9,)),
    "term": Kind("lightning_mnist", LIGHTNING, sent(signal.SIGTERM), (143,)),
    "int": Kind("lightning_mnist", LIGHTNING, sent(signal.SIGINT), (130,)),
    "write": Kind("lightning_mnist", LIGHTNING, killed_while_it_writes, (-9,), 0.1),
    "disk": Kind("lightning_mnist", LIGHTNING, disk_filled, (1,)),
    "long": Kind(
        "lightning_mnist", (*LIGHTNING, "--data.batch_size", "4"), sent(signal.SIGKILL), (-9,),
        kept.EVERY,
    ),
    "ranks": Kind(
        "lightning_mnist", (*LIGHTNING, "--trainer.devices", "2"), rank_killed, (-9, 1), latest=0.9,
        anew=True,
    ),
    "keras": Kind("keras_reference", KERAS, sent(signal.SIGKILL), (-9,), latest=0.9),
    "keras-term": Kind("keras_reference", KERAS, sent(signal.SIGTERM), (143,), latest=0.9),
    "keras-int": Kind("keras_reference", KERAS, sent(signal.SIGINT), (130,), latest=0.9),
    "parity": Kind(
        "parity", PARITY, sent(signal.SIGKILL), (-9,), latest=0.9, verdicts=(0, 1, 3, 4), anew=True
    ),
}  # fmt: skip


def program(kind: Kind, folder: Path, flags: list[str]) -> None:
    """Be the program, in a process that has been forked for it."""
    os.setsid()
    os.chdir(folder)
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.argv = [kind.package, *flags]
    if kind.anew:
        os.execv(sys.executable, [sys.executable, "-m", *sys.argv])  # noqa: S606
    import_module(KEPT[kind.package]).EVERY = kind.every  # type: ignore[attr-defined]
    sys.exit(import_module(f"{kind.package}.__main__").main())


def started(
    kind: Kind, folder: Path, run: str, data: list[str], rng: random.Random, *, resume: bool
) -> Running:
    """A training, once it has claimed its folder."""
    goes_on = resume and (folder / run / "config.yaml").exists()
    command, name = ("run", "--out") if kind.package == "parity" else ("fit", "--run_dir")
    flags = [command, *(["--resume", run] if goes_on else [name, run, *data, *kind.flags])]
    process = multiprocessing.get_context("fork").Process(
        target=program, args=(kind, folder, flags)
    )
    process.start()
    running = Running(process, folder / run, rng)
    claim = folder / run / ".claim"
    while process.is_alive() and not (claim.exists() and claim.read_text() == str(process.pid)):
        time.sleep(0.01)
    return running


def broken(kind: Kind, folder: Path, running: Running) -> list[str]:
    """Promises that a training which has come to harm has broken."""
    said, code = (folder / "log").read_text(errors="replace"), running.process.exitcode
    found = [] if code in kind.codes else [f"exit code {code}"]
    _, traceback, rest = said.partition("Traceback")
    found += [traceback + rest] if traceback else []
    advice = rf"to go on: python -m {kind.package} fit --resume {running.run.relative_to(folder)}"
    asked = kind.codes[0] > 0 and (running.run / "config.yaml").exists()
    found += ["no word of how to go on"] if asked and not re.search(advice, said) else []
    deadline = time.monotonic() + 5
    while running.group() and time.monotonic() < deadline:
        time.sleep(0.1)
    return found + [f"process {child} lives on" for child in running.group()]


class Harm(NamedTuple):
    """What a training had come to when it was harmed, in epochs, and what it lost and broke."""

    epochs: int
    lost: float
    broken: list[str]


def harmed(kind: Kind, folder: Path, running: Running, after: float) -> Harm | None:
    """Harm a training so many seconds after its start; None where it has ended before."""
    began = time.time()
    if not running.lives_for(after):
        return None
    kind.harm(running)
    running.process.join()
    states = [running.run / name for name in ("checkpoints/last.ckpt", "training.npz")]
    lost = time.time() - max([began, *(path.stat().st_mtime for path in states if path.exists())])
    record = running.run / "record.json"
    epochs = len(json.loads(record.read_text())["history"]) if record.exists() else 0
    return Harm(epochs, lost, broken(kind, folder, running))


def counts(kind: Kind, running: Running) -> bool:
    """Whether it came to the harm that was meant, neither too early nor too late."""
    if kind.harm is killed_while_it_writes:
        return any(running.run.glob("checkpoints/.*-*.ckpt"))
    return running.process.exitcode not in kind.verdicts


def in_turn(
    kind: Kind, folder: Path, run: str, data: list[str], seconds: float, rng: random.Random
) -> tuple[list[Harm], list[str]]:
    """Train, come to harm and go on, a few times, then to the end; harms, and what broke else."""
    harms: list[Harm] = []
    while True:
        running = started(kind, folder, run, data, rng, resume=kind.package != "parity")
        harm = None
        if len(harms) < IN_A_ROW:
            harm = harmed(kind, folder, running, rng.uniform(0, kind.latest * seconds))
            harms += [harm] if harm and counts(kind, running) else []
        running.process.join()
        if running.process.exitcode in kind.verdicts:
            return harms, []
        if harm is None:
            said = (folder / "log").read_text(errors="replace")
            return harms, [f"exit code {running.process.exitcode}: {said[-2_000:]}"]


def prepared(folder: Path) -> list[str]:
    """Flags that name the data."""
    digits = sources.load("mnist", Path(os.environ["LIGHTNING_MNIST_DATA"]))
    images, labels = digits.train_images[:FIRST], digits.train_labels[:FIRST]
    first = replace(digits, train_images=images, train_labels=labels)
    return ["--data.source", str(write_npz(first, folder / "first.npz"))]


def trained_whole(
    kind: Kind, folder: Path, run: str, data: list[str]
) -> tuple[dict[str, Any], float]:
    """What must come out, and the seconds that it takes; the folder's name is in some recipes."""
    running = started(kind, folder, run, data, random.Random(0), resume=False)  # noqa: S311
    began = time.monotonic()
    running.process.join()
    seconds = time.monotonic() - began
    if running.process.exitcode not in kind.verdicts:
        raise SystemExit((folder / "log").read_text(errors="replace"))
    expected = outcome(folder / run)
    shutil.rmtree(folder / run)
    return expected, seconds


def main() -> int:
    """The number of trainings that ended otherwise, or broke a promise."""
    kind, times = KINDS[sys.argv[1]], int(sys.argv[2])
    rng, bad, trainings, found = random.Random(), 0, 0, list[Harm]()  # noqa: S311
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder, run = Path(scratch), "cut"
        if kind.harm is disk_filled:
            stack.enter_context(small_disk(folder / "disk"))
            run = "disk/cut"
        data = prepared(folder)
        if not kind.anew:
            import_module(f"{kind.package}.__main__")  # sets what TensorFlow looks at first
            import_module(SLOW[kind.package])
        expected, seconds = trained_whole(kind, folder, run, data)
        print(f"a whole one takes {seconds:.1f} s", flush=True)
        while len(found) < times:
            harms, odd = in_turn(kind, folder, run, data, seconds, rng)
            found, trainings = found + harms, trainings + 1
            odd += [said for harm in harms for said in harm.broken]
            if not odd:
                now = outcome(folder / run)
                odd = [name for name in expected | now if now.get(name) != expected.get(name)]
            bad += bool(odd)
            about = ", ".join(f"epoch {harm.epochs + 1} ({harm.lost:.1f} s)" for harm in harms)
            print(
                f"{len(found)} of {times}, {trainings} trainings; {about}: {odd or 'the same'}",
                flush=True,
            )
            if odd:
                (folder / run).rename(Path(tempfile.mkdtemp(prefix="odd-")) / "run")
            else:
                shutil.rmtree(folder / run)
    print(f"{len(found)} times, {trainings} trainings, {bad} odd")
    if lost := [harm.lost for harm in found if kind.package != "parity" and harm.epochs < EPOCHS]:
        print(f"at most {max(lost):.1f} s of work lost")
    return bad


if __name__ == "__main__":
    sys.exit(main())
