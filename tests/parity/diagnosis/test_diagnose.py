"""``python -m parity diagnose``: what it reads, what it says, and one sentence for bad input."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_mnist.own_images import read_picture
from parity.json_text import finite
from parity.judge.pictures import load_images
from parity.run_record import Predictions
from parity.watch.alarm import COLLAPSE_FILE
from parity.watch.fingerprint import Fingerprint
from parity.watch.symptoms import SYMPTOMS_FILE, Layer, Symptoms
from tests.conftest import Done, Here, embedded_digits
from tests.support.pictures import grey, hand_drawn, page, ruled

DIGITS = embedded_digits()
LABELS = DIGITS.test_labels
GOOD = (8 * np.eye(10)[LABELS] + np.random.default_rng(0).normal(0, 1, (540, 10)) - 3).astype("f4")
CONSTANT = np.tile(np.array([0, 9, *[0] * 8], np.float32), (540, 1))
SWAPPED = GOOD[:, [0, 1, 2, 3, 9, 5, 6, 7, 8, 4]]
RAW = DIGITS.test_images
SCALED = (RAW / 255).astype(np.float32)
NAMED = "  1. "
"""How the first cause is introduced."""

Write = Callable[[Path], None]


def symptoms(**changes: Any) -> Symptoms:
    """Of a sound training on the embedded digits, scaled to 0..1."""
    values: dict[str, Any] = {
        "class_counts": np.bincount(DIGITS.train_labels).tolist(),
        "raw": Fingerprint.of(DIGITS.train_images),
        "intended": Fingerprint.of(DIGITS.train_images / 255),
        "trained_on": Fingerprint.of((DIGITS.train_images / 255).astype(np.float32)),
        "seen": Fingerprint.of(SCALED),
        "optimizer": "Adam",
        "learning_rate": 0.001,
        "epoch": 3,
        "step": 120,
        "train_loss": 0.1,
        "train_accuracy": 0.98,
        "best_accuracy": 0.97,
        "layers": [Layer("0.weight", 0.04, 0.6, 0.6, 0.0, 0.0)],
        "repeat_difference": 0.0,
    }
    return Symptoms(**(values | changes))


def written(folder: Path, logits: np.ndarray = GOOD, known: Symptoms | None = None) -> Path:
    """A run directory."""
    folder.mkdir()
    Predictions(LABELS, logits, np.arange(540)).save(folder)
    (known or symptoms()).save(folder)
    return folder


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return written(tmp_path / "run")


def one_sentence(done: Done) -> str:
    """The sentence of an error: code 5, nothing else in either stream."""
    assert done.code == 5
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    return line


def test_a_healthy_run_needs_no_cause(run_dir: Path, parity_here: Here) -> None:
    done = parity_here("diagnose", run_dir)
    assert done.code == 0, done.out
    assert "run: 540 images, accuracy 100.00%, nothing wrong was found" in done.out
    assert "it does as well as in training (97.00%)" in done.out
    assert NAMED not in done.out
    assert done.err == ""


def test_causes_are_numbered_with_figures_and_what_to_change(
    tmp_path: Path, parity_here: Here
) -> None:
    raw = Fingerprint.of(RAW.astype(np.float32))
    ill = symptoms(trained_on=raw, seen=raw, best_accuracy=0.1)
    done = parity_here("diagnose", written(tmp_path / "run", SWAPPED, ill))
    assert done.code == 1
    lines = done.out.splitlines()
    right = 1 - np.isin(LABELS, [4, 9]).mean()
    assert lines[0] == f"run: 540 images, accuracy {right:.2%}, at fault all the same"
    assert lines[1] == "  1. in training, the pixels were not scaled"
    assert lines[2].startswith("     the network was fed 0 to 255, mean ")
    assert lines[3].startswith("     change: Feed it x / 255, ")
    assert lines[4] == "  2. classes 4 and 9 are swapped"
    assert len(lines) == 7


def test_a_run_that_the_guard_has_stopped_has_no_predictions(
    tmp_path: Path, parity_here: Here
) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    Predictions(LABELS, CONSTANT, np.arange(540)).save(run_dir, COLLAPSE_FILE)
    blank = Fingerprint.of(np.zeros_like(SCALED))
    symptoms(trained_on=blank, seen=None, collapsed_at=(0, 64), signs=["all 1"]).save(run_dir)
    done = parity_here("diagnose", run_dir)
    assert done.code == 1
    assert "run: 540 images, accuracy " in done.out
    assert ", collapsed" in done.out
    assert "  sign of collapse: 100.00% of the predictions are class 1" in done.out
    assert "  1. in training, the pixels are blank" in done.out


def test_predictions_are_preferred_to_what_the_guard_kept(run_dir: Path, parity_here: Here) -> None:
    Predictions(LABELS, CONSTANT, np.arange(540)).save(run_dir, COLLAPSE_FILE)
    done = parity_here("diagnose", run_dir)
    assert done.code == 0
    assert "accuracy 100.00%, nothing wrong was found" in done.out


def test_a_bare_file_is_judged_by_its_answers(tmp_path: Path, parity_here: Here) -> None:
    probabilities = np.exp(SWAPPED) / np.exp(SWAPPED).sum(axis=1, keepdims=True)
    probabilities[0] = np.eye(10)[LABELS[0]]  # certainty, whose logarithm is not finite
    np.savez(tmp_path / "theirs.npz", labels=LABELS, probabilities=probabilities)
    done = parity_here("diagnose", "theirs.npz")
    assert done.code == 1
    assert "  1. classes 4 and 9 are swapped" in done.out
    assert "  2. " not in done.out
    assert "judged by the answers alone: there is no symptoms.json" in done.out
    assert done.err == ""


def test_symptoms_beside_a_file_are_read(run_dir: Path, parity_here: Here) -> None:
    symptoms(repeat_difference=0.7).save(run_dir)
    done = parity_here("diagnose", run_dir / "predictions.npz")
    assert done.code == 1
    assert "  1. dropout was left on" in done.out
    assert "there is no symptoms.json" not in done.out


@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "no labels"])
def test_a_csv_is_judged_by_its_answers(labelled: bool, tmp_path: Path, parity_here: Here) -> None:
    shares = np.full((540, 10), 0.1)
    columns = [f"p{n}" for n in range(10)]
    if labelled:
        shares, columns = np.column_stack([LABELS, shares]), ["label", *columns]
    header = ",".join(columns)
    np.savetxt(tmp_path / "theirs.csv", shares, delimiter=",", header=header, comments="")
    done = parity_here("diagnose", "theirs.csv")
    assert "theirs.csv: 540 images" in done.out
    assert "collapsed" in done.out
    assert done.code == 1
    assert NAMED not in done.out  # nobody knows the training labels
    wanted = "the run directory of its training, with symptoms.json"
    labels = "" if labelled else "the true classes and "
    assert f"the cause is not in these files; give me {labels}{wanted}\n" in done.out


def test_a_sick_model_without_a_cause_is_not_called_well(tmp_path: Path, parity_here: Here) -> None:
    noise = np.random.default_rng(1).normal(0, 3, (540, 10)).astype("f4")
    np.savez(tmp_path / "theirs.npz", labels=LABELS, logits=noise)
    done = parity_here("diagnose", "theirs.npz")
    assert done.code == 1
    assert ", weak" in done.out or ", collapsed" in done.out
    assert "the cause is not in these files; give me the run directory" in done.out


def test_logits_that_are_not_finite_are_named(tmp_path: Path, parity_here: Here) -> None:
    done = parity_here("diagnose", written(tmp_path / "run", GOOD * np.nan))
    assert done.code == 1
    assert "logits of 540 of 540 images are not finite" in done.out
    assert "the network has diverged: its logits are not finite" in done.out
    assert done.err == ""


def save_npy(path: Path, images: np.ndarray) -> list[Path]:
    np.save(path / "images.npy", images)
    return [path / "images.npy"]


def save_npz(path: Path, images: np.ndarray, key: str = "x_test") -> list[Path]:
    arrays: dict[str, Any] = {key: images, "y_test": LABELS}
    np.savez(path / "images.npz", **arrays)
    return [path / "images.npz"]


def save_pictures(path: Path, images: np.ndarray) -> list[Path]:
    files = [path / f"{number:03}.png" for number in range(100)]
    for file, image in zip(files, images, strict=False):
        Image.fromarray(image).save(file)
    return files


SAVE: dict[str, Callable[[Path, np.ndarray], list[Path]]] = {
    "npy": save_npy,
    "npz, x_test": save_npz,
    "npz, images": lambda path, images: save_npz(path, images, "images"),
    "png": save_pictures,
}


@pytest.mark.parametrize("form", SAVE)
@pytest.mark.parametrize("change", ["none", "1 - x", "transposed"])
def test_raw_images_are_compared_with_the_raw_training_images(
    form: str, change: str, run_dir: Path, tmp_path: Path, parity_here: Here
) -> None:
    fed = {"none": RAW, "1 - x": 255 - RAW, "transposed": RAW.transpose(0, 2, 1)}[change]
    named = {"1 - x": "the pixels were inverted: ", "transposed": "the pixels were transposed "}
    done = parity_here("diagnose", run_dir, "--images", *SAVE[form](tmp_path, fed))
    assert done.code == int(change != "none"), done.out
    assert (NAMED in done.out) is (change != "none")
    assert NAMED + named.get(change, "") in done.out or change == "none"


@pytest.mark.parametrize(
    ("fed", "named"),
    [(SCALED, None), (1 - SCALED, "were inverted: "), (SCALED * 255, "were not scaled ")],
    ids=["x", "1 - x", "255 x"],
)
def test_images_as_the_network_gets_them_are_compared_with_those_of_training(
    fed: np.ndarray, named: str | None, run_dir: Path, tmp_path: Path, parity_here: Here
) -> None:
    done = parity_here("diagnose", run_dir, "--images", *save_npy(tmp_path, fed))
    assert done.code == int(named is not None), done.out
    assert named is None or f"  1. the pixels {named}" in done.out


def test_images_take_the_place_of_what_the_run_was_fed(tmp_path: Path, parity_here: Here) -> None:
    run_dir = written(tmp_path / "run", GOOD, symptoms(seen=Fingerprint.of(1 - SCALED)))
    assert parity_here("diagnose", run_dir).code == 1
    done = parity_here("diagnose", run_dir, "--images", *save_npy(tmp_path, SCALED))
    assert done.code == 0, done.out


def test_pictures_in_colour_become_grey(run_dir: Path, tmp_path: Path, parity_here: Here) -> None:
    files = save_pictures(tmp_path, RAW)
    for file in files:
        Image.open(file).convert("RGB").save(file)
    assert parity_here("diagnose", run_dir, "--images", *files).code == 0


def test_larger_pictures_are_the_same_pictures(
    run_dir: Path, tmp_path: Path, parity_here: Here
) -> None:
    files = save_pictures(tmp_path, RAW.repeat(2, axis=1).repeat(2, axis=2))
    assert parity_here("diagnose", run_dir, "--images", *files).code == 0


def text(name: str, content: str = "nothing of the kind") -> Write:
    def write(folder: Path) -> None:
        (folder / name).write_text(content)

    return write


def arrays(name: str, **values: Any) -> Write:
    return lambda folder: np.savez(folder / name, **values)


PATHS: dict[str, tuple[str, Write, str]] = {
    "nothing there": ("gone", lambda _: None, "gone: no such run or file"),
    "no folder of a run": (
        "other", lambda folder: (folder / "other").mkdir(),
        "other: no run; expected predictions.npz or collapse.npz",
    ),
    "no numbers": ("text.npz", text("text.npz"), "text.npz: cannot be read as predictions"),
    "no numbers in a csv": (
        "t.csv", text("t.csv", "digit\nsome\n"),
        "t.csv: columns digit of text; expected classes by name",
    ),
    "a picture": (
        "a.png", lambda folder: Image.new("L", (28, 28)).save(folder / "a.png"),
        "a.png: cannot be read as predictions: a picture",
    ),
    "wrong shape": ("w.npz", arrays("w.npz", logits=GOOD[0]), "w.npz: logits of shape (10,)"),
    "other labels": (
        "w.npz", arrays("w.npz", logits=GOOD, labels=LABELS[:5]), "w.npz: labels of shape (5,)",
    ),
    "pickles": (
        "p.npz", arrays("p.npz", logits=np.array([{}, 1], object)),
        "p.npz: cannot be read as predictions: pickled objects",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_what_is_no_run_gets_one_sentence(name: str, tmp_path: Path, parity_here: Here) -> None:
    path, write, said = PATHS[name]
    write(tmp_path)
    assert said in one_sentence(parity_here("diagnose", tmp_path / path))


def npy(images: Any) -> Write:
    return lambda folder: np.save(folder / "x.npy", images)


def pictures(*sizes: tuple[int, int]) -> Write:
    def write(folder: Path) -> None:
        for number, size in enumerate(sizes):
            Image.new("L", size).save(folder / f"{number}.png")

    return write


def cut_off(name: str, write: Write) -> Write:
    """A file whose second half is missing."""

    def half(folder: Path) -> None:
        write(folder)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return half


IMAGES: dict[str, tuple[list[str], Write, str]] = {
    "nothing there": (["x.npy"], lambda _: None, "cannot read a file"),
    "no picture there": (["0.png"], lambda _: None, "cannot read a file"),
    "a folder": (["d"], lambda folder: (folder / "d").mkdir(), "without pictures"),
    "no array": (["x.npy"], text("x.npy"), "cannot read a file"),
    "empty": (["x.npy"], text("x.npy", ""), "cannot read a file"),
    "half an array": (["x.npy"], cut_off("x.npy", npy(RAW[:9])), "cannot read a file"),
    "half an archive": (
        ["x.npz"], cut_off("x.npz", arrays("x.npz", images=RAW)), "cannot read a file",
    ),
    "pickles": (["x.npy"], npy(np.array([{}, 1], object)), "cannot read a file"),
    "no picture": (["x.png"], text("x.png"), "x.png: cannot be read as a picture"),
    "half a picture": (["0.png"], cut_off("0.png", pictures((99, 99))), "cannot be read as"),
    "none": (["x.npy"], npy(RAW[:0]), "of shape (0, 28, 28); expected"),
    "text in an array": (["x.npy"], npy(np.full((2, 28, 28), "ink")), "values of type <U3; "),
    "complex": (["x.npy"], npy(RAW * 1j), "values of type complex128; expected"),
    "too small": (["x.npy"], npy(RAW[:, :5, :5]), "(540, 5, 5)"),
    "too small a picture": (["0.png"], pictures((5, 5)), "0.png: no ink"),
    "nothing on it": (["0.png"], pictures((28, 30)), "0.png: no ink; expected a digit"),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_what_are_no_images_gets_one_sentence(
    name: str, run_dir: Path, tmp_path: Path, parity_here: Here
) -> None:
    files, write, said = IMAGES[name]
    write(tmp_path)
    line = one_sentence(parity_here("diagnose", run_dir, "--images", *files))
    assert line.startswith("error: --images")
    assert said in line


def test_a_picture_is_read_by_the_code_that_predict_reads_it_with(tmp_path: Path) -> None:
    """Ruled paper in a shadow, and its pixels are the same to the bit."""
    strokes = hand_drawn(3, np.random.default_rng(3))
    levels = page(strokes, page(ruled(32, 2, 5, across=True), 235, 150))
    grey(levels * np.linspace(1, 0.5, levels.shape[1])).save(tmp_path / "photo.jpg")
    expected = read_picture(tmp_path / "photo.jpg").pixels
    for dark_paper, ink in ((True, expected), (False, 255 - expected)):
        images = load_images([tmp_path / "photo.jpg"], dark_paper=dark_paper)
        np.testing.assert_array_equal(images, ink[np.newaxis])


def test_two_arrays_of_images_are_one_too_many(
    run_dir: Path, tmp_path: Path, parity_here: Here
) -> None:
    """The second must not go unread in silence."""
    np.save(tmp_path / "a.npy", RAW)
    np.save(tmp_path / "b.npy", 255 - RAW)
    done = parity_here("diagnose", run_dir, "--images", "a.npy", "b.npy")
    assert done.code != 0, done.out


def test_images_without_symptoms_have_nothing_to_be_compared_with(
    tmp_path: Path, parity_here: Here
) -> None:
    np.savez(tmp_path / "theirs.npz", labels=LABELS, logits=GOOD)
    files = save_npy(tmp_path, RAW)
    line = one_sentence(parity_here("diagnose", "theirs.npz", "--images", *files))
    assert "symptoms.json" in line


@pytest.mark.parametrize("images", [RAW, SCALED], ids=["raw", "as the network gets them"])
def test_images_beside_symptoms_of_no_training_have_nothing_to_be_compared_with(
    images: np.ndarray, tmp_path: Path, parity_here: Here
) -> None:
    """A model that was only tested: not to be mistaken for one whose images are right."""
    run_dir = written(tmp_path / "run", GOOD, symptoms(raw=None, intended=None, trained_on=None))
    files = save_npy(tmp_path, images)
    assert "symptoms" in one_sentence(parity_here("diagnose", run_dir, "--images", *files))


def changed(**values: Any) -> str:
    """Symptoms in which something has another type."""
    return json.dumps(finite(dataclasses.asdict(symptoms())) | values)


@pytest.mark.parametrize(
    "content",
    [
        "{half",
        "[]",
        json.dumps({"layers": []}),
        '{"a":' * 5_000 + "1" + "}" * 5_000,
        '{"optimizer": "\\ud800"}',
        changed(layers=3),
        changed(layers=[3]),
        changed(layers=[{}]),
        changed(raw=[]),
        changed(raw={"layout": 1}),
        changed(collapsed_at=[1]),
        changed(collapsed_at="no"),
        changed(step=True),
        changed(step="1"),
        changed(readings=[1]),
        changed(class_counts=["a"]),
        changed(signs="all"),
        changed(unheard_of=1),
    ],
    ids=[
        "cut off",
        "a list",
        "keys missing",
        "nested",
        "surrogate",
        "layers 3",
        "a layer 3",
        "a layer {}",
        "raw []",
        "raw layout",
        "half a place",
        "no place",
        "step true",
        "step text",
        "a reading 1",
        "counts of text",
        "signs of text",
        "unknown key",
    ],
)
def test_damaged_symptoms_get_one_sentence(content: str, run_dir: Path, parity_here: Here) -> None:
    (run_dir / SYMPTOMS_FILE).write_text(content)
    line = one_sentence(parity_here("diagnose", run_dir))
    assert f"{SYMPTOMS_FILE}: cannot be read as symptoms" in line


@pytest.mark.parametrize(
    ("flags", "said"),
    [((), "run"), (("run", "--nope"), "--nope"), (("run", "--images"), "--images")],
    ids=["no run", "no such flag", "no images"],
)
def test_wrong_usage_gets_one_sentence(
    flags: tuple[str, ...], said: str, run_dir: Path, parity_here: Here
) -> None:
    done = parity_here("diagnose", *flags)
    assert done.code == 2
    assert said in done.err
    assert len(done.err.splitlines()) == 1


def test_markup_in_names_is_printed_as_it_is(tmp_path: Path, parity_here: Here) -> None:
    ill = symptoms(layers=[Layer("[red]0[/red]", 0.0, 0.5, 0.5)], best_accuracy=0.1)
    done = parity_here("diagnose", written(tmp_path / "[bold]run", CONSTANT, ill))
    assert done.code == 1
    assert "[bold]run: 540 images" in done.out
    assert "[red]0[/red] started with a standard deviation of 0" in done.out


def transparent(path: Path, images: np.ndarray, ink: int) -> list[Path]:
    """Pictures whose ink is opaque and whose paper is not there."""
    files = [path / f"{number:03}.png" for number in range(40)]
    for file, image in zip(files, images, strict=False):
        grey = np.full_like(image, ink)
        Image.fromarray(np.stack([grey, grey, grey, image], axis=-1), "RGBA").save(file)
    return files


@pytest.mark.parametrize("ink", [0, 255], ids=["black", "white"])
def test_transparent_pictures_are_read_as_ink_on_paper(
    ink: int, run_dir: Path, tmp_path: Path, parity_here: Here
) -> None:
    done = parity_here("diagnose", run_dir, "--images", *transparent(tmp_path, RAW, ink))
    assert done.code == 0, done.out


def photographed(image: np.ndarray) -> Image.Image:
    """Four times as large, somewhere on white paper."""
    large = Image.fromarray(255 - image).resize((112, 112), Image.Resampling.BICUBIC)
    page = Image.new("L", (300, 260), 255)
    page.paste(large, (120, 60))
    return page


def test_pages_are_read_as_predict_reads_them(
    run_dir: Path, tmp_path: Path, parity_here: Here
) -> None:
    """Where the digit lies on the page, how large it is, and which way up the camera was held."""
    files = [tmp_path / f"{number:03}.png" for number in range(40)]
    for file, image in zip(files, RAW, strict=False):
        page = photographed(image).transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6  # upright once it is turned clockwise
        page.save(file, exif=exif)
    done = parity_here("diagnose", run_dir, "--images", *files)
    assert done.code == 0, done.out


def test_deep_pictures_are_scaled(run_dir: Path, tmp_path: Path, parity_here: Here) -> None:
    files = [tmp_path / f"{number:03}.png" for number in range(40)]
    for file, image in zip(files, RAW, strict=False):
        Image.fromarray(image.astype(np.uint16) * 257).save(file)
    done = parity_here("diagnose", run_dir, "--images", *files)
    assert done.code == 0, done.out


def test_what_nobody_knows_is_said_so(run_dir: Path, tmp_path: Path, parity_here: Here) -> None:
    checkered = np.where(np.indices((28, 28)).sum(axis=0) % 2, 255 - RAW, RAW)
    done = parity_here("diagnose", run_dir, "--images", *save_npy(tmp_path, checkered))
    assert done.code == 1
    assert "the pixels differ, and I do not know how it came about: " in done.out
