"""Several ranks: the weights and the counts of one, and one end for all of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.nn import functional as F

from lightning_mnist.data.batches import Batch
from lightning_mnist.data.blocks import BlockLoader
from lightning_mnist.errors import InputError
from lightning_mnist.network import MLP
from lightning_mnist.ranks import _how, check_batch_norm
from lightning_mnist.resuming.kept import _Clock
from lightning_mnist.steps.step_callbacks import StepCallback
from parity.run_record import Predictions, RunRecord
from parity.watch.symptoms import Symptoms
from tests.conftest import ROOT, Command, Here, start

PLAIN = (
    "--model.hidden", "[16]", "--model.batch_norm", "false", "--model.dropout", 0,
    "--optimizer", "SGD", "--optimizer.lr", 0.1, "--lr_scheduler", "null",
    "--trainer.precision", "64-true", "--trainer.max_epochs", 2,
)  # fmt: skip
UNEVEN = ("--data.batch_size", 61, "--data.val_size", 33)
"""Of 400 images: six batches of 61, which neither 2 nor 3 divide, and a seventh of one image."""


def on(ranks: int) -> tuple[object, ...]:
    """Flags for so many CPU processes."""
    shared = ("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false")
    several = ("--trainer.devices", ranks, "--trainer.strategy", "ddp")
    return shared + several if ranks > 1 else shared


def checkpoint(run: Path) -> dict[str, Any]:
    """The last one."""
    loaded: dict[str, Any] = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return loaded


def assert_the_same_run(run: Path, alone: Path) -> None:
    """Weights to 1e-12, counts to the bit, predictions whole and in order."""
    states = [checkpoint(path)["state_dict"] for path in (run, alone)]
    for name, expected in states[1].items():
        torch.testing.assert_close(states[0][name], expected, rtol=0, atol=1e-12)
    record, expected = (RunRecord.load(path / "record.json") for path in (run, alone))
    assert record.finished
    assert record.metrics == expected.metrics
    assert len(record.history) == len(expected.history)
    for epoch, other in zip(record.history, expected.history, strict=True):
        for name in set(other) - {"seconds"}:
            exact = "loss" not in name
            assert epoch[name] == (other[name] if exact else pytest.approx(other[name], rel=1e-6))
    answers, others = (Predictions.load(path / "predictions.npz") for path in (run, alone))
    np.testing.assert_array_equal(answers.sample_ids, np.arange(len(others.labels)))
    np.testing.assert_array_equal(answers.labels, others.labels)
    np.testing.assert_allclose(answers.logits, others.logits, atol=1e-6)
    seen, expected_seen = (Symptoms.load(path / "symptoms.json") for path in (run, alone))
    assert [r["step"] for r in seen.readings] == [r["step"] for r in expected_seen.readings]
    assert seen.early_gap == expected_seen.early_gap
    assert seen.train_accuracy == expected_seen.train_accuracy


def parts(
    count: int, size: int, ranks: int, steps: int = 1
) -> list[list[tuple[int, Batch, float]]]:
    """What each rank is given of an epoch."""
    images = torch.arange(count).reshape(-1, 1, 1).expand(-1, 28, 28).to(torch.uint8)
    data = (images, torch.arange(count) % 10, torch.arange(count), size)
    given = []
    for rank in range(ranks):
        loader = BlockLoader(*data, steps=steps, shuffle_seed=1, rank=rank, world_size=ranks)
        batches = chain.from_iterable(block.batches() for block in loader)
        given.append([(n, Batch(*(t.clone() for t in batch)), w) for n, batch, w in batches])
    return given


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize(("count", "size"), [(24, 8), (25, 8), (31, 7), (5, 8), (33, 4)])
def test_ranks_share_each_mini_batch_of_one(count: int, size: int, ranks: int, steps: int) -> None:
    ((*alone,),) = parts(count, size, 1)
    given = parts(count, size, ranks, steps)
    assert {len(batches) for batches in given} == {len(alone)}
    for number, (index, whole, _) in enumerate(alone):
        shares = [batches[number] for batches in given]
        assert {share[0] for share in shares} == {index}
        ids = list(chain.from_iterable(batch.sample_ids.tolist() for _, batch, _ in shares))
        assert sorted(ids) == sorted(whole.sample_ids.tolist())
        for _, batch, weight in shares:
            assert torch.equal(batch.images[:, 0, 0].long(), batch.sample_ids)
            assert weight == pytest.approx(len(batch.labels) * ranks / len(whole.labels))


def test_the_mean_of_weighted_gradients_is_that_of_the_whole_batch() -> None:
    torch.manual_seed(0)
    network = MLP(784, [8], 10).double()

    def gradient(batch: Batch) -> torch.Tensor:
        network.zero_grad()
        F.cross_entropy(network(batch.images.double().flatten(1) / 255), batch.labels).backward()
        return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])

    ((*alone,),) = parts(31, 7, 1)
    for (_, whole, _), *shares in zip(alone, *parts(31, 7, 4), strict=True):
        mean = sum(weight * gradient(batch) for _, batch, weight in shares if weight) / 4
        torch.testing.assert_close(mean, gradient(whole), rtol=0, atol=1e-15)


def bars(train: int, test: int, folder: Path) -> Path:
    """So many noisy images whose class is the height of a bright bar, as both sides read them."""
    rng = np.random.default_rng(0)
    labels = np.arange(max(train, test)) % 10
    images = rng.integers(0, 60, (len(labels), 28, 28)).astype(np.uint8)
    images[np.arange(len(labels)), 4 + 2 * labels, :] = 255
    data = folder / "bars.npz"
    np.savez(
        data, x_train=images[:train], y_train=labels[:train],
        x_test=images[:test], y_test=labels[:test],
    )  # fmt: skip
    return data


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Data that do not divide evenly, and what one process makes of them."""
    folder = tmp_path_factory.mktemp("alone")
    data = bars(400, 77, folder)
    flags = ("--data.source", data, "--run_dir", folder / "run", *PLAIN, *UNEVEN, *on(1))
    assert start("lightning_mnist", "fit", *flags, cwd=folder) == 0
    return data, folder / "run"


@pytest.mark.slow
def test_three_ranks_come_to_the_weights_and_the_scores_of_one(
    lightning_mnist_command: Command, alone: tuple[Path, Path], tmp_path: Path
) -> None:
    data, run = alone
    flags = ("--data.source", data, "--run_dir", tmp_path / "run", *PLAIN, *UNEVEN, *on(3))
    done = lightning_mnist_command("fit", *flags, "--model.steps_per_execution", 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test part of") == 1
    assert "sync_dist" not in done.stderr
    assert_the_same_run(tmp_path / "run", run)


def torchrun(ranks: int, *flags: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", str(ranks),
            "--standalone", "-m", "lightning_mnist", *map(str, flags),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


ENDING = """
import atexit, sys, threading, torch
from lightning_mnist.ranks import leave

def busy():
    tensor = torch.randn(100)
    while True:
        tensor + tensor

at = f"file://{sys.argv[1]}"
torch.distributed.init_process_group("gloo", init_method=at, rank=0, world_size=1)
atexit.register(print, "what is registered runs")
threading.Thread(target=busy, daemon=True).start()
sys.exit(leave(3))
"""


KILLED = """
import os, signal, sys
from lightning_mnist.command_line.command import main
from lightning_mnist.resuming import kept
from lightning.pytorch import Trainer

save, kept.EVERY = Trainer.save_checkpoint, float(os.environ["EVERY"])

def save_and_die(trainer, *args, **kwargs):
    save(trainer, *args, **kwargs)
    if trainer.global_step == int(os.environ["DIES_AT"]) and trainer.is_global_zero:
        os.kill(os.getpid(), signal.SIGKILL)

Trainer.save_checkpoint = save_and_die
sys.exit(main())
"""
"""A training that is killed once it has been saved after so many steps."""


@pytest.mark.slow
def test_ranks_go_on_within_an_epoch_to_the_bit(alone: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(KILLED)

    def train(*flags: object, every: float, dies_at: int = -1) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "train.py", "fit", *map(str, flags)], check=False,
            cwd=tmp_path, capture_output=True, text=True, timeout=300,
            env={**os.environ, "PYTHONPATH": str(ROOT), "EVERY": str(every),
                 "DIES_AT": str(dies_at)},
        )  # fmt: skip

    flags = ("--data.source", alone[0], *PLAIN, "--model.dropout", 0.5, *UNEVEN, *on(2))
    whole = train(*flags, "--run_dir", "whole", every=1e9)
    assert whole.returncode == 0, whole.stderr
    assert train(*flags, "--run_dir", "cut", every=0, dies_at=10).returncode == -signal.SIGKILL
    assert checkpoint(tmp_path / "cut")["position"]["batches"] == 3
    other = train("--resume", "cut", "--trainer.devices", 1, every=1e9)
    assert "give as many --trainer.devices" in other.stderr
    cut = train("--resume", "cut", every=1e9)
    assert cut.returncode == 0, cut.stderr
    states = [checkpoint(tmp_path / run)["state_dict"] for run in ("cut", "whole")]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[1])
    assert_the_same_run(tmp_path / "cut", tmp_path / "whole")


def test_ranks_save_at_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one's clock is fast, and each is asked a few times in a thousand steps."""
    said: list[Any] = []
    now = 0.0
    monkeypatch.setattr("lightning_mnist.resuming.kept.time.monotonic", lambda: now)

    def rank(broadcast: Callable[[Any], Any]) -> tuple[_Clock, Any]:
        strategy = SimpleNamespace(broadcast=broadcast)
        trainer: Any = SimpleNamespace(world_size=2, global_step=0, strategy=strategy)
        clock = _Clock()
        clock.restart(trainer)
        return clock, trainer

    def first(says: Any) -> Any:
        said.append(says)
        return says

    ranks = [rank(first), rank(lambda _: said[-1])]
    saved: list[list[int]] = [[], []]
    for step in range(1, 3001):
        for number, (clock, trainer) in enumerate(ranks):
            now = 0.01 * step * (1 + 3 * number)
            trainer.global_step = step
            if clock.is_time(trainer):
                saved[number].append(step)
                clock.restart(trainer)
    assert saved[0] == saved[1]
    assert saved[0] == pytest.approx([1000, 2000, 3000], abs=2)
    assert len(said) < 60


@pytest.mark.slow
def test_a_thread_that_still_frees_tensors_does_not_abort_a_rank(tmp_path: Path) -> None:
    """Gloo's threads do so now and then; the one here always does."""
    command = [sys.executable, "-c", ENDING, str(tmp_path / "store")]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (3, "what is registered runs\n"), done.stderr


@pytest.mark.slow
def test_torchrun_comes_to_the_same(alone: tuple[Path, Path], tmp_path: Path) -> None:
    data, run = alone
    flags = ("--data.source", data, "--run_dir", tmp_path / "run", *PLAIN, *UNEVEN, *on(2))
    done = torchrun(2, "fit", *flags)
    assert done.returncode == 0, done.stderr
    assert_the_same_run(tmp_path / "run", run)


@pytest.mark.slow
def test_slurm_tasks_come_to_the_same(alone: tuple[Path, Path], tmp_path: Path) -> None:
    """What srun sets in its tasks on one machine; nothing of SLURM itself is here."""
    data, run = alone
    flags = ("--data.source", data, "--run_dir", tmp_path / "run", *PLAIN, *UNEVEN, *on(2))
    job = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1"}
    job |= {"SLURM_NODEID": "0", "SLURM_NODELIST": "127.0.0.1", "SLURM_JOB_ID": f"{os.getpid()}"}
    command = [sys.executable, "-m", "lightning_mnist", "fit", *map(str, flags)]
    tasks = []
    for rank in range(2):
        task = {"SLURM_PROCID": f"{rank}", "SLURM_LOCALID": f"{rank}"}
        tasks.append(subprocess.Popen(command, cwd=ROOT, env={**os.environ, **job, **task}))
    assert [task.wait(timeout=300) for task in tasks] == [0, 0]
    assert_the_same_run(tmp_path / "run", run)


class Fails(StepCallback):
    """Fails in the second rank, after a few steps."""

    def on_step_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, step: int
    ) -> None:
        if step == 3 and trainer.global_rank == 1:
            raise KeyError("only here")


class Dies(StepCallback):
    """Is killed in one rank, after a few steps."""

    def __init__(self, rank: int, signal: int = 9) -> None:
        self.rank = rank
        self.signal = signal

    def on_step_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, step: int
    ) -> None:
        if step == 3 and trainer.global_rank == self.rank:
            os.kill(os.getpid(), self.signal)


def left_over(run: Path) -> list[str]:
    """Command lines of processes that still work on a run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(run) in command:
            found.append(command)
    return found


def assert_nothing_left_over(run: Path) -> None:
    deadline = time.monotonic() + 120
    while left_over(run) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_over(run) == []


ENDS: dict[str, tuple[int, tuple[object, ...], int, str]] = {
    "an exception": (
        2, ("Fails",), 1,
        "error: rank 1 has ended with exit code 1, and the others cannot go on; the run has ended",
    ),
    "killed": (
        3, ("Dies", "--trainer.callbacks.rank", 1), 1,
        "error: rank 1 was killed by SIGKILL, and the others cannot go on; the run has ended",
    ),
    "terminated": (
        2, ("Dies", "--trainer.callbacks.rank", 1, "--trainer.callbacks.signal", 15), 1,
        "error: rank 1 was killed by SIGTERM, and the others cannot go on; the run has ended",
    ),
    "the first is killed": (
        2, ("Dies", "--trainer.callbacks.rank", 0), -signal.SIGKILL,
        "error: the rank that had started the others has died; the run has ended",
    ),
}  # fmt: skip
"""Of how many ranks, what happens in one of them, and how the run ends."""


@pytest.mark.parametrize(("ranks", "callback", "code", "said"), ENDS.values(), ids=ENDS)
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for processes in /proc")
@pytest.mark.slow
def test_a_rank_that_dies_ends_the_run(
    ranks: int,
    callback: Sequence[object],
    code: int,
    said: str,
    lightning_mnist_command: Command,
    alone: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    name, *more = callback
    run = tmp_path / "run"
    done = lightning_mnist_command(
        "fit", "--data.source", alone[0], "--run_dir", run, *PLAIN, *UNEVEN, *on(ranks),
        "--trainer.callbacks", f"{__name__}.{name}", *more,
    )  # fmt: skip
    assert done.returncode == code
    assert done.stderr.count("error: ") == 1
    assert said in done.stderr
    assert ("KeyError: 'only here'" in done.stderr) == (name == "Fails")
    assert_nothing_left_over(run)
    assert not RunRecord.load(run / "record.json").finished


@pytest.mark.parametrize(
    ("code", "said"),
    [(3, "has ended with exit code 3"), (-9, "was killed by SIGKILL")],
)
def test_how_a_process_ended(code: int, said: str) -> None:
    assert _how(code) == said


@pytest.mark.slow
def test_input_that_all_ranks_refuse_is_refused_once(
    lightning_mnist_command: Command, tiny_npz: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    done = lightning_mnist_command(
        "fit", "--data.source", tiny_npz, "--run_dir", run, "--data.batch_size", 366, *on(3)
    )  # 367 images: the last batch holds one
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1
    assert "would hold fewer than two images for each of 3 devices" in done.stderr
    assert "Traceback" not in done.stderr
    assert_nothing_left_over(run)


REFUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "a batch smaller than its ranks": (
        ("--model.batch_norm", "false", "--data.batch_size", 1),
        "--data.batch_size 1, 367 training images: too few for 2 devices to share",
    ),
    "an optimiser that looks at the loss": (
        ("--optimizer", "LBFGS", "--lr_scheduler", "null"),
        "--optimizer LBFGS: decides by the loss, of which each of several ranks knows a part",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("flags", "said"), REFUSED.values(), ids=REFUSED)
def test_what_several_ranks_cannot_do_is_refused(
    flags: tuple[object, ...],
    said: str,
    lightning_mnist_command: Command,
    tiny_npz: Path,
    tmp_path: Path,
) -> None:
    data = ("--data.source", tiny_npz, "--run_dir", tmp_path / "run")
    done = lightning_mnist_command("fit", *data, *on(2), *flags)
    assert done.returncode == 1
    assert done.stderr.count("error: ") == 1
    assert said in done.stderr


def test_batch_norm_over_all_ranks_is_torchs_and_on_gpus() -> None:
    def check(batch_norm: bool | str, device: str, sync: object) -> None:
        strategy = SimpleNamespace(_layer_sync=sync, root_device=torch.device(device))
        check_batch_norm(cast(Trainer, SimpleNamespace(strategy=strategy)), batch_norm)

    with pytest.raises(InputError, match="would replace Keras' batch norm by torch's"):
        check("keras", "cuda", object())
    with pytest.raises(InputError, match="torch computes it on GPUs only"):
        check(True, "cpu", object())
    check("keras", "cpu", None)
    check(True, "cuda", object())
    check(False, "cpu", object())


@pytest.mark.slow
def test_pictures_are_read_on_one_device(here: Here, alone: tuple[Path, Path]) -> None:
    best = alone[1] / "checkpoints" / "best.ckpt"
    done = here("predict", "--ckpt_path", best, "--images", "some.png", *on(2))
    assert done.code == 1
    assert "predict reads pictures on one device; choose --trainer.devices 1" in done.err


@pytest.mark.slow
def test_four_ranks_come_to_the_same_of_three_batches_to_validate_and_five_to_test(
    lightning_mnist_command: Command, tmp_path: Path
) -> None:
    """Neither 129 images nor the last 81 divide by four, nor do those that are only read."""
    flags = (
        "--data.source", bars(9_470, 8_200, tmp_path), *PLAIN, "--data.batch_size", 129,
        "--data.val_size", 4_100, "--views", "dim",
    )  # fmt: skip
    for ranks in (1, 4):
        run = tmp_path / f"{ranks}"
        done = lightning_mnist_command("fit", *flags, "--run_dir", run, *on(ranks), timeout=600)
        assert done.returncode == 0, done.stderr
        assert "accuracy" in done.stdout
        assert "of 8,200)" in done.stdout
    assert_the_same_run(tmp_path / "4", tmp_path / "1")
