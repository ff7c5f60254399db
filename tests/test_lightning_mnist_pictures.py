"""Pictures of every kind: the digit is found, what else is there is said, and MNIST's bars hold."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import tests.picture_light  # noqa: F401 - enters its kinds
from lightning_mnist import sources
from lightning_mnist.calibration import Calibration
from lightning_mnist.checkpoint import read_checkpoint
from lightning_mnist.errors import InputError
from lightning_mnist.mnist_form import fit_like_mnist
from lightning_mnist.own_images import Picture, find_picture, read_picture
from lightning_mnist.pictures import file as picture_file
from lightning_mnist.pictures.digit import FRAME, HIDDEN, LINES, SECOND
from lightning_mnist.pictures.strangers import strangers
from lightning_mnist.sources import RawDigits
from tests.conftest import Here
from tests.nothing import NOTHING
from tests.pictures import KINDS, Levels, enlarged, grey, hand_drawn, page

WARNED = {
    "lined": LINES,
    "lined_in_black": LINES,
    "lined_and_tilted": LINES,
    "squared_and_tilted": LINES,
    "on_a_line": LINES,
    "black_frame": FRAME,
    "paper_on_a_dark_table": FRAME,
    "turned_paper_on_wood": FRAME,
    "box_around": FRAME,
    "box_that_the_digit_touches": FRAME,
}


def read(name: str, strokes: Levels, seed: int, folder: Path) -> Picture:
    """A picture of a kind, saved and read."""
    drawn = KINDS[name](strokes, np.random.default_rng(seed))
    path = folder / f"{name}.{drawn.ending}"
    drawn.picture.save(path, **(drawn.options or {}))
    return read_picture(path)


@pytest.mark.parametrize("name", KINDS)
def test_the_digit_is_found_in_every_kind_of_picture(name: str, tmp_path: Path) -> None:
    """What the network would see is what it would see of the strokes alone."""
    strokes = hand_drawn(5, np.random.default_rng(5))
    found = read(name, strokes, 5, tmp_path)
    alone = find_picture(np.asarray(grey(255 * strokes)))
    assert alone is not None
    seen, ideal = found.pixels > 80, alone.pixels > 80
    near = np.pad(ideal, 1)
    near = np.any([near[y : y + 28, x : x + 28] for y in range(3) for x in range(3)], axis=0)
    assert (seen & near).sum() > 0.9 * seen.sum(), "something else was taken for strokes"
    assert (seen & ideal).sum() > 0.6 * ideal.sum(), "strokes are missing"
    if name in WARNED:
        assert WARNED[name] in found.warnings


@pytest.mark.parametrize("name", ["plain", "inverted", "specks", "low_contrast", "gif", "vignette"])
def test_a_clear_digit_gets_no_warning(name: str, tmp_path: Path) -> None:
    for digit in range(10):
        random = np.random.default_rng(digit)
        assert read(name, hand_drawn(digit, random), digit, tmp_path).warnings == ()


@pytest.mark.parametrize("apart", [130, 150])
@pytest.mark.parametrize("across", [True, False], ids=["side by side", "one above the other"])
def test_a_second_digit_is_never_passed_over(apart: int, across: bool) -> None:
    random = np.random.default_rng(0)
    for digit in range(10):
        first, second = (
            np.roll(hand_drawn(number, random, height=90), shift, axis=int(across))
            for number, shift in ((digit, -apart // 2), (3, apart // 2))
        )
        found = find_picture(np.asarray(grey(page(np.maximum(first, second)))))
        assert found is not None
        assert SECOND in found.warnings
        assert found.doubtful


def test_strokes_that_hardly_stand_out_are_said_to() -> None:
    random = np.random.default_rng(0)
    strokes = hand_drawn(2, random, width=0.05)
    grain = random.normal(0, 45, strokes.shape)
    found = find_picture(np.asarray(grey(page(strokes, 150, 130) + grain)))
    assert found is None or HIDDEN in found.warnings


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (5, 5)], ids=str)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16", "F", "1", "P"])
def test_odd_sizes_are_read_or_refused(size: tuple[int, int], mode: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.tiff"
    Image.new(mode, size).save(path)
    with pytest.raises(InputError, match="no ink"):
        read_picture(path)


def test_heic_is_read_or_its_reader_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "phone.heic"
    path.write_bytes(b"no picture")
    with monkeypatch.context() as patched:
        patched.setattr(picture_file, "find_spec", lambda name: None)
        with pytest.raises(InputError, match=r"phone.heic: .* pip install pillow-heif"):
            read_picture(path)
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    strokes = hand_drawn(4, np.random.default_rng(4))
    grey(page(strokes)).convert("RGB").save(path)
    assert read_picture(path).pixels.max() == 255


def test_what_is_in_mnists_form_keeps_every_bit(mnist_like: np.ndarray) -> None:
    for image in mnist_like:
        found = find_picture(image)
        assert found is not None
        np.testing.assert_array_equal(found.pixels, fit_like_mnist(image))


@pytest.fixture(scope="module")
def mnist_like() -> np.ndarray:
    """Embedded digits, 28 by 28."""
    return sources.load("digits", Path("nowhere")).test_images[:60]


@pytest.fixture(scope="module")
def mnist_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Here, Path], Path]:
    """The default recipe on MNIST, trained once."""
    folder = tmp_path_factory.mktemp("mnist")

    def train(here: Here, root: Path) -> Path:
        checkpoint = folder / "run" / "checkpoints" / "best.ckpt"
        if not checkpoint.exists():
            flags = ("--data.source", "mnist", "--data.root", root, "--run_dir", folder / "run")
            assert here("fit", *flags).code == 0
        return checkpoint

    return train


Run = Callable[[Here, Path], Path]


@pytest.mark.slow
def test_nine_of_ten_digits_are_read_right_in_all_kinds_but_four(
    here: Here, mnist_root: Path, mnist_run: Run, tmp_path: Path
) -> None:
    mnist = sources.load("mnist", mnist_root)
    checkpoint = mnist_run(here, mnist_root)
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
    done = here("predict", "--ckpt_path", checkpoint, "--images", "*-*-*", "--output", "out.json")
    assert done.code == 0, done.err
    right: dict[str, int] = dict.fromkeys(KINDS, 0)
    silent: set[str] = set()
    for row in json.loads((tmp_path / "out.json").read_text()):
        name, _, digit = Path(row["file"]).stem.split("-")
        right[name] += row["digit"] == int(digit)
        if row["digit"] != int(digit) and not row["warnings"] and not row["unsure"]:
            silent.add(name)
    poor = {name for name, count in right.items() if count < 18}
    assert len(poor) <= 4, poor
    assert not poor & silent, poor & silent


@pytest.mark.slow
def test_three_hundred_mnist_digits_on_all_grounds(
    here: Here, mnist_root: Path, mnist_run: Run, tmp_path: Path
) -> None:
    mnist = sources.load("mnist", mnist_root)
    grounds = ("plain", "light_falling_off", "grainy", "inverted", "black_on_nothing")
    for number in range(300):
        random = np.random.default_rng(number)
        drawn = KINDS[grounds[number % 5]](enlarged(mnist.test_images[number], random), random)
        drawn.picture.save(tmp_path / f"{number}-{mnist.test_labels[number]}.png")
    checkpoint = mnist_run(here, mnist_root)
    assert here("predict", "--ckpt_path", checkpoint, "--images", "*.png", "--output", "o.json")
    rows = json.loads((tmp_path / "o.json").read_text())
    right = [row["digit"] == int(Path(row["file"]).stem.split("-")[1]) for row in rows]
    assert len(right) == 300
    assert np.mean(right) >= 0.97


def logits_of(model: nn.Module, images: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return torch.as_tensor(model(torch.from_numpy(images)))


@pytest.mark.slow
def test_confidence_is_calibrated_and_mnist_is_familiar(
    here: Here, mnist_root: Path, mnist_run: Run
) -> None:
    mnist = sources.load("mnist", mnist_root)
    with np.load(mnist_run(here, mnist_root).parents[1] / "predictions.npz") as file:
        logits, labels = torch.from_numpy(file["logits"]), torch.from_numpy(file["labels"])
    calibration = Calibration.of(read_checkpoint(mnist_run(here, mnist_root)))
    assert calibration is not None
    assert expected_calibration_error(calibration.probabilities(logits), labels) < 0.005
    unsure = calibration.looks_unfamiliar(logits) | strangers(torch.from_numpy(mnist.test_images))
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
def test_pictures_without_a_digit_are_marked_unsure(
    here: Here, mnist_root: Path, mnist_run: Run, tmp_path: Path
) -> None:
    for number in range(200):
        draw = NOTHING[number % len(NOTHING)]
        Image.fromarray(draw(np.random.default_rng(number))).save(tmp_path / f"{number}.png")
    checkpoint = mnist_run(here, mnist_root)
    here("predict", "--ckpt_path", checkpoint, "--images", "*.png", "--output", "out.json")
    rows = json.loads((tmp_path / "out.json").read_text())
    sure = [row["file"] for row in rows if not row["unsure"]]
    assert len(sure) <= ANSWERED, sure


ANSWERED = 10
"""Of 200 pictures without a digit."""


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
