"""``python -m lightning_mnist compare``: its statistics, and the command on tiny digits."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from scipy import stats
from statsmodels.stats.multitest import multipletests

from lightning_mnist.compare.report import settings, summarise
from lightning_mnist.compare.runs import Run, kept
from lightning_mnist.compare.statistics import differences, holm
from lightning_mnist.data.datamodule import DigitsDataModule
from tests.conftest import ROOT, SLOW, Here, assert_part_of, mostly_slow

IMAGES = 5000


def test_a_pair_is_tested_as_scipy_tests_it() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.98, 0.002, 6), rng.normal(0.979, 0.002, 6)
    (pair,) = differences({"a": list(one), "b": list(other)}, IMAGES)
    oracle = stats.ttest_rel(one, other)
    low, high = oracle.confidence_interval(0.95)
    sign = 1 if pair.first == "a" else -1
    assert pair.p == pytest.approx(oracle.pvalue)
    assert sorted((sign * pair.low, sign * pair.high)) == pytest.approx([low, high])
    assert pair.mean == pytest.approx(abs(one.mean() - other.mean()))


def test_holm_is_that_of_statsmodels() -> None:
    ps = sorted(np.random.default_rng(1).uniform(0, 0.2, 7).tolist())
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])


def simulated(rng: np.random.Generator, recipes: int, loss: float = 0.0) -> dict[str, list[float]]:
    """Accuracies of 5 seeds, of which each has a split of its own; the last recipe is worse."""
    split = rng.normal(0, 0.002, 5)
    lost = np.eye(recipes)[-1] * loss
    return {
        f"r{place}": (0.98 + split + rng.normal(0, 0.001, 5) - lost[place]).tolist()
        for place in range(recipes)
    }


def test_equal_recipes_are_called_different_no_more_often_than_said() -> None:
    rng = np.random.default_rng(2)
    alarms = sum(
        any(pair.real for pair in differences(simulated(rng, 4), IMAGES)) for _ in range(1000)
    )
    assert alarms <= stats.binom.ppf(0.999, 1000, 0.05)


def test_a_worse_recipe_is_found_and_the_equal_ones_are_left_alone() -> None:
    """A loss of 0.8 points, of which a seed's split alone hides a part."""
    pairs = differences(simulated(np.random.default_rng(3), 3, loss=0.008), IMAGES)
    assert {(pair.second, pair.real) for pair in pairs if "r2" in (pair.first, pair.second)} == {
        ("r2", True)
    }
    assert [pair.real for pair in pairs if "r2" not in (pair.first, pair.second)] == [False]


def test_accuracies_that_agree_by_rounding_are_not_taken_for_certainty() -> None:
    one_image = 1 / IMAGES
    (pair,) = differences({"a": [0.98, 0.97], "b": [0.98 - one_image, 0.97 - one_image]}, IMAGES)
    assert pair.p > 0.05
    (same,) = differences({"a": [0.98, 0.97], "b": [0.98, 0.97]}, IMAGES)
    assert same.p == 1
    assert same.low < 0 < same.high


def test_one_seed_decides_nothing() -> None:
    assert differences({"a": [0.98], "b": [0.5]}, IMAGES) == []


def test_the_summary_counts_finished_runs() -> None:
    def run(accuracy: float, ended: str = "finished") -> Run:
        row = {"val_accuracy": accuracy, "seconds": 2.0}
        return Run("a", 0, {}, {}, ended, 7, accuracy + 0.01, [row, row])

    row = summarise("a", [run(0.97), run(0.99), Run("a", 2, {}, {}, "diverged")])
    assert (row.seeds, row.failed, row.parameters, row.seconds) == (2, 1, 7, 4.0)
    assert row.mean == pytest.approx(0.98)
    assert row.deviation == pytest.approx(0.02 / math.sqrt(2))
    assert row.gap == pytest.approx(0.01)
    nothing = summarise("b", [Run("b", 0, {}, {}, "diverged")])
    assert (nothing.mean, nothing.deviation, nothing.gap) == (None, None, None)


def test_the_settings_that_differ_are_told_and_no_others() -> None:
    adam = {"optimizer": {"class_path": "Adam", "init_args": {"lr": 1, "eps": 2}}, "seed": 0}
    sgd = {"optimizer": {"class_path": "SGD", "init_args": {"lr": 1}}, "seed": 0}
    assert settings({"a": adam, "b": sgd}) == {
        "optimizer": ["Adam", "SGD"],
        "optimizer.eps": ["2", "-"],
    }


@pytest.fixture
def recipes(tmp_path: Path) -> tuple[str, ...]:
    small = "data: {batch_size: 32}\nmodel: {hidden: [16], dropout: 0}\n"
    (tmp_path / "plain.yaml").write_text(small)
    (tmp_path / "slow.yaml").write_text(f"{small}optimizer: {{init_args: {{lr: 0.00001}}}}\n")
    return ("-c", "plain.yaml", "-c", "slow.yaml", "--trainer.max_epochs", "2")


def figures(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "compare.json").read_text())
    return found


@pytest.mark.pictures
def test_a_comparison_leaves_figures_a_picture_and_a_page(
    here: Here, recipes: tuple[str, ...], tiny_npz: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def never(self: DigitsDataModule) -> None:
        raise AssertionError("the test set was looked at")

    monkeypatch.setattr(DigitsDataModule, "test_dataloader", never)
    monkeypatch.setattr(DigitsDataModule, "test_images", property(never))
    flags = ("compare", *recipes, "--data.source", tiny_npz, "--workers", 1, "--seeds", 2)
    done = here(*flags)
    assert done.code == 0, done.err
    out = tmp_path / "runs" / "compare"
    assert {path.name for path in out.iterdir()} == {
        "compare.html", "compare.json", "compare.png", "runs",
    }  # fmt: skip
    found = figures(out)
    assert [(r["name"], r["seeds"]) for r in found["recipes"]] == [("plain", 2), ("slow", 2)]
    assert found["recipes"][0]["mean"] > found["recipes"][1]["mean"]
    assert found["recipes"][0]["parameters"] == 784 * 16 + 16 + 16 * 2 + 16 * 10 + 10
    assert [(r["name"], r["seed"]) for r in found["runs"]] == [
        ("plain", 0), ("plain", 1), ("slow", 0), ("slow", 1),
    ]  # fmt: skip
    assert len(found["differences"]) == 1
    assert "--optimizer.lr" in (page := (out / "compare.html").read_text())
    assert "http" not in page
    with Image.open(out / "compare.png") as image:
        assert min(image.size) > 200

    # A third seed is trained, and the others are kept; so is nothing of another recipe.
    (tmp_path / "plain.yaml").write_text("data: {batch_size: 32}\nmodel: {hidden: [8]}\n")
    done = here(*flags[:-1], 3)
    assert done.code == 0, done.err
    assert [line for line in done.out.splitlines() if "kept from before" in line] == [
        "slow, seed 0: kept from before",
        "slow, seed 1: kept from before",
    ]
    assert figures(out)["runs"][3:5] == found["runs"][2:]


def test_a_run_that_diverges_is_counted_and_not_tested(
    here: Here, recipes: tuple[str, ...], tiny_npz: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from lightning_mnist.divergence import DivergedError
    from lightning_mnist.trainings import training

    train = training.train

    def diverges(words: list[str], **settings: Any) -> Any:
        if "slow.yaml" in words:
            raise DivergedError("training has diverged in epoch 1")
        return train(words, **settings)

    monkeypatch.setattr(training, "train", diverges)
    flags = ("compare", *recipes, "--data.source", tiny_npz, "--workers", 1, "--seeds", 1)
    done = here(*flags)
    assert done.code == 0, done.err
    assert "slow, seed 0: training has diverged in epoch 1" in done.out
    found = figures(tmp_path / "runs" / "compare")
    assert [(r["seeds"], r["failed"]) for r in found["recipes"]] == [(1, 0), (0, 1)]
    assert found["differences"] == []
    run = kept(tmp_path / "runs" / "compare", "slow", 0)
    assert run is not None
    assert not run.finished


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("-c", "nosuch.yaml"), "-c nosuch.yaml: no such file"),
        (("-c", "plain.yaml", "-c", "./plain.yaml"), "both are called plain"),
        (("-c", "plain.yaml", "--model.nosuch", "1"), "--model.nosuch"),
        (("-c", "plain.yaml", "-c", "wrong.yaml"), "-c wrong.yaml: dropout is 2"),
        (("-c", "plain.yaml", "--seed_everything", "3"), "--seed_everything"),
        (("-c", "plain.yaml", "--data.source", "no.npz"), "no.npz: no such file"),
        (("-c", "plain.yaml", "--out", "plain.yaml"), "--out plain.yaml: cannot be written"),
    ],
)
def test_mistakes_are_said_in_a_sentence_before_anything_is_trained(
    flags: tuple[str, ...], said: str, here: Here, recipes: tuple[str, ...], tiny_npz: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    (tmp_path / "wrong.yaml").write_text("model: {dropout: 2}\n")
    source = () if "--data.source" in flags else ("--data.source", tiny_npz)
    done = here("compare", "--workers", 1, *source, *flags)
    assert done.code == 1
    assert done.err.startswith("error: ")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert "seed 0" not in done.out


def test_a_damaged_run_is_trained_anew(tmp_path: Path) -> None:
    run = Run("a", 0, {"seed": 0}, {"sha256": "x"}, history=[{"val_accuracy": math.nan}])
    run.save(tmp_path)
    again = kept(tmp_path, "a", 0)
    assert again is not None
    assert math.isnan(again.accuracy)
    path = tmp_path / "runs" / "a-seed0.json"
    for text in ("", "[]", "{}", path.read_text()[:-20], path.read_text().replace("0", '"0"')):
        path.write_text(text)
        assert kept(tmp_path, "a", 0) is None


@SLOW
def test_killed_a_comparison_goes_on_with_two_processes(
    recipes: tuple[str, ...], tiny_npz: Path, tmp_path: Path
) -> None:
    command = [
        sys.executable, "-m", "lightning_mnist", "compare", *recipes, "--data.source",
        str(tiny_npz), "--workers", "2", "--seeds", "3",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        folder = tmp_path / "runs" / "compare" / "runs"
        while not list(folder.glob("[!.]*.json")):  # others are being written
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "kept from before" in done.stdout
    assert len(figures(tmp_path / "runs" / "compare")["runs"]) == 6


RECIPES = sorted(path.stem for path in (ROOT / "configs" / "compare").glob("*.yaml"))


@pytest.mark.parametrize("name", mostly_slow(RECIPES, "optimizer-nesterov", "regularizer-all"))
def test_every_recipe_is_valid_and_says_what_it_means(name: str) -> None:
    from lightning_mnist.trainings.training import resolve

    recipe = ROOT / "configs" / "compare" / f"{name}.yaml"
    resolved = yaml.safe_load(resolve(["-c", str(recipe), "--data.source", "digits"]).recipe)

    assert_part_of(yaml.safe_load(recipe.read_text()), resolved)


def test_the_depths_are_compared_at_equal_cost() -> None:
    sizes = []
    for path in (ROOT / "configs" / "compare").glob("depth-*.yaml"):
        hidden = yaml.safe_load(path.read_text())["model"]["hidden"]
        assert path.stem == f"depth-{len(hidden)}x{hidden[0]}"
        widths = [784, *hidden, 10]
        sizes.append(sum((a + 1) * b for a, b in pairwise(widths)))
    assert len(sizes) == 4
    assert max(sizes) / min(sizes) < 1.005
