"""Own pictures through the command line: a table, files, and failures by name."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_mnist import predict
from lightning_mnist.own_images import read_digit
from lightning_mnist.trained import Trained
from tests.conftest import Here, embedded_digits, start


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve of the embedded test digits, drawn large in black on white, off-centre."""
    folder = tmp_path_factory.mktemp("pictures")
    digits = embedded_digits()
    for number in range(12):
        large = Image.fromarray(255 - digits.test_images[number]).resize((112, 112))
        canvas = Image.new("RGB", (300, 240), "white")
        canvas.paste(large, (20 + 10 * number, 90))
        ending = "png" if number % 2 else "jpg"
        canvas.save(folder / f"{number:02}-{digits.test_labels[number]}.{ending}")
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on the embedded digits as the default recipe says."""
    folder = tmp_path_factory.mktemp("trained")
    flags = ("fit", "--data.source", "digits", "--run_dir", "run")
    assert start("lightning_mnist", *flags, cwd=folder) == 0
    return folder / "run" / "checkpoints" / "best.ckpt"


@pytest.mark.pictures
def test_own_pictures_are_read(
    here: Here, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    flags = ("predict", "--ckpt_path", checkpoint, "--images", pictures / "*.*")
    done = here(*flags, "--output", "out.csv", "--preview", "seen.png")
    assert done.code == 0, done.err
    assert "confidence" in done.out
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    truths = [Path(row["file"]).stem.split("-")[1] for row in rows]
    assert len(rows) == 12
    assert np.mean([row["digit"] == truth for row, truth in zip(rows, truths, strict=True)]) > 0.9
    for row in rows:
        probabilities = [float(row[f"p{digit}"]) for digit in range(10)]
        assert sum(probabilities) == pytest.approx(1, abs=1e-5)
        assert float(row["confidence"]) == max(probabilities)
        assert int(row["digit"]) == int(np.argmax(probabilities))
    with Image.open(tmp_path / "seen.png") as seen:
        assert min(seen.size) > 200

    done = here(*flags, "--output", "out.json")
    assert done.code == 0, done.err
    for row, same in zip(rows, json.loads((tmp_path / "out.json").read_text()), strict=True):
        assert {key: str(value) for key, value in same.items()} == row


def test_a_picture_that_cannot_be_read_is_named_and_the_others_are_read(
    here: Here, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("no picture")
    Image.new("L", (40, 40), 255).save(tmp_path / "blank[1].png")
    good = next(pictures.iterdir())
    names = ("text.png", "blank[1].png", good, "gone*.png")
    done = here("predict", "--ckpt_path", checkpoint, "--images", *names, "--output", "out.json")
    assert done.code == 1
    assert "error: text.png: cannot be read as a picture" in done.err
    assert "error: blank[1].png: no ink" in done.err
    assert "error: gone*.png: no such file" in done.err
    assert [row["file"] for row in json.loads((tmp_path / "out.json").read_text())] == [str(good)]


def test_only_failures_leave_the_former_output(
    here: Here, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.csv").write_text("former")
    done = here("predict", "--ckpt_path", checkpoint, "--images", "gone.png", "--output", "out.csv")
    assert done.code == 1
    assert "error: gone.png: no such file" in done.err
    assert (tmp_path / "out.csv").read_text() == "former"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--output", "out.txt"), "--output out.txt: expected a name ending in .csv or .json"),
        (("--preview", "seen.jpg"), "--preview seen.jpg: expected a name ending in .png"),
        (("--output", "no/such/folder/out.csv"), "the result: cannot be written"),
    ],
)
@pytest.mark.slow
def test_outputs_that_cannot_be_written_are_named(
    flags: tuple[str, str], said: str, here: Here, checkpoint: Path, pictures: Path
) -> None:
    picture = next(pictures.iterdir())
    done = here("predict", "--ckpt_path", checkpoint, "--images", picture, *flags)
    assert done.code == 1
    assert f"error: {said}" in done.err


def test_a_program_gets_what_the_command_says(
    here: Here, checkpoint: Path, pictures: Path, tmp_path: Path
) -> None:
    """The calibrated confidence of both, of one model and one reading of pictures."""
    files = sorted(pictures.iterdir())
    flags = ("predict", "--ckpt_path", checkpoint, "--images", *files, "--output", "out.json")
    assert here(*flags).code == 0
    said = [
        [row[f"p{n}"] for n in range(10)] for row in json.loads((tmp_path / "out.json").read_text())
    ]
    calibration = Trained.read(checkpoint).calibration
    assert calibration is not None
    assert abs(calibration.temperature - 1) > 0.01
    np.testing.assert_allclose(predict(checkpoint, files), said, rtol=1e-4, atol=1e-6)


def test_the_pixels_that_the_network_sees_are_written(here: Here, tmp_path: Path) -> None:
    for number, name in enumerate(("b.png", "a[1].png")):
        canvas = Image.new("L", (80, 60), 230)
        canvas.paste(20, (30, 10, 36 + 8 * number, 50))
        canvas.save(tmp_path / name)
    (tmp_path / "text.png").write_text("no picture")
    names = ("b.png", "a[1].png", "*.png", "gone.png")
    done = here("pixels", "--images", *names, "--output", "out.npz")
    assert done.code == 1
    assert "error: text.png: cannot be read as a picture" in done.err
    assert "error: gone.png: no such file" in done.err
    with np.load(tmp_path / "out.npz") as written:
        assert list(written["files"]) == ["b.png", "a[1].png"]
        for file, pixels in zip(written["files"], written["images"], strict=True):
            np.testing.assert_array_equal(pixels, read_digit(tmp_path / str(file)))
    assert here("pixels", "--images", "b.png", "--output", "out.npz").code == 0


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("out.csv", "--output out.csv: expected a name ending in .npz"),
        ("no/such/folder/out.npz", "--output no/such/folder/out.npz: cannot be written"),
    ],
)
def test_pixels_that_cannot_be_written_are_named(
    output: str, said: str, here: Here, tmp_path: Path
) -> None:
    canvas = Image.new("L", (80, 60), 230)
    canvas.paste(20, (30, 10, 36, 50))
    canvas.save(tmp_path / "x.png")
    done = here("pixels", "--images", "x.png", "--output", output)
    assert done.code == 1
    assert done.err.startswith(f"error: {said}")
