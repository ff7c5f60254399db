"""The reference's views: the same pictures as on the other side, and what is kept of them."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")

from PIL import Image

from keras_reference.errors import InputError
from keras_reference.views import VIEWS, chosen, seen_as
from lightning_mnist import views as torch_side
from parity.run_record import Predictions, RunRecord, view_files
from parity.sides import recipe
from tests.conftest import Here, embedded_digits

SHORT = ("--trainer.max_epochs", 1, "--model.hidden", "[8]", "--guard", "off")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return embedded_digits().test_images[:200]


def test_both_sides_and_the_recipe_have_the_same_views() -> None:
    assert list(VIEWS) == list(torch_side.VIEWS) == list(recipe.VIEWS)


@pytest.mark.parametrize("name", [name for name in VIEWS if name != "noisy"])
def test_both_sides_see_the_same_pixels(name: str, images: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = seen_as(name, images), torch_side.seen_as(name, torch.from_numpy(images)).numpy()
    assert ours.dtype == theirs.dtype == np.uint8
    difference = np.abs(ours.astype(int) - theirs)
    assert difference.max() <= 1  # what is half a grey level rounds up or down
    assert (difference > 0).mean() < 0.01
    assert np.array_equal(ours, images) == (name == "clean")


def test_the_noise_is_always_the_same_and_of_the_same_strength_as_on_the_other_side() -> None:
    torch = pytest.importorskip("torch")
    grey = np.full((200, 28, 28), 128, np.uint8)
    ours, theirs = seen_as("noisy", grey), torch_side.seen_as("noisy", torch.from_numpy(grey))
    assert np.array_equal(ours, seen_as("noisy", grey))
    assert ours.std() == pytest.approx(theirs.float().std().item(), rel=0.01)
    assert ours.mean() == pytest.approx(theirs.float().mean().item(), abs=1)


def test_names() -> None:
    assert chosen(["all"]) == list(VIEWS)
    assert chosen(["dim", "clean", "dim"]) == ["clean", "dim"]
    assert chosen([]) == []
    with pytest.raises(InputError, match=r"--views upside-down: expected all, or some of clean"):
        chosen(["clean", "upside-down"])


@pytest.mark.slow
@pytest.mark.pictures
def test_fit_and_predict_score_the_views_and_keep_their_predictions(
    keras_here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    run, again = tmp_path / "run", tmp_path / "again"
    fit = ("fit", "--data.source", tiny_npz, "--run_dir", run, *SHORT)
    done = keras_here(*fit, "--views", "sideways")
    assert (done.code, run.exists()) == (1, False)
    assert "error: --views sideways: expected all" in done.err

    done = keras_here(*fit, "--views", "all")
    assert done.code == 0, done.err
    record = RunRecord.load(run / "record.json")
    assert record.finished
    views = {view["name"]: view for view in record.metrics["views"]}
    assert list(views) == list(VIEWS)
    assert set(view_files(run)) == set(VIEWS)
    for name, file in view_files(run).items():
        answers = Predictions.load(file)
        right = (answers.predicted == answers.labels).mean()
        assert views[name]["accuracy"] == pytest.approx(right)
        counts = np.bincount(answers.predicted)
        assert views[name]["top_class"] == counts.argmax()
        assert views[name]["top_share"] == pytest.approx(counts.max() / counts.sum())
        assert f"│ {name}" in done.out
    clean = Predictions.load(view_files(run)["clean"])
    np.testing.assert_allclose(
        clean.logits, Predictions.load(run / "predictions.npz").logits, atol=1e-6
    )
    with Image.open(run / "views.png") as sheet:
        assert sheet.height > sheet.width / 2  # a row for each view

    flags = ("--model_file", run / "model.keras", "--data.source", tiny_npz, "--run_dir", again)
    done = keras_here("predict", *flags, "--views", "inverted", "dim")
    assert done.code == 0, done.err
    assert list(view_files(again)) == ["dim", "inverted"]
    for name, file in view_files(again).items():
        first, second = Predictions.load(view_files(run)[name]), Predictions.load(file)
        np.testing.assert_allclose(first.logits, second.logits, atol=1e-5)


@pytest.mark.slow
def test_both_sides_record_views_in_the_same_form(
    keras_here: Here, here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    records = []
    for name, command in (("keras", keras_here), ("torch", here)):
        flags = ("--data.source", tiny_npz, "--run_dir", tmp_path / name, "--views", "inverted")
        done = command("fit", *flags, *SHORT)
        assert done.code == 0, done.err
        records.append(RunRecord.load(tmp_path / name / "record.json"))
        assert records[-1].finished
        assert list(view_files(tmp_path / name)) == ["inverted"]
    (ours,), (theirs,) = (record.metrics["views"] for record in records)
    assert {key: type(value) for key, value in ours.items()} == {
        key: type(value) for key, value in theirs.items()
    }
