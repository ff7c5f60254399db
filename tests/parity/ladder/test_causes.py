"""Causes of broken rungs: each is forced, and named rightly and alone; nothing is made up."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from parity.arrays import Array, Table
from parity.readings import batches, gradients, layers, loss, pixels, weights
from parity.readings.case import Case
from parity.readings.cause import UNEXPLAINED, Cause
from parity.readings.precisions import PRECISIONS
from tests.conftest import mostly_slow

NAMES = ("ours", "theirs")
RNG = np.random.default_rng(7)
RAW = np.zeros((40, 12, 12), np.uint8)
RAW[:, 2:10, 3:9] = RNG.integers(0, 256, (40, 8, 6)) * (RNG.random((40, 8, 6)) < 0.7)
RAW[0, 5, 5] = 255
X = RAW.reshape(40, -1).astype(np.float64)


def only(causes: list[Cause], name: str, *said: str, gap: float = 1e-12) -> None:
    """There is one cause, of this name, that says all this and closes the gap."""
    assert [cause.name for cause in causes] == [name], causes
    assert causes[0].gap <= gap
    for words in said:
        assert words in causes[0].text, causes[0].text
    assert "to align them, " in causes[0].text


def pixel_causes(a: Array, b: Array) -> list[Cause]:
    return pixels.explain(Case(NAMES, {"images": RAW}, {"pixels": a}, {"pixels": b}))


def weight_causes(given: Table, a: Table, b: Table) -> list[Cause]:
    return weights.explain(Case(NAMES, given, a, b))


def layer_causes(
    layer: str, x: Array, a: Array, b: Array, table: Table, training: bool
) -> list[Cause]:
    given = {**table, layers.INPUT: x}
    return layers.explain(Case(NAMES, given, {layer: a}, {layer: b}, layer, training))


def loss_causes(logits: Array, labels: Array, a: float, b: float) -> list[Cause]:
    given = {"logits": logits, "labels": labels}
    return loss.explain(Case(NAMES, given, {"loss": np.array(a)}, {"loss": np.array(b)}))


def gradient_causes(a: Table, b: Table) -> list[Cause]:
    given = {**TRAINED, "labels": np.zeros(32, np.int64)}
    return gradients.explain(Case(NAMES, given, a, b))


def batch_causes(a: Array, b: Array, sizes: Array) -> list[Cause]:
    return batches.explain(Case(NAMES, {"batch sizes": sizes}, {"losses": a}, {"losses": b}))


# --- pixels -------------------------------------------------------------------------------------


def of_images(change: Callable[[Array], Array]) -> Array:
    """Images changed one by one, scaled."""
    return np.stack([change(image) for image in RAW]).reshape(40, -1) / 255


MEAN, DEVIATION = X.mean(1, keepdims=True), X.std(1, keepdims=True)
ORDER = RNG.permutation(40)
PIXELS: dict[str, tuple[Array, str, str]] = {
    "raw": (X, "pixel scale", "theirs feeds x (not scaled)"),
    "twice": (X / 255 / 255, "pixel scale", "x / 255 / 255 (scaled twice)"),
    "times": (X * 255, "pixel scale", "multiplied by 255"),
    "another factor": (X / 250, "pixel scale", "theirs feeds 0.004 * x"),
    "x / 256": (X / 256, "pixel scale", "theirs feeds x / 256"),
    "inverted": (1 - X / 255, "inverted pixels", "1 - x / 255"),
    "255 - x": (255 - X, "inverted pixels and pixel scale", "inverted and not scaled"),
    "-1 to 1": (X / 127.5 - 1, "pixel range", "x / 127.5 - 1"),
    "standardised": (
        (X / 255 - 0.1307) / 0.3081,
        "standardisation",
        "theirs feeds (x / 255 - 0.1307) / 0.3081",
    ),
    "wrapped": (
        (1 - RAW).reshape(40, -1) / 255,
        "uint8 wrap-around",
        "convert to float before",
    ),
    "integers": (np.floor(X / 255), "pixels cut to integers", "cut to integers"),
    "two values": (
        (X > 127).astype(float),
        "pixels cut to two values",
        "theirs feeds 1 from level",
    ),
    "gamma": ((X / 255) ** 2.2, "gamma", "theirs feeds (x / 255) ** 2.2"),
    "each image": (
        (X - MEAN) / DEVIATION,
        "standardisation of each image",
        "/ deviation of each image",
    ),
    "each image's sample": (
        (X - MEAN) / X.std(1, keepdims=True, ddof=1),
        "standardisation of each image",
        "/ sample deviation of each image",
    ),
    "each image's epsilon": (
        (X - MEAN) / (DEVIATION + 255e-3),
        "standardisation of each image",
        "(deviation + 0.001)",
    ),
    "each image's inner epsilon": (
        (X / 255 - MEAN / 255) / np.sqrt((DEVIATION / 255) ** 2 + 1e-3),
        "standardisation of each image",
        "sqrt(deviation² + 0.001)",
    ),
    "each image's range": (
        X / X.max(1, keepdims=True),
        "standardisation of each image",
        "x / max",
    ),
    "each pixel": (
        (X - X.mean(0)) / (X.std(0) + 1e-3),
        "standardisation of each pixel",
        "figures of its own",
    ),
    "transposed": (of_images(np.transpose), "turned images", "transposed"),
    "mirrored": (of_images(np.fliplr), "turned images", "mirrored left to right"),
    "turned": (of_images(np.rot90), "turned images", "anticlockwise"),
    "moved": (
        of_images(lambda image: np.roll(image, (1, -2), (0, 1))),
        "turned images",
        "moved by -2 pixels to the right and +1 down",
    ),
    "rolled": (
        of_images(lambda image: np.roll(image, 4, 0)),
        "turned images",
        "rolled by +0 pixels to the right and +4 down",
    ),
    "shuffled": (X[ORDER] / 255, "order of the images", "in another order"),
    "reversed": (X[::-1] / 255, "order of the images", "in reverse"),
    "rotated": (np.roll(X, -3, 0) / 255, "order of the images", "rotated by 3"),
    "float32": (
        X.astype(np.float32) / np.float32(255),
        "float32 rounding",
        "theirs feeds x / 255, in float32",
    ),
    "float32 standardised": (
        ((X.astype(np.float32) / 255 - np.float32(0.13)) / np.float32(0.3)),
        "standardisation and float32 rounding",
        "- 0.13",
    ),
    "transposed and raw": (
        of_images(np.transpose) * 255,
        "pixel scale and turned images",
        "not scaled",
    ),
}


@pytest.mark.parametrize("case", PIXELS)
def test_pixels_are_named(case: str) -> None:
    theirs, name, said = PIXELS[case]
    rounded = "float32" in name
    only(
        pixel_causes(X / 255, theirs.astype(np.float64)),
        name,
        said,
        gap=1e-6 if rounded else 1e-9,
    )


def test_pixels_are_named_on_the_side_that_is_odd_and_in_float32() -> None:
    coarse = X.astype(np.float32)
    found = pixel_causes(1 - coarse / 255, coarse / 255)
    only(found, "inverted pixels", "ours feeds 1 - x / 255", gap=1e-6)


def test_two_standardisations_are_told_apart() -> None:
    found = pixel_causes((X / 255 - 0.13) / 0.31, (X / 255 - 0.1307) / 0.3081)
    only(found, "standardisation", "ours feeds (x / 255 - 0.13) / 0.31", "0.1307")


def test_pixels_of_unknown_origin_are_compared_with_each_other() -> None:
    ours = RNG.random((40, 144))
    turned = ours.reshape(40, 12, 12).transpose(0, 2, 1).reshape(40, -1)
    only(pixel_causes(ours, turned), "turned images", "transposed")
    only(pixel_causes(ours, ours * 3), "pixel scale", "3 times")


def test_pixels_that_agree_or_cannot_be_explained_have_no_cause() -> None:
    assert pixel_causes(X / 255, X / 255) == []
    assert pixel_causes(X / 255, RNG.random(X.shape)) == []
    assert pixel_causes(X / 255, np.full(X.shape, np.nan)) == []
    assert pixel_causes(X / 255, X / 255 + RNG.random(X.shape) * 1e-3) == []
    assert pixel_causes(X / 255, X[:, :50]) == []


# --- weights ------------------------------------------------------------------------------------

GIVEN: Table = {
    "dense_1.kernel": RNG.normal(size=(16, 16)),
    "dense_1.bias": RNG.normal(size=16),
    "batch_norm_1.mean": RNG.normal(size=16),
    "batch_norm_1.variance": RNG.random(16) + 0.5,
    "dense_2.kernel": RNG.normal(size=(16, 10)),
    "dense_2.bias": RNG.normal(size=10),
}


def edited(table: Table, **changes: Array) -> Table:
    """A copy in which some tensors are others; ``__`` is written for a dot."""
    return {**table, **{name.replace("__", "."): value for name, value in changes.items()}}


def one_off() -> Array:
    bias = GIVEN["dense_2.bias"].copy()
    bias[3] += 1e-6
    return bias


COLUMNS = RNG.permutation(16)
WEIGHTS: dict[str, tuple[Table, str, str]] = {
    "transposed square": (
        edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"].T),
        "transposed weight",
        "dense_1.kernel",
    ),
    "transposed": (
        edited(GIVEN, dense_2__kernel=GIVEN["dense_2.kernel"].T),
        "transposed weight",
        "[10, 16] instead of [16, 10]",
    ),
    "another shape": (
        edited(GIVEN, dense_2__bias=np.ones(9)),
        "shape of a weight",
        "[9] instead of [10]",
    ),
    "missing": (
        {name: tensor for name, tensor in GIVEN.items() if name != "dense_1.bias"},
        "missing weight",
        "has no dense_1.bias [16]",
    ),
    "extra": (edited(GIVEN, dense_9__bias=np.ones(4)), "extra weight", "dense_9.bias [4]"),
    "one off": (edited(GIVEN, dense_2__bias=one_off()), "one weight off", "dense_2.bias[3]"),
    "swapped": (
        edited(
            GIVEN,
            batch_norm_1__mean=GIVEN["batch_norm_1.variance"],
            batch_norm_1__variance=GIVEN["batch_norm_1.mean"],
        ),
        "swapped weights",
        "holds in batch_norm_1.mean what was given for batch_norm_1.variance",
    ),
    "zeros": (edited(GIVEN, dense_1__bias=np.zeros(16)), "weight not set", "all 0"),
    "drawn anew": (
        edited(GIVEN, dense_1__kernel=RNG.normal(size=(16, 16))),
        "weight not set",
        "nothing to do",
    ),
    "float32": (
        {name: tensor.astype(np.float32).astype(float) for name, tensor in GIVEN.items()},
        "rounded weight",
        "to float32",
    ),
    "bfloat16": (
        {name: torch.tensor(tensor).bfloat16().double().numpy() for name, tensor in GIVEN.items()},
        "rounded weight",
        "to bfloat16",
    ),
    "column by column": (
        edited(
            GIVEN,
            dense_1__kernel=GIVEN["dense_1.kernel"]
            .reshape(4, 4, 16)
            .swapaxes(0, 1)
            .reshape(16, 16),
        ),
        "permuted weight",
        "4 x 4 were flattened column by column",
    ),
    "units permuted": (
        edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"][:, COLUMNS]),
        "permuted weight",
        "columns",
    ),
    "scaled": (
        edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"] * 2),
        "scaled weight",
        "times 2",
    ),
    "moved": (
        edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"] + 0.25),
        "moved weight",
        "+0.25",
    ),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_are_named(case: str) -> None:
    held, name, said = WEIGHTS[case]
    only(weight_causes(GIVEN, GIVEN, held), name, "theirs", said)
    only(weight_causes(GIVEN, held, GIVEN), name, "ours", said)


def test_each_fault_of_each_side_is_a_cause() -> None:
    ours = edited(GIVEN, dense_2__bias=one_off())
    theirs = edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"].T)
    found = weight_causes(GIVEN, ours, theirs)
    assert [cause.name for cause in found] == ["transposed weight", "one weight off"]
    assert found[0].gap == pytest.approx(1e-6)  # the other fault is left


def test_one_weight_off_in_float32() -> None:
    given = {name: tensor.astype(np.float32) for name, tensor in GIVEN.items()}
    held = edited(given, dense_2__bias=one_off().astype(np.float32))
    only(weight_causes(GIVEN, given, held), "one weight off", "dense_2.bias[3]")


def test_weights_that_agree_or_cannot_be_explained_have_no_cause() -> None:
    assert weight_causes(GIVEN, GIVEN, dict(GIVEN)) == []
    cubed = edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"] ** 3)
    assert weight_causes(GIVEN, GIVEN, cubed) == []
    broken = edited(GIVEN, dense_1__kernel=np.full((16, 16), np.nan))
    assert weight_causes(GIVEN, GIVEN, broken) == []


# --- layers -------------------------------------------------------------------------------------

INPUT = RNG.normal(size=(50, 16)) * 2
NETWORK = {
    **GIVEN,
    "batch_norm_1.scale": RNG.random(16) + 0.5,
    "batch_norm_1.offset": GIVEN["dense_1.bias"],
}
KERNEL, BIAS = GIVEN["dense_1.kernel"], GIVEN["dense_1.bias"]
DENSE = INPUT @ KERNEL + BIAS
LOGITS = INPUT @ GIVEN["dense_2.kernel"] + GIVEN["dense_2.bias"]


def softmax(x: Array) -> Array:
    return torch.tensor(x).softmax(1).numpy()


LAYERS: dict[str, tuple[str, Array, Array, str, str]] = {
    "no bias": ("dense_1", DENSE, INPUT @ KERNEL, "bias not added", "theirs leaves out the bias"),
    "transposed": (
        "dense_1",
        DENSE,
        INPUT @ KERNEL.T + BIAS,
        "transposed kernel",
        "theirs multiplies by kernel.T",
    ),
    "relu": ("dense_1", DENSE, np.maximum(DENSE, 0), "activation", "theirs applies relu"),
    "softmax": ("logits", LOGITS, softmax(LOGITS), "activation", "applies softmax"),
    "log-softmax": (
        "logits",
        LOGITS,
        np.log(softmax(LOGITS)),
        "activation",
        "applies log-softmax",
    ),
    "relu on logits": ("logits", LOGITS, np.maximum(LOGITS, 0), "activation", "relu"),
    "temperature": ("logits", LOGITS, LOGITS / 2.5, "temperature", "theirs divides by 2.5"),
}


@pytest.mark.parametrize("case", LAYERS)
def test_dense_layers_are_named(case: str) -> None:
    layer, ours, theirs, name, said = LAYERS[case]
    only(layer_causes(layer, INPUT, ours, theirs, NETWORK, False), name, said)


def test_a_kernel_of_another_layer_is_named() -> None:
    named = {"u": RNG.normal(size=(16, 16)), "v": RNG.normal(size=(16, 16))}
    found = layer_causes("hidden", INPUT, INPUT @ named["u"], INPUT @ named["v"], named, False)
    only(found, "another kernel", "ours takes u", "theirs takes v")


def test_a_dense_layer_is_read_in_float32() -> None:
    x, ours, theirs = (a.astype(np.float32) for a in (INPUT, DENSE, INPUT @ KERNEL))
    found = layer_causes("dense_1", x, ours, theirs, NETWORK, True)
    only(found, "bias not added", gap=1e-3)


def torch_norm(epsilon: float, *, training: bool, affine: bool = True) -> Array:
    layer = torch.nn.BatchNorm1d(16, eps=epsilon, dtype=torch.float64)
    parts = {"running_mean": "mean", "running_var": "variance"}
    if affine:
        parts |= {"weight": "scale", "bias": "offset"}
    state = {name: torch.tensor(NETWORK[f"batch_norm_1.{part}"]) for name, part in parts.items()}
    layer.load_state_dict(state, strict=False)
    result: Array = layer.train(training)(torch.tensor(INPUT)).detach().numpy()
    return result


def keras_norm(*, training: bool, **settings: Any) -> Array:
    keras = pytest.importorskip("keras")
    layer = keras.layers.BatchNormalization(dtype="float64", **settings)
    layer.build(INPUT.shape)
    order = ("scale", "offset", "mean", "variance")
    layer.set_weights([NETWORK[f"batch_norm_1.{part}"] for part in order])
    return np.asarray(layer(INPUT, training=training))


def sample_norm() -> Array:
    centred = INPUT - INPUT.mean(0)
    scaled: Array = centred * NETWORK["batch_norm_1.scale"]
    scaled /= np.sqrt(INPUT.var(0, ddof=1) + 1e-5)
    scaled += NETWORK["batch_norm_1.offset"]
    return scaled


@pytest.mark.parametrize("training", [True, False])
def test_epsilons_of_torch_and_keras_are_named(training: bool) -> None:
    sides = torch_norm(1e-5, training=training), keras_norm(training=training)
    found = layer_causes("batch_norm_1", INPUT, *sides, NETWORK, training)
    only(found, "batch-norm epsilon", "ours adds epsilon 1e-05", "theirs adds epsilon 0.001")


def test_an_odd_epsilon_is_solved_for_in_either_precision() -> None:
    sides = torch_norm(1e-5, training=True), torch_norm(3e-2, training=True)
    found = layer_causes("batch_norm_1", INPUT, *sides, NETWORK, True)
    only(found, "batch-norm epsilon", "theirs adds epsilon 0.03")
    x, a, b = (array.astype(np.float32) for array in (INPUT, *sides))
    found = layer_causes("batch_norm_1", x, a, b, NETWORK, True)
    only(
        found, "batch-norm epsilon", "ours adds epsilon 1e-05", "theirs adds epsilon 0.03", gap=1e-5
    )


NORMS: dict[str, tuple[Callable[[], Array], str, str]] = {
    "statistics": (
        lambda: torch_norm(1e-5, training=False),
        "batch-norm statistics",
        "theirs uses the moving statistics",
    ),
    "sample variance": (sample_norm, "batch-norm statistics", "sample variance"),
    "neither scale nor offset": (
        lambda: torch_norm(1e-5, training=True, affine=False),
        "batch-norm scale and batch-norm offset",
        "leaves out the scale",
    ),
    "offset": (
        lambda: torch_norm(1e-5, training=True) - NETWORK["batch_norm_1.offset"],
        "batch-norm offset",
        "theirs leaves out the offset",
    ),
}


@pytest.mark.parametrize("case", NORMS)
def test_batch_norm_is_named(case: str) -> None:
    theirs, name, said = NORMS[case]
    ours = torch_norm(1e-5, training=True)
    found = layer_causes("batch_norm_1", INPUT, ours, theirs(), NETWORK, True)
    only(found, name, said)


ACTIVATIONS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
    "relu": (torch.relu, "applies relu"),
    "leaky": (lambda x: torch.nn.functional.leaky_relu(x, 0.2), "leaky_relu of slope 0.2"),
    "gelu tanh": (
        lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
        "gelu (tanh approximation)",
    ),
    "silu": (torch.nn.functional.silu, "silu"),
    "elu": (lambda x: torch.nn.functional.elu(x, 0.7), "elu of alpha 0.7"),
    "selu": (torch.selu, "selu"),
    "tanh": (torch.tanh, "tanh"),
    "sigmoid": (torch.sigmoid, "sigmoid"),
    "softplus": (torch.nn.functional.softplus, "softplus"),
    "softsign": (torch.nn.functional.softsign, "softsign"),
    "mish": (torch.nn.functional.mish, "mish"),
    "relu6": (torch.nn.functional.relu6, "relu6"),
    "hard tanh": (torch.nn.functional.hardtanh, "hard tanh"),
    "hard sigmoid": (torch.nn.functional.hardsigmoid, "hard sigmoid, relu6"),
    "hard silu": (torch.nn.functional.hardswish, "hard silu"),
    "identity": (lambda x: x, "theirs no activation"),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("case", ACTIVATIONS)
def test_activations_are_named(case: str, dtype: type[np.floating[Any]]) -> None:
    function, said = ACTIVATIONS[case]
    x: Array = INPUT.astype(dtype)
    ours = torch.nn.functional.gelu(torch.tensor(x)).numpy()
    theirs = function(torch.tensor(x)).numpy()
    found = layer_causes("activation_1", x, ours, theirs, {}, True)
    only(found, "activation", "ours applies gelu (exact)", said, gap=1e-5)


def test_activations_of_keras_are_named() -> None:
    keras = pytest.importorskip("keras")
    ours = np.asarray(keras.activations.leaky_relu(INPUT))
    theirs = np.asarray(keras.activations.gelu(INPUT, approximate=True))
    found = layer_causes("activation_2", INPUT, ours, theirs, {}, True)
    only(found, "activation", "slope 0.2", "gelu (tanh approximation, its constant rounded")
    exact = np.asarray(keras.activations.gelu(INPUT, approximate=False))
    ours = torch.nn.functional.gelu(torch.tensor(INPUT)).numpy()
    found = layer_causes("activation_2", INPUT, ours, exact, {}, True)
    only(found, "activation", "ours applies gelu (exact),", "rounded to float32", gap=1e-13)


def dropped(rate: float, x: Array = INPUT, scaled: bool = True) -> Array:
    kept = np.random.default_rng(int(rate * 100)).random(x.shape) >= rate
    return x * kept / (1 - rate if scaled else 1)


def test_dropout_is_named() -> None:
    def found(ours: Array, theirs: Array, training: bool) -> list[Cause]:
        return layer_causes("dropout_1", INPUT, ours, theirs, {}, training)

    only(found(INPUT, dropped(0.2), False), "dropout left on", "a rate of 0.2", "eval()")
    only(found(dropped(0.5), INPUT, False), "dropout left on", "ours drops", "rate of 0.5")
    only(found(dropped(0.5), dropped(0.2), True), "dropout", "rate of 0.5", "rate of 0.2")
    only(found(dropped(0.5), dropped(0.501), True), "dropout", "masks are drawn anew")
    only(found(INPUT, dropped(0.2, scaled=False), False), "dropout left on", "leaves the rest")
    only(found(INPUT, INPUT * 0.8, False), "dropout left on", "multiplies all by 0.8")


def test_dropout_after_relu_is_read_where_it_can_be() -> None:
    x = np.maximum(INPUT, 0)
    found = layer_causes("dropout_1", x, x, dropped(0.2, x), {}, False)
    only(found, "dropout left on", "rate of 0.2")


def test_unknown_layers_are_compared_with_each_other() -> None:
    found = layer_causes("attention_1", INPUT, DENSE, DENSE * 3 + 1, {}, False)
    only(found, "scaled output", "theirs gives 3 times and +1 what ours gives")
    found = layer_causes("conv_1", INPUT, DENSE, np.maximum(DENSE, 0), {}, False)
    only(found, "activation", "theirs applies relu to what ours gives")
    found = layer_causes("conv_1", INPUT, np.tanh(DENSE), DENSE, {}, False)
    only(found, "activation", "ours applies tanh to what theirs gives")


@pytest.mark.parametrize(
    "layer",
    mostly_slow(
        ["dense_1", "batch_norm_1", "activation_1", "dropout_1", "logits", "other"],
        "dense_1", "logits",
    ),
)  # fmt: skip
def test_layers_that_agree_or_cannot_be_explained_have_no_cause(layer: str) -> None:
    ours = DENSE if layer != "logits" else LOGITS

    def found(theirs: Array) -> list[Cause]:
        return layer_causes(layer, INPUT, ours, theirs, NETWORK, True)

    assert found(ours.copy()) == []
    assert found(RNG.normal(size=ours.shape)) == []
    assert found(np.full(ours.shape, np.inf)) == []
    assert found(ours[:, :3]) == []


# --- loss ---------------------------------------------------------------------------------------

LABELS = RNG.integers(0, 10, 50)
TORCH_LOGITS, TORCH_LABELS = torch.tensor(LOGITS), torch.tensor(LABELS)
ONE_HOT = torch.nn.functional.one_hot(TORCH_LABELS, 10).double()
entropy = torch.nn.functional.cross_entropy
USUAL = float(entropy(TORCH_LOGITS, TORCH_LABELS))


def smoothed(amount: float, reduction: str = "mean") -> float:
    return float(entropy(TORCH_LOGITS, TORCH_LABELS, label_smoothing=amount, reduction=reduction))


def keras_loss(name: str, **settings: Any) -> float:
    keras = pytest.importorskip("keras")
    with_one_hot = not name.startswith("Sparse")
    truth = ONE_HOT.numpy() if with_one_hot else LABELS
    return float(getattr(keras.losses, name)(dtype="float64", **settings)(truth, LOGITS))


LOSSES: dict[str, tuple[Callable[[], float], str, str]] = {
    "sum": (lambda: USUAL * 50, "loss reduction", "theirs computes cross-entropy, its sum over"),
    "mean over classes": (lambda: USUAL / 10, "loss reduction", "and the 10 classes"),
    "sum over classes": (lambda: USUAL * 5, "loss reduction", "divided by the 10 classes"),
    "divisor": (lambda: USUAL * 50 / 64, "loss reduction", "divided by 64 instead of 50"),
    "smoothed": (lambda: smoothed(0.1), "label smoothing", "label smoothing 0.1"),
    "smoothed by Keras": (
        lambda: keras_loss("CategoricalCrossentropy", from_logits=True, label_smoothing=0.05),
        "label smoothing",
        "label smoothing 0.05",
    ),
    "smoothed and summed": (
        lambda: smoothed(0.2, "sum"),
        "label smoothing and loss reduction",
        "label smoothing 0.2",
    ),
    "softmax twice": (
        lambda: float(entropy(TORCH_LOGITS.softmax(1), TORCH_LABELS)),
        "softmax applied twice",
        "from_logits",
    ),
    "from_logits": (
        lambda: keras_loss("SparseCategoricalCrossentropy"),
        "logits taken for probabilities",
        "from_logits=True",
    ),
    "from_logits, one-hot": (
        lambda: keras_loss("CategoricalCrossentropy"),
        "logits taken for probabilities",
        "from_logits=True",
    ),
    "bits": (lambda: USUAL / np.log(2), "logarithm to base 2", "base 2"),
    "labels too high": (
        lambda: float(entropy(TORCH_LOGITS, (TORCH_LABELS + 1) % 10)),
        "labels off by one",
        "one too high",
    ),
    "labels too low": (
        lambda: float(entropy(TORCH_LOGITS, (TORCH_LABELS - 1) % 10)),
        "labels off by one",
        "one too low",
    ),
    "binary": (
        lambda: float(torch.nn.functional.binary_cross_entropy_with_logits(TORCH_LOGITS, ONE_HOT)),
        "binary cross-entropy and loss reduction",
        "each class's logit",
    ),
    "binary by Keras": (
        lambda: keras_loss("BinaryCrossentropy", from_logits=True),
        "binary cross-entropy and loss reduction",
        "each class's logit",
    ),
    "squared error": (
        lambda: float(torch.nn.functional.mse_loss(TORCH_LOGITS.softmax(1), ONE_HOT)),
        "squared error and loss reduction",
        "of the probabilities",
    ),
    "NLLLoss on logits": (
        lambda: float(torch.nn.functional.nll_loss(TORCH_LOGITS, TORCH_LABELS)),
        "no log-softmax",
        "negative logit",
    ),
}


@pytest.mark.parametrize("case", LOSSES)
def test_losses_are_named(case: str) -> None:
    theirs, name, said = LOSSES[case]
    only(loss_causes(LOGITS, LABELS, USUAL, theirs()), name, said, gap=1e-10)


def test_losses_are_named_in_float32() -> None:
    coarse = LOGITS.astype(np.float32)
    ours, theirs = float(np.float32(USUAL)), float(np.float32(smoothed(0.1)))
    found = loss_causes(coarse, LABELS, ours, theirs)
    only(found, "label smoothing", "label smoothing 0.1", gap=1e-5)


def test_losses_that_agree_or_cannot_be_explained_have_no_cause() -> None:
    assert loss_causes(LOGITS, LABELS, USUAL, USUAL) == []
    assert loss_causes(LOGITS, LABELS, USUAL, USUAL * (1 + 1e-15)) == []
    assert loss_causes(LOGITS, LABELS, USUAL, USUAL + 0.0123456) == []  # a penalty
    assert loss_causes(LOGITS, LABELS, USUAL, float("nan")) == []
    assert loss_causes(LOGITS, LABELS + 5, USUAL, 1.0) == []


# --- gradients ----------------------------------------------------------------------------------

TRAINED = {
    "dense_1.kernel": RNG.normal(size=(12, 8)),
    "dense_1.bias": np.zeros(8),
    "batch_norm_1.scale": RNG.random(8) + 0.5,
    "batch_norm_1.offset": RNG.normal(size=8),
    "dense_2.kernel": RNG.normal(size=(8, 8)),
    "dense_2.bias": RNG.normal(size=8),
    "dense_3.kernel": RNG.normal(size=(8, 10)),
    "dense_3.bias": RNG.normal(size=10),
}
SLOPES = {name: RNG.normal(size=tensor.shape) * 0.1 for name, tensor in TRAINED.items()}
SLOPES["dense_1.bias"] *= 1e-17  # a bias before a batch norm has no gradient


def norm(tensors: Table) -> float:
    return float(np.sqrt(sum((tensor**2).sum() for tensor in tensors.values())))


def times(factor: float) -> Table:
    return {name: slope * factor for name, slope in SLOPES.items()}


def by_torch(clip: Callable[[list[torch.nn.Parameter]], object]) -> Table:
    """Gradients that torch has clipped."""
    parameters = []
    for name, slope in SLOPES.items():
        parameter = torch.nn.Parameter(torch.tensor(TRAINED[name]))
        parameter.grad = torch.tensor(slope)
        parameters.append(parameter)
    clip(parameters)
    return {
        name: parameter.grad.numpy()
        for name, parameter in zip(SLOPES, parameters, strict=True)
        if parameter.grad is not None
    }


def clipped_one_by_one(limit: float) -> Table:
    return {
        name: slope * min(1.0, limit / max(float(np.linalg.norm(slope)), 1e-30))
        for name, slope in SLOPES.items()
    }


def noisy(*names: str) -> Table:
    noise = np.random.default_rng(3)
    return {
        name: slope + (noise.normal(size=slope.shape) * 0.01 if name in names else 0)
        for name, slope in SLOPES.items()
    }


def columns_dropped() -> Table:
    kept = np.arange(8) % 3 != 0
    return edited(SLOPES, dense_2__kernel=SLOPES["dense_2.kernel"] * kept / 0.8)


GRADIENTS: dict[str, tuple[Callable[[], Table], str, str]] = {
    "sum": (
        lambda: times(32),
        "gradients scaled",
        "theirs has larger gradients, as where the loss is summed",
    ),
    "mean": (
        lambda: times(1 / 32),
        "gradients scaled",
        "ours has larger gradients, as where the loss is summed",
    ),
    "classes": (lambda: times(0.1), "gradients scaled", "ours has larger gradients"),
    "scaled": (lambda: times(1024), "gradients scaled", "1024 times"),
    "sign": (lambda: times(-1), "sign of the gradients", "of the other sign"),
    "global norm": (
        lambda: by_torch(lambda p: torch.nn.utils.clip_grad_norm_(p, 0.5)),
        "global norm clipped",
        "theirs brings the global norm to 0.5",
    ),
    "value": (
        lambda: by_torch(lambda p: torch.nn.utils.clip_grad_value_(p, 0.05)),
        "clipped by value",
        "theirs clips each element to +-0.05",
    ),
    "tensor norm": (
        lambda: clipped_one_by_one(0.4),
        "clipped by tensor norm",
        "theirs clips the norm of",
    ),
    "L2": (
        lambda: {name: slope + 1e-4 * TRAINED[name] for name, slope in SLOPES.items()},
        "L2 penalty",
        "theirs adds 0.0001 * w",
    ),
    "L2 of kernels": (
        lambda: edited(
            SLOPES, dense_3__kernel=SLOPES["dense_3.kernel"] + 0.02 * TRAINED["dense_3.kernel"]
        ),
        "L2 penalty",
        "the gradients of dense_3.kernel",
    ),
    "L1": (
        lambda: {name: slope + 1e-3 * np.sign(TRAINED[name]) for name, slope in SLOPES.items()},
        "L1 penalty",
        "0.001 * sign(w)",
    ),
    "frozen": (
        lambda: edited(SLOPES, dense_2__kernel=np.zeros((8, 8))),
        "frozen weight",
        "theirs has gradients of zero for dense_2.kernel",
    ),
    "not there": (
        lambda: {name: slope for name, slope in SLOPES.items() if "batch" not in name},
        "frozen weight",
        "theirs has none for batch_norm_1.scale",
    ),
    "transposed square": (
        lambda: edited(SLOPES, dense_2__kernel=SLOPES["dense_2.kernel"].T),
        "transposed gradient",
        "theirs's of dense_2.kernel",
    ),
    "transposed": (
        lambda: edited(SLOPES, dense_3__kernel=SLOPES["dense_3.kernel"].T),
        "transposed gradient",
        "theirs's of dense_3.kernel",
    ),
    "one scaled": (
        lambda: edited(SLOPES, dense_3__bias=SLOPES["dense_3.bias"] * 3),
        "scaled by tensor",
        "dense_3.bias (3 times)",
    ),
    "columns": (columns_dropped, "dropout in the gradients", "dense_2.kernel (38%)"),
    "before batch norm": (
        lambda: noisy("dense_1.kernel"),
        UNEXPLAINED,
        "only dense_1.kernel differs",
    ),
    "before dense_3": (
        lambda: noisy(*list(SLOPES)[:6]),
        UNEXPLAINED,
        "all tensors before dense_3.kernel differ",
    ),
    "one": (lambda: noisy("dense_3.bias"), UNEXPLAINED, "only dense_3.bias"),
}


@pytest.mark.parametrize("case", GRADIENTS)
def test_gradients_are_named(case: str) -> None:
    theirs, name, said = GRADIENTS[case]
    only(gradient_causes(SLOPES, theirs()), name, said, gap=1 if name == UNEXPLAINED else 1e-12)


@pytest.mark.parametrize("case", ["global norm", "value", "tensor norm", "L2", "frozen"])
def test_gradients_are_named_on_either_side(case: str) -> None:
    odd, name, _ = GRADIENTS[case]
    found = gradient_causes(odd(), SLOPES)
    only(found, name, "ours", gap=1e-10)
    assert found[0].text.split("ours")[1].split("theirs")[0].strip()


def test_gradients_that_are_divided_by_their_norm_are_told_from_clipped_ones() -> None:
    found = gradient_causes(times(0.1), times(1 / norm(SLOPES)))
    only(found, "normalised gradients", "theirs divides its gradients by their global norm")
    only(gradient_causes(times(1 / norm(SLOPES)), times(0.1)), "normalised gradients", "ours")


def test_gradients_are_named_in_float32() -> None:
    ours, theirs = (
        {name: slope.astype(np.float32) for name, slope in table.items()}
        for table in (SLOPES, times(32))
    )
    found = gradient_causes(ours, theirs)
    only(found, "gradients scaled", "theirs has larger", gap=1e-5)


def test_gradients_that_agree_or_cannot_be_explained_have_no_cause() -> None:
    def found(theirs: Table) -> list[Cause]:
        return gradient_causes(SLOPES, theirs)

    assert found(dict(SLOPES)) == []
    assert found({name: slope * (1 + 2e-16) for name, slope in SLOPES.items()}) == []
    assert found(noisy(*SLOPES)) == []
    assert found({name: np.full(slope.shape, np.nan) for name, slope in SLOPES.items()}) == []
    assert found(edited(SLOPES, dense_3__bias=np.zeros(3))) == []


# --- batches ------------------------------------------------------------------------------------

STEPS, BATCH = 40, 64
EXAMPLES = RNG.normal(size=(STEPS * BATCH, 20))
TRUTH = (EXAMPLES @ RNG.normal(size=(20, 10)) + RNG.normal(size=(STEPS * BATCH, 10))).argmax(1)


def trained(order: list[int], *, rate: float = 0.1, changed: int = STEPS) -> Array:
    """Losses of a softmax regression on these batches; from step `changed` on, a tenth the rate."""
    weights, losses = np.zeros((20, 10)), []
    for step, batch in enumerate(order):
        rows = slice(batch * BATCH, (batch + 1) * BATCH)
        x, truth = EXAMPLES[rows], np.eye(10)[TRUTH[rows]]
        chances = softmax(x @ weights)
        losses.append(-np.log((chances * truth).sum(1)).mean())
        weights -= (rate if step < changed else rate / 10) * x.T @ (chances - truth) / BATCH
    return np.array(losses)


INTURN = list(range(STEPS))
SIZES = np.full(STEPS, BATCH)
HEALTHY = trained(INTURN)


def test_a_swapped_batch_is_named() -> None:
    for place in (5, 17, 30):
        order = [*INTURN[:place], place + 1, place, *INTURN[place + 2 :]]
        found = batch_causes(HEALTHY, trained(order), SIZES)
        said = f"steps {place + 1} and {place + 2}"
        only(found, "swapped batches", said, gap=0.05)


def test_a_repeated_or_skipped_batch_is_named() -> None:
    for place in (5, 17, 30):
        repeated = trained([*INTURN[:place], *INTURN[place - 1 : -1]])
        found = batch_causes(HEALTHY, repeated, SIZES)
        said = f"from step {place + 1} on theirs is one batch behind ours: theirs repeats or adds"
        only(found, "repeated or skipped batch", said, gap=0.1)
        skipped = trained([*INTURN[:place], *INTURN[place + 1 :]])
        found = batch_causes(HEALTHY[:-1], skipped, SIZES[:-1])
        said = f"from step {place + 1} on ours is one batch behind theirs"
        only(found, "repeated or skipped batch", said, gap=0.1)


def test_the_last_partial_batch_is_named() -> None:
    sizes = np.array([*SIZES[:-1], 20])
    padded, divided = HEALTHY.copy(), HEALTHY.copy()
    padded[-1] *= 1.3
    divided[-1] *= 20 / BATCH
    only(
        batch_causes(HEALTHY, HEALTHY[:-1], sizes),
        "last partial batch",
        "theirs leaves out the last batch of 20",
    )
    only(batch_causes(HEALTHY, padded, sizes), "last partial batch", "whose batch has 20")
    only(batch_causes(divided, HEALTHY, sizes), "last partial batch", "ours divides")
    only(batch_causes(HEALTHY[:-3], HEALTHY, SIZES), "number of steps", "after 37 steps")


def test_what_has_no_name_has_its_step() -> None:
    found = batch_causes(HEALTHY, trained(INTURN, changed=11), SIZES)
    only(found, UNEXPLAINED, "part at step 13 of 40", gap=1)
    found = batch_causes(HEALTHY, RNG.random(STEPS), SIZES)
    only(found, UNEXPLAINED, "part at step 1 of 40", gap=3)


def test_losses_that_agree_have_no_cause() -> None:
    assert batch_causes(HEALTHY, HEALTHY * (1 + 1e-13), SIZES) == []
    assert batch_causes(HEALTHY, HEALTHY * np.nan, SIZES) == []


def test_a_factor_is_no_dropout_but_in_a_layer_of_that_name() -> None:
    found = layer_causes("logits", LOGITS, LOGITS * 2, LOGITS, {}, False)
    only(found, "temperature", "ours divides by 0.5, theirs divides by 1")
    assert not layer_causes("dense_9", INPUT, INPUT * 2, RNG.normal(size=INPUT.shape), {}, False)


def test_what_is_too_large_for_float16_is_rounded_in_silence() -> None:
    rounded = PRECISIONS["float16"].round(np.array([1.0, 1e6, -1e6]))
    np.testing.assert_array_equal(rounded, [1.0, np.inf, -np.inf])
