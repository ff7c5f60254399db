"""`keras_reference predict` on models that others have made, as people make them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the extra keras is not installed")

from keras import layers as kl  # noqa: E402

from keras_reference.model_file import fed_raw  # noqa: E402
from parity.run_record import Predictions, RunRecord  # noqa: E402
from tests.conftest import Here, make_digits, mostly_slow, write_npz  # noqa: E402

DIGITS = make_digits(train_per_class=40, test_per_class=8)
SPARSE = "sparse_categorical_crossentropy"
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
ONE_HOT = np.eye(10)[DIGITS.train_labels]


def flat_softmax() -> tuple[Any, Any, Any, Any]:
    """The commonest of all: reshaped and divided by hand."""
    model = keras.Sequential(
        [keras.Input((784,)), kl.Dense(32, activation="relu"), kl.Dense(10, activation="softmax")]
    )
    return model, SPARSE, (DIGITS.train_images / 255).reshape(-1, 784), DIGITS.train_labels


def convolutional() -> tuple[Any, Any, Any, Any]:
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            kl.Rescaling(1 / 255),
            kl.Conv2D(4, 5, strides=2, activation="relu"),
            kl.Flatten(),
            kl.Dropout(0.2),
            kl.Dense(10),
            kl.Softmax(),
        ]
    )
    return model, "categorical_crossentropy", DIGITS.train_images[..., None], ONE_HOT


def functional() -> tuple[Any, Any, Any, Any]:
    given = keras.Input((28, 28))
    hidden = kl.Dense(32, activation="tanh")(kl.Flatten()(given / 255.0))
    return (
        keras.Model(given, kl.Dense(10)(hidden)),
        LOGITS,
        DIGITS.train_images,
        DIGITS.train_labels,
    )


def normalised_raw() -> tuple[Any, Any, Any, Any]:
    """Nothing scales, and it was trained on 0 to 255."""
    model = keras.Sequential(
        [keras.Input((28, 28)), kl.Flatten(), kl.BatchNormalization(), kl.Dense(10, "softmax")]
    )
    return model, SPARSE, DIGITS.train_images.astype("float32"), DIGITS.train_labels


def sigmoids() -> tuple[Any, Any, Any, Any]:
    layers = [keras.Input((1, 28, 28)), kl.Flatten(), kl.Dense(10, activation="sigmoid")]
    return (
        keras.Sequential(layers),
        "binary_crossentropy",
        DIGITS.train_images[:, None] / 255,
        ONE_HOT,
    )


MODELS: dict[Callable[[], tuple[Any, Any, Any, Any]], tuple[str, str]] = {
    flat_softmax: ("probabilities", "unit"),
    convolutional: ("probabilities", "raw"),
    functional: ("logits", "raw"),
    normalised_raw: ("probabilities", "raw"),
    sigmoids: ("logits", "unit"),
}
"""What they answer, and what they are to be fed."""
SCALES_BY_ITSELF = (convolutional, functional)


Saved = Callable[[Any], Path]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """Each model, trained for a moment and saved where it is asked for."""
    folder = tmp_path_factory.mktemp("models")
    write_npz(DIGITS, folder / "digits.npz")

    @cache
    def saved(make: Any) -> Path:
        keras.utils.set_random_seed(0)
        model, loss, x, y = make()
        model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
        model.fit(x, y, epochs=12, batch_size=40, verbose=0)
        path = folder / f"{make.__name__}.keras"
        model.save(path)
        return path

    return saved


@pytest.mark.parametrize(
    "make",
    mostly_slow(MODELS, flat_softmax, normalised_raw),
    ids=lambda make: make.__name__,
)
def test_an_ordinary_model_is_scored_and_called_well(
    make: Any, files: Saved, keras_here: Here, parity_here: Here, tmp_path: Path
) -> None:
    called, fed = MODELS[make]
    data = files(make).with_name("digits.npz")
    done = keras_here(
        "predict", "--model_file", files(make), "--data.source", data, "--run_dir", "run",
        "--views", "clean", "inverted",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert ("has no layer that scales its pixels" in done.err) == (make not in SCALES_BY_ITSELF)
    if make not in SCALES_BY_ITSELF:
        assert f"It is fed 0 to {1 if fed == 'unit' else 255}, the likelier" in done.err
    record = RunRecord.load(tmp_path / "run" / "record.json")
    assert record.recipe["pixels"] == fed
    assert record.metrics["accuracy"] > 0.9
    for name in ("predictions.npz", "views/clean.npz"):
        predictions = Predictions.load(tmp_path / "run" / name)
        assert predictions.called == called
        assert (predictions.predicted == predictions.labels).mean() > 0.9
    diagnosed = parity_here("diagnose", tmp_path / "run")
    assert diagnosed.code == 0, diagnosed.out
    assert "there is no symptoms.json" not in diagnosed.out
    assert "nothing is known of its training" in diagnosed.out


@pytest.mark.parametrize("place", ["first", "last"])
def test_only_what_comes_before_the_weights_scales_pixels(place: str) -> None:
    """A temperature of the logits is a Rescaling layer too."""
    scale, dense = kl.Rescaling(1 / 255), kl.Dense(10)
    between = [scale, kl.Flatten(), dense] if place == "first" else [kl.Flatten(), dense, scale]
    model = keras.Sequential([keras.Input((28, 28)), *between])
    images = DIGITS.test_images[:8]
    expected = model(images / (1 if place == "first" else 255))
    np.testing.assert_allclose(fed_raw(model)(images), expected, rtol=1e-4)


def test_a_scale_that_was_said_is_not_questioned(
    files: Saved, keras_here: Here, tmp_path: Path
) -> None:
    accuracy = {}
    data = files(normalised_raw).with_name("digits.npz")
    for pixels in ("raw", "unit"):
        done = keras_here(
            "predict", "--model_file", files(normalised_raw), "--data.source", data,
            "--run_dir", pixels, "--pixels", pixels,
        )  # fmt: skip
        assert done.code == 0
        assert "note:" not in done.err
        accuracy[pixels] = RunRecord.load(tmp_path / pixels / "record.json").metrics["accuracy"]
    assert accuracy["raw"] > accuracy["unit"]


def test_probabilities_of_a_model_are_compared_as_such(
    files: Saved, keras_here: Here, parity_here: Here, tmp_path: Path
) -> None:
    for make in (flat_softmax, convolutional):
        data = files(make).with_name("digits.npz")
        flags = ("--data.source", data, "--run_dir", make.__name__)
        assert keras_here("predict", "--model_file", files(make), *flags).code == 0
    done = parity_here("compare", "flat_softmax", "convolutional", "--out", "report")
    assert "Traceback" not in done.err
    assert "not finite" not in done.out


@pytest.mark.parametrize(
    ("shape", "units", "expected"),
    [((32, 32, 3), 10, "(None, 32, 32, 3)"), ((28, 28), 3, "to (None, 3)")],
)
def test_a_model_of_something_else_is_refused(
    shape: tuple[int, ...], units: int, expected: str, keras_here: Here, tmp_path: Path
) -> None:
    data = write_npz(DIGITS, tmp_path / "digits.npz")
    file = tmp_path / "other.keras"
    keras.Sequential([keras.Input(shape), kl.Flatten(), kl.Dense(units)]).save(file)
    done = keras_here("predict", "--model_file", file, "--data.source", data, "--run_dir", "run")
    assert done.code == 1
    assert expected in done.err
    assert (
        "expected images of shape (28, 28), (28, 28, 1), (1, 28, 28), (784,) to 10 scores"
        in done.err
    )


def test_hdf5_is_refused_for_what_it_is(keras_here: Here, tmp_path: Path) -> None:
    data = write_npz(DIGITS, tmp_path / "digits.npz")
    file = tmp_path / "old.keras"
    file.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    done = keras_here("predict", "--model_file", file, "--data.source", data, "--run_dir", "run")
    assert done.code == 1
    assert "is HDF5, Keras' older format" in done.err
