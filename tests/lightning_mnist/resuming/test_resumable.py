"""A checkpoint from which training cannot go on is refused in a sentence, whatever is wrong."""

import copy
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import Here

SMALL = (
    "--model.hidden", "[8]", "--data.batch_size", 64, "--trainer.max_epochs", 1,
    "--trainer.enable_progress_bar", "false", "--guard", "off", "--run_dir", "run",
)  # fmt: skip
LAST = Path("run/checkpoints/last.ckpt")
Checkpoint = dict[str, Any]


def put(*keys: Any, value: Any) -> Callable[[Checkpoint], None]:
    def change(checkpoint: Checkpoint) -> None:
        inner: Any = checkpoint
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value

    return change


def transposed(checkpoint: Checkpoint) -> None:
    state = checkpoint["optimizer_states"][0]["state"][0]
    state["exp_avg"] = state["exp_avg"].T


def without_a_moment(checkpoint: Checkpoint) -> None:
    del checkpoint["optimizer_states"][0]["state"][2]["exp_avg_sq"]


GROUP = ("optimizer_states", 0, "param_groups", 0)
STATE = ("optimizer_states", 0, "state")
CHANGES: dict[str, tuple[Callable[[Checkpoint], None], str]] = {
    "moments of another shape": (
        transposed,
        "optimizer_states.state.0.exp_avg is [784, 8]; expected [8, 784]",
    ),
    "a short moment": (
        put(*STATE, 1, "exp_avg", value=torch.zeros(1)),
        "optimizer_states.state.1.exp_avg is [1]; expected [8]",
    ),
    "a moment too few": (without_a_moment, "optimizer_states.state.2 has no exp_avg_sq"),
    "no state": (put(*STATE, value={}), "optimizer_states.state has no 0"),
    "no optimiser": (put("optimizer_states", value=[]), "has 0 entries; expected 1"),
    "an optimiser that is a number": (put("optimizer_states", value=5), "expected a list"),
    "state that is a number": (put(*STATE, value=5), "state is int; expected a mapping"),
    "a rate that is text": (put(*GROUP, "lr", value="fast"), "lr is text; expected a number"),
    "a rate that is NaN": (put(*GROUP, "lr", value=float("nan")), "lr is not a number"),
    "one beta": (put(*GROUP, "betas", value=(0.9,)), "betas has 1 entries; expected 2"),
    "loops": (put("loops", value=5), "loops is int; expected a mapping"),
    "a loop": (put("loops", "fit_loop", "epoch_progress", value=[]), "epoch_progress is list"),
    "a count": (
        put("loops", "fit_loop", "epoch_progress", "total", "ready", value="1"),
        "ready is text; expected a number",
    ),
    "schedules": (put("lr_schedulers", value=[]), "lr_schedulers has 0 entries; expected 1"),
    "a version": (put("pytorch-lightning_version", value=2), "pytorch-lightning_version is int"),
    "callbacks": (put("callbacks", value=5), "does not say with which recipe it was trained"),
    "history": (
        put("callbacks", "RunRecorder", "history", value=[5]),
        "history is int; expected a mapping",
    ),
    "position": (put("position", value={"batches": 3}), "position has no ranks"),
}


@pytest.fixture
def sound(here: Here, tiny_npz: Path) -> Checkpoint:
    done = here("fit", "--data.source", tiny_npz, *SMALL)
    assert done.code == 0, done.err
    checkpoint: Checkpoint = torch.load(LAST, weights_only=True)
    return checkpoint


@pytest.mark.slow
def test_each_is_said_and_a_sound_one_goes_on(sound: Checkpoint, here: Here) -> None:
    for what, (change, said) in CHANGES.items():
        changed = copy.deepcopy(sound)
        change(changed)
        torch.save(changed, LAST)
        done = here("fit", "--resume", "run", "--trainer.max_epochs", 2)
        assert done.code == 1, what
        assert said in done.err, what
        assert done.err.count("error: ") == 1, what
        assert "Traceback" not in done.err, what
    torch.save(sound, LAST)
    done = here("fit", "--resume", "run", "--trainer.max_epochs", 2)
    assert done.code == 0, done.err


@pytest.mark.slow
def test_whatever_else_is_of_another_kind_is_never_a_traceback(
    sound: Checkpoint, here: Here
) -> None:
    values: tuple[Any, ...] = (5, "text", [], {}, None)
    for key, value in zip(sound, itertools.cycle(values), strict=False):
        torch.save({**sound, key: value}, LAST)
        done = here("fit", "--resume", "run", "--trainer.max_epochs", 1)
        assert done.code in (0, 1, 2), (key, value)
        assert done.code == 0 or "error: " in done.err, (key, value)


def test_a_split_that_is_none_is_refused_where_it_matters(
    sound: Checkpoint, here: Here, tiny_npz: Path
) -> None:
    for split in (5, {"seed": "0", "val_size": None}, {"seed": 0, "val_size": 1.5}):
        torch.save({**sound, "datamodule_hyper_parameters": split}, LAST)
        done = here("validate", "--ckpt_path", LAST, "--data.source", tiny_npz)
        assert done.code == 1
        assert "does not say which images were kept from training" in done.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SGD", "LBFGS", "KerasAdam"])
def test_optimisers_of_all_kinds_go_on(name: str, here: Here, tiny_npz: Path) -> None:
    flags = ("--optimizer", name, "--optimizer.lr", 0.01, "--lr_scheduler", "null")
    done = here("fit", "--data.source", tiny_npz, *SMALL, *flags)
    assert done.code == 0, done.err
    done = here("fit", "--resume", "run", "--trainer.max_epochs", 2)
    assert done.code == 0, done.err
