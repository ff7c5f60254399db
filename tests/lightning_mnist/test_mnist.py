"""The main job on the real MNIST, as a user would do it; and what happens without it."""

import csv
import importlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_mnist.data import sources
from parity.run_record import Predictions, RunRecord
from tests.conftest import ROOT, Command, Here, write_npz


@pytest.mark.slow
def test_the_default_recipe_reaches_98_3_percent(mnist_run: Path) -> None:
    record = RunRecord.load(mnist_run / "record.json")
    assert record.data["name"] == "mnist"
    assert (record.data["train"], record.data["val"], record.data["test"]) == (55000, 5000, 10000)
    predictions = Predictions.load(mnist_run / "predictions.npz")
    accuracy = (predictions.predicted == predictions.labels).mean()
    assert accuracy == pytest.approx(record.metrics["accuracy"])
    assert accuracy >= 0.983


@pytest.mark.slow
def test_mnist_digits_are_read_as_own_images(
    mnist_root: Path, mnist_run: Path, here: Here, tmp_path: Path
) -> None:
    """Enlarged four times, black on white, off-centre, as PNG and as JPEG."""
    digits = sources.load("mnist", mnist_root)
    rng = np.random.default_rng(0)
    for number, index in enumerate(rng.choice(10000, 200, replace=False)):
        large = Image.fromarray(255 - digits.test_images[index]).resize((112, 112))
        canvas = Image.new("L", (300, 240), 255)
        canvas.paste(large, (int(rng.integers(188)), int(rng.integers(128))))
        ending = "png" if number % 2 else "jpg"
        canvas.save(tmp_path / f"{digits.test_labels[index]}-{number:03}.{ending}")
    best, output = mnist_run / "checkpoints" / "best.ckpt", tmp_path / "out.csv"
    done = here("predict", "--ckpt_path", best, "--images", "*-*.*", "--output", output)
    assert done.code == 0, done.err
    with output.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 200
    assert np.mean([row["digit"] == Path(row["file"]).name[0] for row in rows]) >= 0.95


@pytest.mark.slow
def test_the_augmented_recipe_reads_every_view(
    mnist_root: Path, lightning_mnist_command: Command, tmp_path: Path
) -> None:
    recipe = ROOT / "configs" / "augmented.yaml"
    done = lightning_mnist_command(
        "fit", "-c", recipe, "--data.source", "mnist", "--data.root", mnist_root,
        "--run_dir", tmp_path / "run", "--views", "all", timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    views = RunRecord.load(tmp_path / "run" / "record.json").metrics["views"]
    accuracies = {view["name"]: view["accuracy"] for view in views}
    assert len(accuracies) == 9
    for name, accuracy in accuracies.items():
        assert accuracy >= (0.98 if name in ("clean", "inverted") else 0.97), accuracies
    assert not any(view["collapse"] for view in views)


@pytest.fixture(scope="module")
def mnist_npz(mnist_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MNIST as both sides read it."""
    digits = sources.load("mnist", mnist_root)
    return write_npz(digits, tmp_path_factory.mktemp("mnist") / "mnist.npz")


SGD = {
    "lightning_mnist": (
        "--optimizer", "SGD", "--optimizer.lr", "0.1", "--lr_scheduler", "null",
        "--model.batch_norm", "false", "--model.dropout", "0",
    ),
    "keras_reference": ("--optimizer.name", "SGD", "--optimizer.learning_rate", "0.1"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("package", SGD)
def test_the_users_bug_on_demand_and_its_alarm(
    package: str,
    mnist_npz: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All 1s, 11.35 %, and said in the first epoch, with cause and fix.

    That the guard stops by itself is tested on the embedded digits; other mistakes have tests too.
    """
    if package == "keras_reference":
        pytest.importorskip("keras", reason="the extra keras is not installed")
    main = importlib.import_module(f"{package}.instruments.faults").main
    monkeypatch.chdir(tmp_path)

    flags = (
        "--data.source", mnist_npz, "--model.hidden", "[128, 64]",
        "--trainer.max_epochs", 1, "--guard", "warn", "--run_dir", "run",
    )  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["faults", "255 - x", "fit", *map(str, flags), *SGD[package]])
    assert main() == 0
    metrics = RunRecord.load(tmp_path / "run" / "record.json").metrics
    assert metrics["accuracy"] == pytest.approx(0.1135, abs=0.0002)
    assert metrics["predicted_share"][1] > 0.999
    said = capsys.readouterr().err
    assert "the network has collapsed in epoch 1" in said
    assert "1. in training, the pixels were inverted and not scaled" in said
    assert "Feed it x / 255" in said


@pytest.fixture
def silent_proxy() -> Iterator[dict[str, str]]:
    """An environment whose every request is taken and never answered: a closed network."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        yield {"http_proxy": address, "https_proxy": address, "no_proxy": ""}


@pytest.mark.slow
def test_mnist_by_name_is_mnist_or_nothing(
    silent_proxy: dict[str, str], lightning_mnist_command: Command, tmp_path: Path
) -> None:
    done = lightning_mnist_command("fit", "--data.source", "mnist", cwd=tmp_path, **silent_proxy)
    assert done.returncode == 1
    (sentence,) = (line for line in done.stderr.splitlines() if "error" in line)
    assert sentence.startswith("error: MNIST is not in data and no mirror can be reached; put")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_auto_without_mnist_trains_on_the_embedded_digits_and_says_so(
    lightning_mnist_command: Command, tmp_path: Path
) -> None:
    refusing = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = lightning_mnist_command("fit", "--run_dir", "run", cwd=tmp_path, **refusing)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("NOT MNIST") == 1
    assert "test part of digits" in done.stdout
    record = RunRecord.load(tmp_path / "run" / "record.json")
    assert record.data["name"] == "digits"
    assert record.metrics["accuracy"] >= 0.965


@pytest.mark.slow
def test_two_ranks_count_every_image_once(lightning_mnist_command: Command, tmp_path: Path) -> None:
    done = lightning_mnist_command(
        "fit", "--data.source", "digits", "--data.batch_size", 64, "--run_dir", tmp_path / "run",
        "--trainer.accelerator", "cpu", "--trainer.devices", 2, "--trainer.strategy", "ddp",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("of 540)") == 1
    record = RunRecord.load(tmp_path / "run" / "record.json")
    assert record.metrics["images"] == 540
    assert record.metrics["accuracy"] >= 0.965
    predictions = Predictions.load(tmp_path / "run" / "predictions.npz")
    assert predictions.sample_ids.tolist() == list(range(540))
    digits = sources.load("digits", tmp_path)
    np.testing.assert_array_equal(predictions.labels, digits.test_labels)
