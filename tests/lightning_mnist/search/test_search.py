"""``python -m lightning_mnist search``: on tiny digits in this process, and killed in its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import yaml

from lightning_mnist.data.datamodule import DigitsDataModule
from parity.run_record import RunRecord
from tests.conftest import ROOT, SLOW, Command, Here, make_digits, start, write_npz

SEARCH = """
trials: {trials}
epochs: 2
pruner: null
recipe: {{data: {{batch_size: 32}}, model: {{hidden: [16]}}}}
space:
  model.dropout: {{choices: [0, 0.2]}}
  optimizer:
    choices:
      torch.optim.SGD: {{optimizer.lr: {{log: [0.01, 0.5]}}}}
      torch.optim.AdamW:
        optimizer.lr: {{log: [0.001, 0.05]}}
        optimizer.weight_decay: {{log: [0.0001, 0.1]}}
"""


@pytest.fixture(autouse=True, scope="module")
def _as_it_was() -> Iterator[None]:
    """Optuna's level of logging is that of the process."""
    level = optuna.logging.get_verbosity()
    yield
    optuna.logging.set_verbosity(level)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a search of three trials has left; the file `mine.yaml` lies beside it."""
    folder = tmp_path_factory.mktemp("whole")
    write_npz(make_digits(train_per_class=40, test_per_class=8), folder / "tiny.npz")
    (folder / "mine.yaml").write_text(SEARCH.format(trials=3))
    flags = ("search", "-c", "mine.yaml", "--data.source", "tiny.npz", "--workers", 1)
    assert start("lightning_mnist", *flags, "--out", "whole", cwd=folder) == 0
    return folder / "whole"


@pytest.fixture
def search_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(SEARCH.format(trials=3))
    return path


def found(out: Path) -> dict[str, Any]:
    study: dict[str, Any] = json.loads((out / "study.json").read_text())
    return study


def values(out: Path) -> list[tuple[Any, ...]]:
    """What must not depend on when and where a trial was trained."""
    return [
        (trial["flags"], trial["value"], trial["train_accuracy"]) for trial in found(out)["trials"]
    ]


def test_a_search_leaves_the_best_recipe_the_trials_and_a_page(
    here: Here, search_file: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    flags = ("--data.source", tiny_npz, "--workers", 1)
    done = here("search", "-c", search_file, *flags)
    assert done.code == 0, done.err
    out = tmp_path / "runs" / "mine"
    names = {path.name for path in out.iterdir()}
    assert names == {"best.yaml", "journal.log", "search.html", "study.json"}

    study = found(out)
    assert study["search"]["seed"] == 0
    assert {"python", "torch", "optuna"} <= set(study["versions"])
    assert study["data"]["test"] == 80
    assert len(study["trials"]) == 3
    for trial in study["trials"]:
        assert trial["ended"] == "finished"
        assert [row["epoch"] for row in trial["history"]] == [1, 2]
        assert trial["value"] == trial["history"][-1]["val_accuracy"]
    best = max(study["trials"], key=lambda trial: trial["value"])
    assert study["trials"][study["best"]]["value"] == best["value"]

    page = (out / "search.html").read_text()
    assert page.count("data:image/png;base64,") == 3  # of three values none can matter
    assert "http" not in page
    assert f"--optimizer.lr {best['flags']['optimizer.lr']}" in page
    assert "python -m lightning_mnist fit -c runs/mine/best.yaml" in done.out

    # The recipe is what was trained: fit comes to the same to the bit.
    done = here("fit", "-c", out / "best.yaml", "--run_dir", tmp_path / "run")
    assert done.code == 0, done.err
    history = RunRecord.load(tmp_path / "run" / "record.json").history
    assert history[-1]["val_accuracy"] == best["value"]

    done = here("search", "-c", search_file, *flags)  # nothing is left to do
    assert done.code == 0, done.err
    assert "to go" not in done.out
    assert found(out)["trials"] == study["trials"]


def test_the_test_set_is_never_looked_at(
    here: Here, search_file: Path, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = make_digits(train_per_class=40, test_per_class=8)
    digits.test_images[:] = np.random.default_rng(1).integers(0, 256, digits.test_images.shape)
    digits.test_labels[:] = 0
    garbage = write_npz(digits, tmp_path / "garbage.npz")
    search_file.write_text(SEARCH.format(trials=2))

    def never(self: DigitsDataModule) -> None:
        raise AssertionError("the test set was looked at")

    monkeypatch.setattr(DigitsDataModule, "test_dataloader", never)
    monkeypatch.setattr(DigitsDataModule, "test_images", property(never))
    flags = ("search", "-c", search_file, "--workers", 1, "--out", "out")
    assert here(*flags, "--data.source", garbage).code == 0
    assert values(tmp_path / "out") == values(whole)[:2]


def test_a_search_goes_on_as_if_it_had_not_been_interrupted(
    here: Here, search_file: Path, tiny_npz: Path, tmp_path: Path, whole: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from lightning_mnist.trainings import training
    from lightning_mnist.trainings.training import Training

    flags = ("-c", search_file, "--data.source", tiny_npz, "--workers", 1)
    train = training.train
    trained: list[Any] = []

    def interrupted(*args: Any) -> Training:
        if trained:
            signal.raise_signal(signal.SIGTERM)
        trained.append(args)
        return train(*args)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train", interrupted)
        done = here("search", *flags, "--out", "parts")
    assert done.code == 143
    assert "the same command goes on" in done.err
    done = here("search", *flags, "--out", "parts")
    assert done.code == 0, done.err
    assert "2 of 3 trials to go" in done.out
    assert values(tmp_path / "parts") == values(whole)


def test_trials_that_cannot_be_trained_are_told_and_the_search_goes_on(
    here: Here, search_file: Path, tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning_mnist.divergence import DivergedError
    from lightning_mnist.trainings import training

    train = training.train
    calls: list[Any] = []

    def diverges(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise DivergedError("training has diverged in epoch 1")
        return train(*args)

    monkeypatch.setattr(training, "train", diverges)
    done = here("search", "-c", search_file, "--data.source", tiny_npz, "--workers", 1)
    assert done.code == 0, done.err
    ended = [trial["ended"] for trial in found(tmp_path / "runs" / "mine")["trials"]]
    assert ended == ["finished", "training has diverged in epoch 1", "finished"]
    assert "training has diverged" in (tmp_path / "runs" / "mine" / "search.html").read_text()


def test_trials_that_promise_little_are_pruned(
    here: Here, search_file: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    pruner = "{class_path: ThresholdPruner, init_args: {lower: 1.1}}"
    text = SEARCH.format(trials=2).replace("pruner: null", f"pruner: {pruner}")
    search_file.write_text(text)
    done = here("search", "-c", search_file, "--data.source", tiny_npz, "--workers", 1)
    assert done.code == 0, done.err
    out = tmp_path / "runs" / "mine"
    assert [len(trial["history"]) for trial in found(out)["trials"]] == [1, 1]
    assert found(out)["best"] is None
    assert not (out / "best.yaml").exists()


@pytest.mark.parametrize(
    ("change", "flags", "said"),
    [
        (("model.dropout:", "model.dropot:"), (), "model.dropot"),
        (("[0, 0.2]", "[0, 1.5]"), (), "dropout is 1.5; expected a probability"),
        (("torch.optim.SGD", "torch.optim.SDG"), (), "torch.optim.SDG"),
        (("space:", "spice:"), (), "spice: not known"),
        (("epochs: 2", "epochs: 2"), ("--storage", "nosuch://x"), "--storage nosuch://x: cannot"),
        (("epochs: 2", "epochs: 2"), ("--model.nosuch", 1), "--model.nosuch"),
        (("epochs: 2", "epochs: 2"), ("--run_dir", "x"), "--run_dir"),
        (("epochs: 2", "epochs: 2"), ("--data.source", "no.npz"), "no.npz: no such file"),
    ],
)
def test_mistakes_are_said_in_a_sentence_before_anything_is_trained(
    change: tuple[str, str], flags: tuple[object, ...], said: str,
    here: Here, search_file: Path, tiny_npz: Path,
) -> None:  # fmt: skip
    search_file.write_text(search_file.read_text().replace(*change))
    source = () if "--data.source" in flags else ("--data.source", tiny_npz)
    done = here("search", "-c", search_file, "--workers", 1, *source, *flags)
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert "trial 0" not in done.out


def test_other_data_are_refused(here: Here, search_file: Path, tmp_path: Path) -> None:
    search_file.write_text(SEARCH.format(trials=1))
    for name, count in (("one", 20), ("other", 30)):
        (tmp_path / name).mkdir()
        write_npz(make_digits(count, 2), tmp_path / name / "x.npz")
    (tmp_path / "data").symlink_to(tmp_path / "one")
    flags = ("-c", search_file, "--data.source", "data/x.npz", "--workers", 1)
    assert here("search", *flags).code == 0
    search_file.write_text(SEARCH.format(trials=2))
    (tmp_path / "data").unlink()
    (tmp_path / "data").symlink_to(tmp_path / "other")
    from lightning_mnist.trainings.training import read_once

    read_once.cache_clear()
    done = here("search", *flags)
    assert done.code == 1
    assert "has other images than data/x.npz, which this search has had so far" in done.err


def test_without_optuna_it_says_what_to_install(
    here: Here, search_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_mnist.sentences.find_spec", lambda name: None)
    done = here("search", "-c", search_file)
    assert done.code == 1
    assert "pip install 'lightning-mnist[search]'" in done.err


def test_the_shipped_search_file_is_one() -> None:
    from lightning_mnist.search.spec import read_spec

    spec = read_spec(ROOT / "configs" / "search.yaml", [])
    assert (spec.trials, spec.given["epochs"]) == (30, 2)


@SLOW
def test_every_recipe_of_the_shipped_search_file_can_be_built() -> None:
    from lightning_mnist.search.spec import read_spec
    from lightning_mnist.trainings.training import resolve

    spec = read_spec(ROOT / "configs" / "search.yaml", ["--data.source", "digits"])
    for flags in spec.space.samples():
        recipe = yaml.safe_load(resolve(spec.words(flags)).recipe)
        assert recipe["trainer"]["max_epochs"] == 2


@SLOW
@pytest.mark.parametrize(("storage", "kills"), [("journal.log", 2), ("sqlite:///search.db", 1)])
def test_killed_at_any_moment_a_search_goes_on(
    storage: str, kills: int, search_file: Path, tiny_npz: Path, tmp_path: Path,
    lightning_mnist_command: Command,
) -> None:  # fmt: skip
    search_file.write_text(SEARCH.format(trials=6))
    flags = [
        "search", "-c", str(search_file), "--data.source", str(tiny_npz),
        "--workers", "2", "--storage", storage,
    ]  # fmt: skip
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-m", "lightning_mnist", *flags],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        while not process.stdout.readline().startswith("trial "):
            assert process.poll() is None
        process.kill()  # while the other worker is in the middle of a trial
        process.communicate()
    done = lightning_mnist_command(*flags, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    trials = found(tmp_path / "runs" / "mine")["trials"]
    assert len(trials) == 6
    assert len({json.dumps(trial["flags"], sort_keys=True) for trial in trials}) == 6
    assert all(trial["ended"] == "finished" for trial in trials)


@SLOW
def test_two_commands_on_one_storage_share_the_work(
    search_file: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    search_file.write_text(SEARCH.format(trials=6))
    command = [
        sys.executable, "-m", "lightning_mnist", "search", "-c", str(search_file),
        "--data.source", str(tiny_npz), "--workers", "1", "--storage", "shared.log",
    ]  # fmt: skip
    processes = [
        subprocess.Popen(
            [*command, "--out", out],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for out in ("one", "two")
    ]
    printed = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert values(tmp_path / "one") == values(tmp_path / "two")
    assert sum(text.count("\ntrial ") for text in printed) == 6


@SLOW
def test_a_worker_that_is_killed_ends_the_search_with_a_sentence(
    search_file: Path, tiny_npz: Path, tmp_path: Path
) -> None:
    search_file.write_text(SEARCH.format(trials=50))
    process = subprocess.Popen(
        [sys.executable, "-m", "lightning_mnist", "search", "-c", str(search_file),
         "--data.source", str(tiny_npz), "--workers", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    while "trial" not in (line := process.stdout.readline()) or "to go" in line:
        assert line
    journal = (tmp_path / "runs" / "mine" / "journal.log").read_text()
    workers = {
        json.loads(line)["user_attr"]["worker"]["pid"]
        for line in journal.splitlines()
        if '"worker":{' in line
    }
    os.kill(max(workers), signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "a worker was ended by SIGKILL" in err
    assert "the same command goes on" in err
