"""Views: each shows what its name says, and the table says how the model takes it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_mnist.errors import InputError
from lightning_mnist.views import VIEWS, chosen, seen_as
from parity.run_record import Predictions, RunRecord, view_files
from tests.conftest import Here, embedded_digits


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.from_numpy(embedded_digits().test_images[:50])


def centre(images: Tensor) -> tuple[float, float]:
    """Mean row and column of the ink."""
    weights = images.double() / images.sum((1, 2), keepdim=True)
    line = torch.arange(28.0, dtype=torch.float64)
    return float((weights.sum(2) @ line).mean()), float((weights.sum(1) @ line).mean())


def test_every_view_is_uint8_and_always_the_same(images: Tensor) -> None:
    for name in VIEWS:
        seen = seen_as(name, images)
        assert seen.dtype == torch.uint8
        assert seen.shape == images.shape
        assert torch.equal(seen, seen_as(name, images))
        assert torch.equal(seen, images) == (name == "clean")


def test_grey_levels(images: Tensor) -> None:
    assert torch.equal(seen_as("inverted", images), 255 - images)
    assert (seen_as("dim", images).float() - images / 4).abs().max() <= 0.5
    assert torch.equal(seen_as("bright", images), (images.int() * 2).clamp(max=255).to(torch.uint8))


def test_places_and_sizes(images: Tensor) -> None:
    row, column = centre(images)
    # A few strokes reach the edge and leave the image.
    assert centre(seen_as("shifted", images)) == pytest.approx((row + 3, column + 3), abs=0.15)
    ink = images.double().sum()
    assert float(seen_as("shrunk", images).sum() / ink) == pytest.approx(0.49, abs=0.02)
    assert float(seen_as("enlarged", images).sum() / ink) == pytest.approx(1.44, abs=0.05)


def test_rotation_is_anticlockwise_by_15_degrees() -> None:
    line = torch.zeros(1, 28, 28, dtype=torch.uint8)
    line[0, 13:15, 16:26] = 255  # from the centre to the right
    row, column = centre(seen_as("rotated", line))
    angle = np.degrees(np.arctan2(13.5 - row, column - 13.5))
    assert angle == pytest.approx(15, abs=0.5)


def test_names() -> None:
    assert chosen(["all"]) == list(VIEWS)
    assert chosen(["dim", "clean", "dim"]) == ["dim", "clean"]
    with pytest.raises(InputError, match=r"--views upside-down: expected all, or some of clean"):
        chosen(["clean", "upside-down"])


@pytest.mark.slow
@pytest.mark.pictures
def test_the_table_shows_what_a_model_makes_of_each_view(here: Here, tmp_path: Path) -> None:
    done = here("fit", "--data.source", "digits", "--run_dir", "run", "--trainer.max_epochs", 4)
    assert done.code == 0, done.err
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    test = ("test", "--ckpt_path", best, "--data.source", "digits", "--run_dir", "tested")
    done = here(*test, "--views", "sideways")
    assert (done.code, (tmp_path / "tested").exists()) == (1, False)
    assert "error: --views sideways: expected all" in done.err

    done = here(*test, "--views", "all")
    assert done.code == 0, done.err
    record = RunRecord.load(tmp_path / "tested" / "record.json")
    views = {view["name"]: view for view in record.metrics["views"]}
    assert list(views) == list(VIEWS)
    assert views["clean"]["accuracy"] == pytest.approx(record.metrics["accuracy"])
    assert views["clean"]["collapse"] == []
    assert views["inverted"]["accuracy"] < 0.5  # never trained on
    assert views["inverted"]["collapse"]
    for view in VIEWS:
        assert f"│ {view}" in done.out
    with Image.open(tmp_path / "tested" / "views.png") as sheet:
        assert sheet.height > 1000
    files = view_files(tmp_path / "tested")
    assert set(files) == set(VIEWS)
    for name, file in files.items():
        answers = Predictions.load(file)
        right = answers.predicted == answers.labels
        assert views[name]["accuracy"] == pytest.approx(right.mean())
    whole = Predictions.load(tmp_path / "tested" / "predictions.npz")
    np.testing.assert_array_equal(Predictions.load(files["clean"]).labels, whole.labels)


def test_a_run_that_goes_on_keeps_no_views_of_before(
    here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    fit = (
        "fit", "--data.source", tiny_npz, "--run_dir", tmp_path / "run", "--guard", "off",
        "--model.hidden", "[8]",
    )  # fmt: skip
    done = here(*fit, "--trainer.max_epochs", 1, "--views", "dim", "inverted")
    assert done.code == 0, done.err
    record = RunRecord.load(tmp_path / "run" / "record.json")
    assert record.finished
    assert [view["name"] for view in record.metrics["views"]] == ["dim", "inverted"]
    assert set(view_files(tmp_path / "run")) == {"dim", "inverted"}
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    done = here(*fit, "--trainer.max_epochs", 2, "--ckpt_path", last)
    assert done.code == 0, done.err
    assert view_files(tmp_path / "run") == {}
    assert not (tmp_path / "run" / "views.png").exists()
    assert "views" not in RunRecord.load(tmp_path / "run" / "record.json").metrics
