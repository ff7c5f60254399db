"""What `predict` answers: confidence that means something, and MNIST's bars for own pictures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import tests.support.picture_light
import tests.support.picture_marks
import tests.support.picture_paper
import tests.support.picture_pens  # noqa: F401 - they enter their kinds
from lightning_mnist.calibration import Calibration, Calibrator
from lightning_mnist.checkpoint import read_checkpoint
from lightning_mnist.data import sources
from lightning_mnist.data.sources import RawDigits
from lightning_mnist.own_images import Picture, find_picture
from lightning_mnist.pictures.strangers import doubted
from tests.conftest import Here
from tests.support import nothing
from tests.support import strangers as training
from tests.support.nothing import DRAWINGS, NOTHING, almost_a_digit, letter, scribble
from tests.support.pictures import KINDS, enlarged, grey, hand_drawn, page

Draw = Callable[[np.random.Generator], NDArray[np.uint8]]


def best(run: Path) -> Path:
    """Its checkpoint."""
    return run / "checkpoints" / "best.ckpt"


def read(here: Here, run: Path, images: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what its network says of each that holds any ink."""
    done = here("predict", "--ckpt_path", best(run), "--images", images, "--output", "out.json")
    return done.code, json.loads(Path("out.json").read_text())


@pytest.mark.slow
def test_nine_of_ten_digits_are_read_right_in_all_kinds_but_four(
    here: Here, mnist_root: Path, mnist_run: Path, tmp_path: Path
) -> None:
    mnist = sources.load("mnist", mnist_root)
    for name, draw in KINDS.items():
        for digit in range(10):
            random = np.random.default_rng(digit)
            ids = np.flatnonzero(mnist.test_labels == digit)
            for kind, strokes in (
                ("hand", hand_drawn(digit, random)),
                ("mnist", enlarged(mnist.test_images[ids[random.integers(200)]], random)),
            ):
                drawn = draw(strokes, random)
                path = tmp_path / f"{name}-{kind}-{digit}.{drawn.ending}"
                drawn.picture.save(path, **(drawn.options or {}))
    right: dict[str, int] = dict.fromkeys(KINDS, 0)
    silent: set[str] = set()
    code, rows = read(here, mnist_run, "*-*-*")
    assert code == 0
    for row in rows:
        name, _, drawn_digit = Path(row["file"]).stem.split("-")
        right[name] += row["digit"] == int(drawn_digit)
        if row["digit"] != int(drawn_digit) and not row["warnings"] and not row["unsure"]:
            silent.add(name)
    poor = {name for name, count in right.items() if count < 18}
    assert len(poor) <= 4, poor
    assert not poor & silent, poor & silent


@pytest.mark.slow
def test_three_hundred_mnist_digits_on_all_grounds(
    here: Here, mnist_root: Path, mnist_run: Path, tmp_path: Path
) -> None:
    mnist = sources.load("mnist", mnist_root)
    grounds = ("plain", "light_falling_off", "grainy", "inverted", "black_on_nothing")
    for number in range(300):
        random = np.random.default_rng(number)
        drawn = KINDS[grounds[number % 5]](enlarged(mnist.test_images[number], random), random)
        drawn.picture.save(tmp_path / f"{number}-{mnist.test_labels[number]}.png")
    assert here(
        "predict", "--ckpt_path", best(mnist_run), "--images", "*.png", "--output", "o.json"
    )
    rows = json.loads((tmp_path / "o.json").read_text())
    right = [row["digit"] == int(Path(row["file"]).stem.split("-")[1]) for row in rows]
    assert len(right) == 300
    assert np.mean(right) >= 0.97


@pytest.mark.slow
def test_confidence_is_calibrated_and_mnist_is_familiar(mnist_root: Path, mnist_run: Path) -> None:
    mnist = sources.load("mnist", mnist_root)
    with np.load(mnist_run / "predictions.npz") as file:
        logits, labels = torch.from_numpy(file["logits"]), torch.from_numpy(file["labels"])
    calibration = Calibration.of(read_checkpoint(best(mnist_run)))
    assert calibration is not None
    probabilities = calibration.probabilities(logits)
    assert expected_calibration_error(probabilities, labels) < 0.005
    unsure = calibration.looks_unfamiliar(logits)
    unsure |= doubted(torch.from_numpy(mnist.test_images), probabilities)
    assert unsure.double().mean() <= 0.01


def expected_calibration_error(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """Of fifteen bins of equal width (Naeini et al., 2015)."""
    confidence, predicted = probabilities.max(dim=1)
    bins = (confidence * 15).ceil().long().clamp(1, 15)
    right = (predicted == labels).double()
    return sum(
        abs((confidence[bins == bin_].sum() - right[bins == bin_].sum()).item())
        for bin_ in bins.unique()
    ) / len(labels)


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [NOTHING, DRAWINGS], ids=["letters and textures", "drawings"])
def test_pictures_without_a_digit_are_marked_unsure(
    kinds: tuple[Draw, ...], here: Here, mnist_run: Path, tmp_path: Path
) -> None:
    for number in range(200):
        draw = kinds[number % len(kinds)]
        Image.fromarray(draw(np.random.default_rng(number))).save(tmp_path / f"{number}.png")
    _, rows = read(here, mnist_run, "*.png")  # blank ones are refused
    sure = [row["file"] for row in rows if not row["unsure"]]
    assert len(sure) <= ANSWERED, sure


ANSWERED = 10
"""Of 200 pictures without a digit."""


def test_strangers_are_told_from_digits_of_pens_that_mnist_has_not() -> None:
    drawings, digits = (
        [find_picture(np.asarray(draw(np.random.default_rng(number)))) for number in range(60)]
        for draw in (any_drawing, any_digit)
    )
    assert doubted_whatever_is_said(drawings).double().mean() >= 0.9
    assert doubted_whatever_is_said(digits).double().mean() <= 0.05


def test_letters_that_are_nearly_digits_are_told_from_them() -> None:
    letters = [find_picture(almost_a_digit(np.random.default_rng(number))) for number in range(60)]
    assert doubted_whatever_is_said(letters).double().mean() >= 0.85


def test_what_looks_like_another_digit_than_the_answer_is_doubted() -> None:
    drawn = [grey(page(hand_drawn(digit, np.random.default_rng(0)))) for digit in range(10)]
    pixels = pixels_of([find_picture(np.asarray(picture)) for picture in drawn])
    right = torch.full((10, 10), 0.01) + 0.9 * torch.eye(10)
    assert not doubted(pixels, right).any()
    assert doubted(pixels, right.roll(1, dims=0)).all()


@pytest.mark.parametrize("apart", [-4, 0, 5], ids=lambda apart: f"{apart} pixels apart")
def test_two_digits_are_warned_of_or_unsure_where_they_touch_too(apart: int) -> None:
    for digit in range(10):
        random = np.random.default_rng(digit)
        pair = [hand_drawn(number, random, height=110) for number in (digit, (3 * digit + 2) % 10)]
        columns = [np.flatnonzero((strokes > 0.3).any(axis=0)) for strokes in pair]
        first = np.roll(pair[0], 100 - columns[0][-1], axis=1)
        second = np.roll(pair[1], 101 + apart - columns[1][0], axis=1)
        picture = find_picture(np.asarray(grey(page(np.maximum(first, second)))))
        assert picture is not None
        assert picture.warnings or doubted_whatever_is_said([picture]).all()


def any_drawing(random: np.random.Generator) -> np.ndarray:
    kinds = (letter, scribble, *DRAWINGS)
    return kinds[int(random.integers(len(kinds)))](random)


def any_digit(random: np.random.Generator) -> np.ndarray:
    width = random.uniform(0.03, 0.16)
    return np.asarray(grey(page(hand_drawn(int(random.integers(10)), random, width=width))))


def doubted_whatever_is_said(pictures: list[Picture | None]) -> torch.Tensor:
    """Those that look like no digit, for a network that says nothing of which digit it is."""
    pixels = pixels_of(pictures)
    return doubted(pixels, torch.full((len(pixels), 10), 0.1))


def pixels_of(pictures: list[Picture | None]) -> torch.Tensor:
    return torch.from_numpy(np.stack([picture.pixels for picture in pictures if picture]))


def test_the_detector_is_measured_on_fonts_that_it_has_not_seen() -> None:
    assert not set(nothing.FONTS) & set(training.FONTS)


def test_a_temperature_makes_confidence_as_large_as_it_is_right() -> None:
    generator = torch.Generator().manual_seed(0)
    fair = torch.randn(20000, 10, generator=generator) * 2
    labels = torch.multinomial(fair.softmax(dim=1), 1, generator=generator)[:, 0]
    for factor in (0.5, 1.0, 3.0):
        calibration = Calibration.fit(fair * factor, labels)
        assert calibration.temperature == pytest.approx(factor, rel=0.05)
        probabilities = calibration.probabilities(fair * factor)
        assert expected_calibration_error(probabilities, labels) < 0.015


def test_few_images_without_a_mistake_do_not_make_a_network_infallible() -> None:
    logits = 20 * torch.eye(10).repeat(5, 1)
    calibration = Calibration.fit(logits, torch.arange(10).repeat(5))
    assert calibration.probabilities(logits).max() < 0.99


def test_nothing_is_measured_on_nothing_or_on_what_is_not_a_number() -> None:
    assert Calibration.fit(torch.zeros(0, 10), torch.zeros(0, dtype=torch.int64)) == Calibration()
    bad = torch.full((3, 10), torch.nan)
    assert Calibration.fit(bad, torch.zeros(3, dtype=torch.int64)) == Calibration()


def test_a_checkpoint_keeps_what_was_measured_on_its_validation_images(
    here: Here, tiny_npz: Path, tiny_digits: RawDigits, tmp_path: Path
) -> None:
    small = ("--model.hidden", "[8]", "--trainer.max_epochs", 2, "--guard", "off")
    assert here("fit", "--data.source", tiny_npz, "--run_dir", "run", *small).code == 0
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    calibration = Calibration.of(read_checkpoint(path))
    assert calibration is not None
    assert calibration.temperature != 1
    Image.fromarray(255 - tiny_digits.test_images[0]).resize((90, 90)).save(tmp_path / "x.png")
    flags = ("predict", "--ckpt_path", path, "--images", "x.png", "--output", "out.json")
    assert "calibration" not in here(*flags).err
    (row,) = json.loads((tmp_path / "out.json").read_text())
    assert isinstance(row["unsure"], bool)

    old = torch.load(path, weights_only=True)
    del old["calibration"]
    torch.save(old, path)
    done = here(*flags)
    assert done.code == 0
    assert done.err.count("this checkpoint holds no calibration") == 1


def test_measuring_leaves_the_training_as_it_is(
    here: Here, tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ("--model.hidden", "[8]", "--trainer.max_epochs", 2, "--guard", "off")
    assert here("fit", "--data.source", tiny_npz, "--run_dir", "with", *small).code == 0
    monkeypatch.setattr(Calibrator, "on_validation_epoch_end", lambda *_: None)
    assert here("fit", "--data.source", tiny_npz, "--run_dir", "without", *small).code == 0
    runs = [tmp_path / name for name in ("with", "without")]
    first, second = (np.load(run / "predictions.npz") for run in runs)
    np.testing.assert_array_equal(first["logits"], second["logits"])
    first, second = (read_checkpoint(run / "checkpoints" / "last.ckpt") for run in runs)
    assert "calibration" in first
    assert "calibration" not in second
    for name, weight in first["state_dict"].items():
        assert torch.equal(weight, second["state_dict"][name])
