"""Two compiled Keras models on the ladder: what one does otherwise is named, and nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import losses, optimizers, regularizers

from parity.keras import LockStep
from parity.ladder.climb import Climb
from parity.ladder.plan import Plan
from parity.ladder.rung import Rung
from parity.readings.cause import UNEXPLAINED
from parity.sides.entries import Precision
from tests.support.in_process import InProcess

CLASSES = 4
Make = dict[str, Any]
"""Of a model: optimiser and loss by a function, as they belong to one model each."""


def _compute_in(name: str) -> None:
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)  # it keeps the first floatx that it saw


@pytest.fixture(params=["float64"])
def precision(request: pytest.FixtureRequest) -> Iterator[Precision]:
    _compute_in(request.param)
    yield request.param
    _compute_in("float32")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of 4 x 4 pixels."""
    rng = np.random.default_rng(3)
    path = tmp_path_factory.mktemp("keras pairs") / "tiny.npz"
    np.savez(
        path,
        x_train=rng.integers(0, 256, (84, 4, 4)).astype(np.uint8),
        y_train=rng.integers(0, CLASSES, 84),
        x_test=rng.integers(0, 256, (12, 4, 4)).astype(np.uint8),
        y_test=rng.integers(0, CLASSES, 12),
    )
    return path


def sparse() -> losses.Loss:
    return losses.SparseCategoricalCrossentropy(from_logits=True)


def model(
    activation: str = "relu",
    fused: bool = True,
    last: str | None = None,
    penalty: Any = None,
    loss: Callable[[], Any] = sparse,
    optimizer: Callable[[], Any] = lambda: optimizers.SGD(0.1),
) -> keras.Model:
    keras.utils.set_random_seed(1)
    given = keras.Input((4, 4))
    x = kl.Flatten()(kl.Rescaling(np.float64(1 / 255))(given))
    for units in (6, 5):
        x = kl.Dense(units, activation=activation if fused else None, kernel_regularizer=penalty)(x)
        x = x if fused else kl.Activation(activation)(x)
    built = keras.Model(given, kl.Dense(CLASSES, activation=last, kernel_regularizer=penalty)(x))
    built.compile(optimizer=optimizer(), loss=loss())
    return built


def climb(a: Make, b: Make, data: Path, precision: Precision) -> Rung:
    """The first broken rung, or the last."""
    ours, theirs = (
        InProcess("ours", LockStep(model(**a))),
        InProcess("theirs", LockStep(model(**b))),
    )
    echo = InProcess("echo", LockStep(model(**b))) if precision == "float32" else None
    for rung in Climb(ours, theirs, echo, Plan(data, 24, precision), lambda _: None).rungs():
        if not rung.passed:
            break
    return rung


def by(name: str, **settings: Any) -> Make:
    """Trained by an optimiser, at a rate of 0.01 unless told otherwise."""
    return {"optimizer": lambda: getattr(optimizers, name)(**{"learning_rate": 0.01, **settings})}


def dense(**settings: Any) -> Make:
    return {"loss": lambda: losses.CategoricalCrossentropy(from_logits=True, **settings)}


L2 = regularizers.L2(1e-3)
ADAM, ADAMAX, SGD, RMSPROP = by("Adam"), by("Adamax"), by("SGD"), by("RMSprop")
SHARES: Make = {"last": "softmax", "loss": losses.CategoricalCrossentropy}
NAMED: dict[str, tuple[Make, Make, list[str]]] = {
    "activation": ({}, {"activation": "silu"}, ["activation"]),
    "activation behind": ({"fused": False}, {"activation": "tanh", "fused": False}, ["activation"]),
    "penalty": ({}, {"penalty": L2}, ["L2 penalty"]),
    "smoothing": (dense(), dense(label_smoothing=0.1), ["label smoothing"]),
    "smoothing and penalty": (
        dense(), dense(label_smoothing=0.1) | {"penalty": L2}, ["label smoothing and L2 penalty"]
    ),
    "divergence": (
        SHARES, SHARES | {"loss": losses.KLDivergence}, ["Kullback-Leibler divergence"]
    ),
    "ignored": (
        {}, {"loss": lambda: losses.SparseCategoricalCrossentropy(True, ignore_class=2)},
        ["ignored class"],
    ),
    "Adamax": (ADAM, ADAMAX, ["optimiser"]),
    "Adamax, rate": (ADAMAX, by("Adamax", learning_rate=0.02), ["learning rate"]),
    "Adamax, beta_1": (ADAMAX, by("Adamax", beta_1=0.8), ["beta_1"]),
    "Adamax, beta_2": (ADAMAX, by("Adamax", beta_2=0.9), ["beta_2"]),
    "Adamax, epsilon": (ADAMAX, by("Adamax", epsilon=1e-3), ["epsilon's value"]),
    "Adamax, decay": (ADAMAX, by("Adamax", weight_decay=0.01), ["weight decay"]),
    "Nadam": (ADAM, by("Nadam"), ["optimiser"]),
    "AdamW": (ADAM, by("AdamW"), ["weight decay"]),
    "amsgrad": (ADAM, by("Adam", amsgrad=True), ["amsgrad"]),
    "centred": (RMSPROP, by("RMSprop", centered=True), ["centered"]),
    "momentum": (SGD, by("SGD", momentum=0.9), ["momentum"]),
    "clipped": (SGD, by("SGD", global_clipnorm=0.05), ["gradient clipping"]),
    "clipped one by one": (SGD, by("SGD", clipnorm=0.05), ["gradient clipping"]),
    "averaged": (
        SGD, by("SGD", use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2),
        ["average of the weights"],
    ),
    "gathered": (SGD, by("SGD", gradient_accumulation_steps=2), ["accumulated batches"]),
    "Ftrl": (ADAM, by("Ftrl"), [UNEXPLAINED]),
    "Lamb": (ADAM, by("Lamb"), [UNEXPLAINED]),
    "hinge": ({}, {"loss": losses.CategoricalHinge}, []),
    "nothing": (ADAMAX, ADAMAX, []),
    "fused": ({}, {"fused": False}, []),
}  # fmt: skip
FAST = {"smoothing and penalty", "divergence", "momentum"}


def named(rung: Rung) -> list[str]:
    """The causes, each once: several layers may differ alike, and each is told by itself."""
    return list(dict.fromkeys(cause.name for cause in rung.causes))


@pytest.mark.parametrize(
    "case", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in NAMED]
)
def test_what_one_model_does_otherwise_is_named(
    case: str, data: Path, precision: Precision
) -> None:
    a, b, causes = NAMED[case]
    last = climb(a, b, data, precision)
    assert named(last) == causes
    assert last.passed == (case in ("nothing", "fused"))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32"], indirect=True)
@pytest.mark.parametrize(
    "case",
    ["activation", "penalty", "smoothing", "momentum", "Adamax", "Adamax, rate", "clipped",
     "gathered", "nothing", "fused"],
)  # fmt: skip
def test_so_it_is_in_float32(case: str, data: Path, precision: Precision) -> None:
    a, b, causes = NAMED[case]
    last = climb(a, b, data, precision)
    assert named(last) == causes
    assert last.passed == (case in ("nothing", "fused"))
