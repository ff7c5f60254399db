"""Training both sides and comparing them: real processes, reuse, failures, the shipped recipes."""

import io
import json
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import pytest
import yaml

pytest.importorskip("keras", reason="the extra keras is not installed")

from parity.commands import run as command
from parity.judge.verdict import Thresholds
from parity.run_record import RunRecord
from parity.sides import command_lines, jobs
from parity.sides.recipe import RECIPES, Recipe
from parity.sides.runner import export_data
from tests.conftest import ROOT, Here
from tests.support.parity_sides import healthy, worse

SHORT = ("--seeds", 2, "--epochs", 2, "--hidden", "[16]", "--batch_size", 32)


def records(out: Path) -> dict[str, RunRecord]:
    return {
        "/".join(path.parts[-3:-1]): RunRecord.load(path)
        for path in out.glob("runs/*/*/*/record.json")
    }


class Near:
    """A side that has run within this process when it is there, its frameworks imported once."""

    def __init__(self, command: list[str], *, stdout: BinaryIO, **_: Any) -> None:
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(io.StringIO()) as printed,
            redirect_stderr(printed),
            warnings.catch_warnings(action="ignore"),  # which are no errors in a process
        ):
            patch.setattr(sys, "argv", command[command.index("-m") + 1 :])
            patch.setattr(command_lines, "die_with_parent", lambda: None)
            self.code = command_lines.main()
        stdout.write(printed.getvalue().encode())

    def poll(self) -> int:
        """It has ended."""
        return self.code


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """No side is trained in a process of its own, as it is on MNIST."""
    channels = {"DEVNULL": subprocess.DEVNULL, "STDOUT": subprocess.STDOUT}
    monkeypatch.setattr(jobs, "subprocess", SimpleNamespace(Popen=Near, **channels))


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_both_sides_are_trained_on_the_same_arrays_and_finished_seeds_are_reused(
    parity_here: Here, tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    flags: tuple[object, ...] = ("run", "--data.source", tiny_npz, "--out", out, *SHORT)
    flags += ("--decay", 0.9, "--augmentation.shift", 1, "--views", "[dim]")
    done = parity_here(*flags)
    assert done.code in (0, 1, 3, 4), done.err
    values = json.loads((out / "report.json").read_text())
    views = {view["name"]: view["verdict"] for view in values["views"]}
    assert len(views) == 9
    assert {name for name, verdict in views.items() if verdict} == {"clean", "dim"}
    first = records(out)
    assert first["keras/seed0"].recipe["model"]["augmentation"]["shift"] == 1
    assert first["lightning/seed0"].recipe["model"]["augmentation"]["shift"] == 1
    rates = [[row["learning_rate"] for row in record.history] for record in first.values()]
    np.testing.assert_allclose(rates, [[0.001, 0.0009]] * 4, rtol=1e-6)
    assert sorted(first) == ["keras/seed0", "keras/seed1", "lightning/seed0", "lightning/seed1"]
    assert len({record.data["sha256"] for record in first.values()}) == 1
    assert all(record.finished for record in first.values())
    assert {name[-1]: record.seed for name, record in first.items()} == {"0": 0, "1": 1}
    assert (out / "report.html").exists()

    def no_training(*_: Any) -> None:
        raise AssertionError("a finished seed was trained again")

    with monkeypatch.context() as context:
        context.setattr(jobs, "environment", no_training)
        again = parity_here(*flags)
    assert again.code == done.code

    more = parity_here(*flags, "--seeds", 3)
    assert more.code in (0, 1, 3, 4), more.err
    after = records(out)
    assert len(after) == 6
    assert all(after[name].durations == record.durations for name, record in first.items())


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_a_side_that_fails_is_reported_and_the_others_work_is_kept(
    parity_here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    with np.load(tiny_npz) as file:
        arrays = {**file}
    # A class with one image: Lightning's stratified split must refuse it, Keras' does not look.
    arrays["y_train"] = np.where(np.arange(400) == 0, 0, np.maximum(arrays["y_train"], 1))
    np.savez(tiny_npz, **arrays)
    out = tmp_path / "out"
    done = parity_here("run", "--data.source", tiny_npz, "--out", out, *SHORT)
    assert done.code == 5
    assert "lightning did not finish seed0, seed1" in done.err
    assert "cannot keep 33 of 400 training images for validation" in done.err
    assert sorted(records(out)) == ["keras/seed0", "keras/seed1"]


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_of_each_data_set_is_the_shipped_one(name: str) -> None:
    file = {"mnist": "parity.yaml", "digits": "parity_digits.yaml"}[name]
    shipped = yaml.safe_load((ROOT / "configs" / file).read_text())
    recipe = RECIPES[name]
    for key, value in shipped.items():
        if key == "margins":
            assert {k: getattr(recipe.margins, k) for k in value} == value
        else:
            ours = getattr(recipe, key)
            assert (list(ours) if isinstance(ours, tuple) else ours) == value


def test_the_augmented_recipe_is_that_of_lightning_alone(here: Here) -> None:
    shipped = yaml.safe_load((ROOT / "configs" / "parity_augmented.yaml").read_text())
    margins = Thresholds(**shipped.pop("margins"))
    recipe = Recipe(**shipped, margins=margins)
    assert list(recipe.views) == ["inverted"]
    flags = recipe.flags("lightning", "auto", 0, "run")
    alone = here("fit", "-c", ROOT / "configs" / "augmented.yaml", "--print_config")
    both = here(*flags, "--print_config")
    assert (alone.code, both.code) == (0, 0), alone.err + both.err
    ours, theirs = (yaml.safe_load(done.out) for done in (both, alone))
    for config in (ours, theirs):
        del config["run_dir"], config["guard"]  # said of a run, not of the recipe
    # The judged one has Keras' own arithmetic; alone, torch's fused kernels come close to it.
    exact, close = ours.pop("optimizer"), theirs.pop("optimizer")
    assert exact["class_path"] == "lightning_mnist.optimizers.KerasAdam"
    assert close["class_path"] == "torch.optim.Adam"
    assert exact["init_args"]["lr"] == close["init_args"]["lr"]
    assert exact["init_args"]["epsilon"] == close["init_args"]["eps"]
    assert ours == theirs


def test_keras_match_is_the_plain_recipe_of_lightning_alone(here: Here) -> None:
    """What it reaches is what the port reaches on MNIST."""
    flags = RECIPES["mnist"].flags("lightning", "auto", 0, "run")
    alone = here("fit", "-c", ROOT / "configs" / "keras_match.yaml", "--print_config")
    both = here(*flags, "--print_config")
    assert (alone.code, both.code) == (0, 0), alone.err + both.err
    ours, theirs = (yaml.safe_load(done.out) for done in (both, alone))
    for config in (ours, theirs):
        del config["run_dir"], config["guard"]  # said of a run, not of the recipe
    assert ours == theirs


def test_both_command_lines_say_the_same() -> None:
    recipe = Recipe(
        hidden=(8, 4), dropout=0.1, invert=True, optimizer="sgd", activation="gelu", decay=0.9,
        learning_rate=0.1, augmentation={"rotation": 15.0, "invert": 0.5},
    )  # fmt: skip
    sides = [recipe.flags(side, "d.npz", 3, "run") for side in ("lightning", "keras")]
    ours, theirs = (dict(zip(flags[1::2], flags[2::2], strict=True)) for flags in sides)
    shared = ours.keys() & theirs.keys()
    assert {k for k in shared if ours[k] != theirs[k]} == set()
    assert ours["--model.hidden"] == "[8, 4]"
    assert ours["--model.activation"] == "gelu"
    assert {name: value for name, value in theirs.items() if "augmentation" in name} == {
        "--model.augmentation.rotation": "15.0",
        "--model.augmentation.invert": "0.5",
    }
    assert ours["--lr_scheduler"] == "torch.optim.lr_scheduler.ExponentialLR"
    assert ours["--lr_scheduler.gamma"] == theirs["--optimizer.decay"] == "0.9"
    assert ours["--optimizer"] == "lightning_mnist.optimizers.KerasSGD"
    assert theirs["--optimizer.name"] == "SGD"
    assert ours["--optimizer.lr"] == theirs["--optimizer.learning_rate"] == "0.1"
    for package, flags in zip(("lightning_mnist", "keras_reference"), sides, strict=True):
        assert flags[0] == "fit", package


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 6}, {"hidden": (64,)}, {"standardize": "image"}, {"activation": "tanh"},
        {"decay": 0.9}, {"augmentation": {"shift": 2.0}},
    ],
    ids=str,
)  # fmt: skip
def test_runs_are_kept_apart_by_recipe_data_and_software(change: dict[str, Any]) -> None:
    versions = {"torch": "1"}
    digest = Recipe().digest("aa", versions)
    assert digest == Recipe(seeds=9).digest("aa", versions)  # more seeds of the same
    assert digest == Recipe(views=("inverted",)).digest("aa", versions)  # judged otherwise
    others = {
        Recipe(**change).digest("aa", versions),
        Recipe().digest("bb", versions),
        Recipe().digest("aa", {"torch": "2"}),
    }
    assert digest not in others
    assert len(others) == 3


@pytest.mark.parametrize("name", ["seeds", "epochs", "batch_size"])
def test_an_empty_recipe_is_refused(name: str) -> None:
    nothing: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0; expected at least 1"):
        Recipe(**nothing)


def test_what_neither_side_knows_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(ValueError, match="augmentation wobble; expected rotation, shear"):
        Recipe(augmentation={"shift": 1.0, "wobble": 1.0})
    with pytest.raises(ValueError, match="views sideways; expected clean, inverted"):
        Recipe(views=("dim", "sideways"))
    with pytest.raises(ValueError, match="torch's Muon takes no biases; expected port exact"):
        Recipe(optimizer="muon", port="torch")


def test_export_writes_what_both_sides_read(here: Here, tmp_path: Path) -> None:
    done = here("export", "out", "--data.source", "digits")
    assert (done.code, done.out.strip()) == (0, "out/digits.npz")
    with np.load(tmp_path / "out" / "digits.npz") as arrays:
        assert arrays["x_train"].shape == (1257, 28, 28)
    assert here("export", "out", "--data.source", "cifar").code == 1
    assert here("export", "/dev/null/out", "--data.source", "digits").code == 1


@pytest.mark.parametrize(("loss", "code"), [(0.0, 0), (0.02, 1)], ids=["alike", "one loses"])
def test_seeds_auto_goes_on_until_it_is_decided(
    loss: float, code: int, parity_here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, *sides = healthy()
    rng = np.random.default_rng(0)
    asked: list[int] = []

    def train(recipe: Recipe, seeds: int, *_: Any) -> Path:
        asked.append(seeds)
        for name, models, lost in zip(("lightning", "keras"), sides, (0.0, loss), strict=True):
            for seed in range(seeds):
                folder = tmp_path / name / f"seed{seed}"
                folder.mkdir(parents=True, exist_ok=True)
                answers = worse(models[seed % 15], (models[seed % 15] == labels).mean() - lost, rng)
                np.savez(folder / "predictions.npz", labels=labels, predictions=answers)
        return tmp_path

    monkeypatch.setattr(command, "export_data", lambda *_: tmp_path / "mnist.npz")
    monkeypatch.setattr(command, "train_both", train)
    done = parity_here("run", "--seeds", "auto", "--most_seeds", 12, "--out", "out")
    assert done.code == code, done.out
    assert asked == [4 + 2 * n for n in range(len(asked))]
    said = [line for line in done.out.splitlines() if "so that all looks together keep" in line]
    assert len(said) == len(asked)
    assert "threshold changed: alpha is 0.0" in done.out


def test_seeds_are_a_number_or_auto(parity_here: Here) -> None:
    for flags, said in (
        (("--seeds", "few"), "seeds"),
        (("--seeds", "auto", "--most_seeds", "3"), "most_seeds is 3; expected at least 4"),
    ):
        done = parity_here("run", *flags)
        assert done.code == 2
        assert said in done.err


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_the_port_is_the_same_model_on_the_embedded_digits(
    parity_here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `make parity` does on a machine without MNIST, in 12 of its 30 epochs."""
    for scheme in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(scheme, "http://127.0.0.1:9")
    done = parity_here("run", "--out", tmp_path / "out", "--epochs", 12)
    assert done.code == 0, done.out + done.err
    assert "NOT MNIST" in done.err
    values = json.loads((tmp_path / "out" / "report.json").read_text())
    assert values["verdict"] == "EQUIVALENT"
    assert values["images"] == 540
    assert "accuracy_margin is 0.02, 0.005 by default" in values["changed_thresholds"]


@pytest.mark.slow
def test_the_port_is_the_same_model_on_mnist(
    parity_here: Here, mnist_root: Path, tmp_path: Path
) -> None:
    recipe = ROOT / "configs" / "parity.yaml"
    flags = ("--data.source", "mnist", "--data.root", mnist_root, "--out", tmp_path / "out")
    done = parity_here("run", "-c", recipe, *flags)
    assert done.code == 0, done.out + done.err
    values = json.loads((tmp_path / "out" / "report.json").read_text())
    assert values["verdict"] == "EQUIVALENT"
    assert values["changed_thresholds"] == []
    for side in values["sides"]:
        assert len(side["runs"]) == 5
        assert np.mean([run["accuracy"]["value"] for run in side["runs"]]) >= 0.97


@pytest.mark.parametrize(("code", "runs", "ends"), [(1, 2, 2), (143, 1, 143), (130, 1, 130)])
def test_a_side_that_was_asked_to_end_trains_no_other_seed(
    code: int, runs: int, ends: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def run_module(package: str, **_: Any) -> None:
        seen.append(sys.argv)
        raise SystemExit(code)

    file = tmp_path / "data" / "lightning.json"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    file.parent.mkdir()
    (file.parent / f".{gone.pid}-mnist.npz").touch()
    argv = jobs.in_one_process("lightning_mnist", [["fit"], ["fit"]], file)
    assert list(file.parent.iterdir()) == [file]
    monkeypatch.setattr(sys, "argv", argv[2:])
    monkeypatch.setattr(command_lines, "die_with_parent", lambda: None)
    monkeypatch.setattr("runpy.run_module", run_module)
    assert command_lines.main() == ends
    assert seen == [["lightning_mnist", "fit"]] * runs


def test_data_may_lie_under_names_that_are_no_text(tiny_npz: Path, tmp_path: Path) -> None:
    source = tiny_npz.rename(tmp_path / "\udcff.npz")
    path = export_data(tmp_path / "\udcfe", str(source), None)
    assert path == tmp_path / "\udcfe" / "\udcff.npz"
    assert path.is_file()
