"""The reference's augmentation: its ranges, its draws, and that no saved model has any of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras

from keras_reference.augmentation import Erase, Warp, augmented, layers
from keras_reference.config import ModelConfig, OptimizerConfig
from keras_reference.errors import InputError
from keras_reference.model_file import load_model
from keras_reference.network import build
from lightning_mnist import warp as torch_warp
from parity.augmentation import AugmentationConfig
from parity.run_record import Predictions, RunRecord
from tests.conftest import Here, embedded_digits

Images = np.ndarray
STRONG: dict[str, float] = {
    "rotation": 30,
    "shear": 20,
    "scale": 0.3,
    "shift": 3,
    "elastic": 1.5,
    "thickness": 1,
    "erase": 1,
    "dim": 0.7,
    "gamma": 1,
    "noise": 0.2,
    "invert": 0.5,
}


@pytest.fixture(scope="module")
def images() -> Images:
    """Sixty-four digits, float32 [64, 28, 28, 1] in [0, 1]."""
    digits = embedded_digits()
    return (digits.test_images[:64, :, :, None] / 255).astype(np.float32)


def augment(images: Images, config: AugmentationConfig, seed: int = 0) -> Images:
    """`images` after all layers, drawn from `seed`."""
    keras.utils.set_random_seed(seed)
    for layer in layers(config):
        images = layer(images, training=True)
    return np.asarray(images)


def fixed(warp: Warp, **draws: float) -> Warp:
    """`warp` with these draws between -1 and 1 instead of random ones, all else 0."""
    order = iter(["angle", "shear", "zoom", "right", "down"])

    def uniform(images: Images, low: float, high: float) -> Any:
        return keras.ops.full((len(images), 1, 1, 1), draws.get(next(order), 0.0))

    warp.uniform = uniform  # type: ignore[method-assign]
    return warp


def test_nothing_switched_on_adds_no_layer() -> None:
    network = build(ModelConfig(hidden=(4,)), np.zeros((1, 28, 28), np.uint8))
    assert layers(AugmentationConfig()) == []
    assert augmented(network, layers(AugmentationConfig())) is network


def test_a_warp_that_moves_nothing_returns_its_input(images: Images) -> None:
    warped = Warp(AugmentationConfig())(images, training=True)
    np.testing.assert_allclose(warped, images, atol=1e-6)


@pytest.mark.parametrize("elastic", [0, 1e-6], ids=["projective", "gathered"])
@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -2), (-5, 4)])
def test_a_shift_by_whole_pixels_is_exact(
    right: int, down: int, elastic: float, images: Images
) -> None:
    config = AugmentationConfig(shift=5, elastic=elastic)
    moved = fixed(Warp(config), right=right / 5, down=down / 5)(images, training=True)
    expected = np.roll(images, (down, right), axis=(1, 2))
    inside = np.zeros((28, 28, 1), bool)
    inside[max(0, down) : 28 + min(0, down), max(0, right) : 28 + min(0, right)] = True
    np.testing.assert_allclose(moved, expected * inside, atol=2e-5)


@pytest.mark.parametrize(
    "draws",
    [
        {"angle": 1.0},
        {"shear": -1.0},
        {"zoom": 1.0},
        {"zoom": -1.0},
        {"angle": -0.5, "shear": 0.7, "zoom": 0.4, "right": 0.3, "down": -0.9},
    ],
    ids=lambda draws: " ".join(draws),
)
def test_the_same_draws_warp_as_they_do_in_torch(draws: dict[str, float], images: Images) -> None:
    torch = pytest.importorskip("torch")
    options = {"rotation": 30, "shear": 20, "scale": 0.3, "shift": 3}
    warp = torch_warp.Warp(**options)
    row = torch.tensor([draws.get(n, 0.0) for n in ("angle", "shear", "zoom", "right", "down")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_warp, "uniform", lambda *_: row[:, None].expand(-1, len(images)))
        theirs = warp(torch.from_numpy(images[..., 0]), torch.Generator())
    for elastic in (0, 1e-6):  # Keras' own operation, and ours where a field is added
        ours = Warp(AugmentationConfig(**options, elastic=elastic))
        warped = np.asarray(fixed(ours, **draws)(images, training=True))
        np.testing.assert_allclose(warped[..., 0], theirs.numpy(), atol=1e-4)


def test_inversion_twice_is_the_identity(images: Images) -> None:
    once = augment(images, AugmentationConfig(invert=1))
    np.testing.assert_allclose(once, 1 - images, atol=1e-6)
    np.testing.assert_allclose(augment(once, AugmentationConfig(invert=1)), images, atol=1e-6)


@pytest.mark.parametrize("name", STRONG)
def test_every_transform_draws_anew_for_every_sample_and_the_seed_repeats_it(
    name: str, images: Images
) -> None:
    config = AugmentationConfig(**{name: STRONG[name]})
    same = np.repeat(images[:1], 32, axis=0)
    first = augment(same, config)
    assert len({image.tobytes() for image in first}) > (1 if name == "invert" else 16)
    np.testing.assert_array_equal(first, augment(same, config))
    assert not np.array_equal(first, augment(same, config, seed=1))
    np.testing.assert_array_equal(same, np.repeat(images[:1], 32, axis=0))


@pytest.mark.parametrize("name", STRONG)
def test_nothing_is_done_outside_training(name: str, images: Images) -> None:
    for layer in layers(AugmentationConfig(**{name: STRONG[name]})):
        np.testing.assert_array_equal(layer(images, training=False), images)


@given(
    strengths=st.fixed_dictionaries({name: st.floats(0, top) for name, top in STRONG.items()}),
    count=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=25)
def test_shape_type_and_range_are_kept(strengths: dict[str, float], count: int, seed: int) -> None:
    batch = np.random.default_rng(seed).random((count, 28, 28, 1), np.float32)
    result = augment(batch, AugmentationConfig(**strengths), seed)
    assert result.shape == batch.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert result.min() >= -1e-6
    assert result.max() <= 1 + 1e-6


@pytest.mark.parametrize("smoothness", [1.5, 4.0])
def test_the_elastic_field_has_the_strength_and_the_smoothness_asked_for(smoothness: float) -> None:
    keras.utils.set_random_seed(0)
    warp = Warp(AugmentationConfig(elastic=1, smoothness=smoothness))
    field = np.asarray(warp.field(np.zeros((4000, 28, 28, 1), np.float32)))
    assert field.shape == (4000, 2, 28, 28)
    np.testing.assert_allclose(field.std(axis=0), 1, atol=0.06)
    neighbours = (field[..., 10] * field[..., 13]).mean()  # of smoothed noise, three pixels apart
    assert neighbours == pytest.approx(np.exp(-((3 / (2 * smoothness)) ** 2)), abs=0.02)
    across = (field[:, 0] * field[:, 1]).mean()  # each direction has its own draw
    assert across == pytest.approx(0, abs=0.02)


def test_scale_is_even_in_its_logarithm_and_keeps_its_bounds() -> None:
    spot = np.zeros((400, 28, 28, 1), np.float32)
    spot[:, 11:17, 11:17] = 1
    ink = augment(spot, AugmentationConfig(scale=0.43)).sum((1, 2, 3)) / 36
    assert 1 / 1.43**2 - 0.05 < ink.min() < 0.55
    assert 1.9 < ink.max() < 1.43**2 + 0.1
    assert np.log(ink).mean() == pytest.approx(0, abs=0.05)


def test_strokes_grow_and_shrink_by_at_most_a_pixel() -> None:
    bar = np.zeros((200, 28, 28, 1), np.float32)
    bar[:, :, 12:16] = 1
    width = augment(bar, AugmentationConfig(thickness=1))[:, 14].sum((1, 2))
    assert 2 <= width.min() < 2.2
    assert 5.8 < width.max() <= 6


def test_erased_rectangles_are_blank_and_at_most_half_as_wide_and_high() -> None:
    keras.utils.set_random_seed(0)
    erased = np.asarray(Erase(0.5)(np.ones((600, 28, 28, 1), np.float32), training=True))[..., 0]
    assert set(np.unique(erased)) <= {0.0, 1.0}
    blank = erased == 0
    highest, widest = blank.any(axis=2).sum(axis=1), blank.any(axis=1).sum(axis=1)
    assert highest.max() == widest.max() == 14
    np.testing.assert_array_equal(blank.sum((1, 2)), highest * widest)  # a full rectangle
    assert blank.any((1, 2)).mean() == pytest.approx(0.5, abs=0.08)


def test_intensities_stay_within_their_ranges() -> None:
    grey = np.full((500, 28, 28, 1), 0.5, np.float32)
    dimmed = augment(grey, AugmentationConfig(dim=0.8))[:, 0, 0, 0]
    assert 0.1 <= dimmed.min() < 0.12
    assert 0.48 < dimmed.max() <= 0.5
    levels = augment(grey, AugmentationConfig(gamma=1))[:, 0, 0, 0]
    assert 0.25 <= levels.min() < 0.27
    assert 0.69 < levels.max() <= 0.5**0.5 + 1e-6
    noise = augment(grey, AugmentationConfig(noise=0.1)) - 0.5
    assert noise.std() == pytest.approx(0.1, abs=0.002)


def test_augmentation_comes_after_scaling_and_before_inversion() -> None:
    config = ModelConfig(hidden=(), invert=True, standardize="dataset")
    network = build(config, np.full((1, 28, 28), 50, np.uint8))
    on = AugmentationConfig(**STRONG)
    names = [type(layer).__name__ for layer in augmented(network, layers(on)).layers]
    assert names == [
        "Rescaling", "Reshape", "Warp", "Thickness", "Erase", "Intensity", "Noise", "RandomInvert",
        "Rescaling", "Flatten", "Normalization", "Dense",
    ]  # fmt: skip


@pytest.mark.slow
def test_training_repeats_itself_and_leaves_a_model_without_augmentation(
    keras_here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    flags = ("--data.source", tiny_npz, "--trainer.max_epochs", 2, "--data.batch_size", 32)
    strong = [x for n, v in STRONG.items() for x in (f"--model.augmentation.{n}", v)]
    for name, seed, more in (
        ("first", 0, strong), ("again", 0, strong), ("other", 1, strong), ("plain", 0, []),
    ):  # fmt: skip
        run = ("--run_dir", tmp_path / name, "--seed_everything", seed, "--guard", "off")
        done = keras_here("fit", *flags, *run, *more)
        assert done.code == 0, done.err
    first, again, other, plain = (
        Predictions.load(tmp_path / name / "predictions.npz").logits.tobytes()
        for name in ("first", "again", "other", "plain")
    )
    assert first == again
    assert first not in (other, plain)
    record = RunRecord.load(tmp_path / "first" / "record.json")
    assert record.recipe["model"]["augmentation"] == {**STRONG, "smoothness": 4.0}
    model = load_model(tmp_path / "first" / "model.keras")
    names = [type(layer).__name__ for layer in model.layers]
    assert names == ["Rescaling", "Flatten", "Dense", "Activation", "Dense"]


def test_both_sides_refuse_the_same_values_on_the_command_line(
    keras_here: Here, here: Here, tiny_npz: Path
) -> None:
    for command in (keras_here, here):
        done = command("fit", "--data.source", tiny_npz, "--model.augmentation.erase", 2)
        assert (done.code, "augmentation erase is 2.0" in done.err) == (1, True)
        assert "Traceback" not in done.err


@pytest.mark.slow
def test_the_learning_rate_decays_by_a_factor_an_epoch_as_it_does_in_lightning(
    keras_here: Here, here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    shared = (
        "--data.source", tiny_npz, "--trainer.max_epochs", 3, "--data.batch_size", 32,
        "--model.hidden", "[8]",
    )  # fmt: skip
    keras_flags = ("--optimizer.learning_rate", 0.002, "--optimizer.decay", 0.5)
    done = keras_here("fit", *shared, *keras_flags, "--run_dir", tmp_path / "keras")
    assert done.code == 0, done.err
    torch_flags = ("--optimizer", "Adam", "--optimizer.lr", 0.002, "--lr_scheduler.gamma", 0.5)
    done = here("fit", *shared, *torch_flags, "--run_dir", tmp_path / "torch")
    assert done.code == 0, done.err
    for side in ("keras", "torch"):
        history = RunRecord.load(tmp_path / side / "record.json").history
        rates = [row["learning_rate"] for row in history]
        assert rates == pytest.approx([0.002, 0.001, 0.0005], rel=1e-6)


def test_a_decay_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"optimizer decay is 0; expected a factor above 0"):
        OptimizerConfig(decay=0)
