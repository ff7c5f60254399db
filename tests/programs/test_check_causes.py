"""Causes before the first step, from made-up facts: what bears one out, and what does not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity.watch.check import Belief, Layer, Loss, Penalty, Program, causes_of

DENSE = Layer("dense", learns=True, units=8, gain=1.0, spread=1.0)
RELU = Layer("activation", "relu", units=8, spread=0.5)
CROSS = Loss("CrossEntropyLoss", "categorical", "logits")
BINARY = Loss("BCEWithLogitsLoss", "binary", "logits")
NUMBERS = Loss("MSELoss", "distance")
PROBABLE = Loss("categorical_crossentropy", "categorical", "probabilities")
RNG = np.random.default_rng(0)


def program(**known: Any) -> Program:
    """A healthy one: three classes, alike in number, told by logits."""
    usual: dict[str, Any] = {
        "layers": (DENSE, RELU, replace(DENSE, units=3)),
        "fed": RNG.normal(size=(60, 6)),
        "outputs": RNG.normal(size=(60, 3)),
        "targets": np.arange(60) % 3,
        "inputs": RNG.normal(size=(60, 6)),
        "last": "linear",
        "ends": True,
        "loss": CROSS,
        "optimizer": "SGD",
        "rate": 0.01,
        "trainable": 100,
    }
    return Program("torch", **(usual | known))


def binary(**known: Any) -> Program:
    return program(
        **{"outputs": RNG.normal(size=(60, 1)), "targets": np.arange(60) % 2, "loss": BINARY}
        | known
    )


def numbers(name: str, **known: Any) -> Program:
    values = RNG.normal(size=60)
    return program(
        **{"outputs": RNG.normal(size=(60, 1)), "targets": values, "loss": Loss(name)} | known
    )


def weighted(*weights: float) -> Loss:
    return replace(CROSS, weights=weights)


def deep(spread: float, *, count: int = 6, function: str = "relu", **last: Any) -> Program:
    """Layers of which each leaves that part of what differs between samples."""
    layers: list[Layer] = []
    for place in range(count):
        layers.append(replace(DENSE, spread=spread**place))
        layers.append(Layer("activation", function, spread=spread**place, **last))
    return program(layers=(*layers, DENSE))


def read(kinds: tuple[str, ...], zeros: int, **known: Any) -> Program:
    """Sequences of 20 words of which the last ones are padding."""
    words = np.concatenate(
        [RNG.integers(1, 9, (60, 20 - zeros)), np.zeros((60, zeros), int)], axis=1
    )
    layers = tuple(Layer(kind, learns=True) for kind in kinds)
    return binary(inputs=words, fed=words, layers=layers, **known)


def words(within: int = 0, behind: int = 0) -> Any:
    """Numbers of 5 to 19 words in a row, with zeros before them."""
    rows = RNG.integers(1, 400, (60, 20)) * (np.arange(20) >= RNG.integers(1, 16, (60, 1)))
    rows[:, 20 - behind :] = 0
    rows[:, -3] *= 1 - within
    return rows.astype(float)


NORM = Layer("batch_norm", learns=True, units=3)
PIXELS: dict[str, Any] = {
    "fed": RNG.integers(0, 256, (60, 64)).astype(float), "inputs": RNG.integers(0, 256, (60, 64))
}  # fmt: skip
LAST, EMBEDDED = Layer("dense", learns=True, units=3), ("embedding", "lstm", "dense")
DROPOUT = Layer("dropout", dropped=0.5)
SOFTMAX = Layer("activation", "softmax")
FAULTY: dict[str, tuple[str, Program]] = {
    "weights upside down": (
        "leave only class 0", program(loss=weighted(100, 0.01, 0.01)),
    ),
    "weights as often": (
        "weights of the classes are the wrong way round",
        program(targets=np.repeat([0, 1, 2], (40, 15, 5)), loss=weighted(0.66, 0.25, 0.09)),
    ),
    "weights that add to frequencies": (
        "weights of the classes are the wrong way round",
        program(targets=np.repeat([0, 1, 2], (40, 15, 5)), loss=weighted(8, 2, 1)),
    ),
    "vectors of words that were not found": (
        "a frozen layer gives the same for all samples",
        program(layers=(Layer("embedding", learns=True, frozen=True, spread=0.0), DENSE, LAST)),
    ),
    "a positive class as often": (
        "weights of the classes are the wrong way round",
        binary(targets=np.arange(60) % 10 == 0, loss=replace(BINARY, weights=(1, 0.11))),
    ),
    "two columns for one yes": (
        "is given 2 outputs for each yes or no", binary(outputs=RNG.normal(size=(60, 2))),
    ),
    "the distance of two sigmoids from one number": (
        "measures distances, and the targets are classes",
        binary(outputs=RNG.uniform(size=(60, 2)), last="sigmoid", loss=NUMBERS),
    ),
    "a number for none": (
        "stand for missing features",
        program(inputs=np.where(RNG.random((60, 6)) < 0.05, -999.0, RNG.normal(size=(60, 6)))),
    ),
    "frozen as drawn": ("the frozen layers were never trained", program(undrawn=2)),
    "a positive class that is all": (
        "leave only class 1", binary(loss=replace(BINARY, weights=(1, 10_000))),
    ),
    "a class is ignored": ("ignores class 1", program(loss=replace(CROSS, ignored=1))),
    "batch normalisation of probabilities": (
        "is given logits, and takes probabilities",
        program(loss=PROBABLE, last="", outputs=np.full((60, 3), 1 / 3),
                layers=(DENSE, LAST, SOFTMAX, Layer("batch_norm", learns=True))),
    ),
    "arguments swapped": ("in the wrong order", binary(swapped=True)),
    "masks of bytes": (
        "outside 0 to 1", binary(outputs=RNG.normal(size=(60, 4, 4, 1)),
                                 targets=RNG.integers(0, 2, (60, 4, 4, 1)) * 255),
    ),
    "rates below zero": ("takes rates above 0", numbers("poisson", targets=np.arange(60.0) % 5)),
    "percentages of zero": (
        "cannot measure errors",
        numbers("mean_absolute_percentage_error", targets=np.arange(60) % 4 / 7),
    ),
    "percentages next to zero": (
        "cannot measure errors",
        numbers("mean_absolute_percentage_error", targets=np.arange(60) / 30 - 0.999),
    ),
    "bytes, normalised later on": (
        "bytes from 0 to 255", program(**PIXELS, layers=(DENSE, NORM, RELU, LAST)),
    ),
    "channels before places": (
        "colours and places", program(fed=RNG.normal(size=(60, 3, 16, 16)), inputs=None),
    ),
    "numbers of words": ("numbers of words are taken", program(fed=words(), inputs=words())),
    "logarithms of negative numbers": (
        "cannot measure errors", numbers("mean_squared_logarithmic_error"),
    ),
    "an answer for each place": (
        "answers for each place", program(outputs=RNG.normal(size=(60, 5, 3))),
    ),
    "the steps of one sample": (
        "answers for the steps of the last sample",
        numbers("MSELoss", loss=NUMBERS, inputs=RNG.normal(size=(60, 9, 1)),
                fed=RNG.normal(size=(60, 9, 1)), outputs=RNG.normal(size=(9, 1)),
                layers=(Layer("lstm", learns=True), DENSE)),
    ),
    "padding is read last": (
        "sequences end in padding", replace(read(EMBEDDED, 16), framework="keras"),
    ),
    "dropout of the answers": (
        "dropout is applied to the outputs", program(layers=(DENSE, RELU, LAST, DROPOUT)),
    ),
    "clipped to nothing": ("gradients are clipped", program(clipped=1e-6)),
    "a momentum of 1": ("momentum is too high", program(momentum=1.0)),
    "NaN on the way back": ("first gradients are not finite", program(broken=("0.weight",))),
    "the head is not given": (
        "last layer is not trained", program(stuck="the optimiser was not given its weights"),
    ),
    "signals vanish": ("gradients vanish on their way", deep(0.03)),
    "signals explode": ("gradients explode on their way", deep(30.0)),
    "equal weights": (
        "initial weights are all the same",
        program(layers=(replace(DENSE, gain=0.0), RELU, replace(DENSE, gain=0.0), RELU, DENSE)),
    ),
    "weights of 0": (
        "initial weights are all the same",
        program(
            layers=(replace(DENSE, gain=0.0, spread=0.0), RELU, DENSE),
            outputs=np.zeros((60, 3)),
        ),
    ),
    "tanh at its ends": (
        "tanh units are saturated", deep(1.0, count=2, function="tanh", flat=0.99),
    ),
    "a softmax of a softmax": (
        "softmax is applied twice in the network",
        program(layers=(DENSE, RELU, LAST, SOFTMAX, SOFTMAX), last="softmax",
                loss=Loss("NLLLoss", "categorical", "log probabilities")),
    ),
    "a penalty on what a layer gives": (
        "penalty on a layer's answers is too strong",
        program(penalties=(Penalty("activity", 99),)),
    ),
}  # fmt: skip
HEALTHY: dict[str, Program] = {
    "rare ones among zeros": program(inputs=(RNG.random((60, 6)) < 0.05).astype(float)),
    "a heavy tail": program(inputs=np.exp(2 * RNG.normal(size=(60, 6))).clip(max=20.0)),
    "plain": program(),
    "weights that balance": program(
        targets=np.repeat([0, 1, 2], (50, 5, 5)), loss=weighted(0.4, 4, 4)
    ),
    "weights of even classes": program(loss=weighted(1, 1.1, 0.9)),
    "weights that add a little": program(
        targets=np.repeat([0, 1, 2], (40, 15, 5)), loss=weighted(1.2, 1, 1)
    ),
    "weights of a rare class": binary(
        targets=np.arange(60) % 10 == 0, loss=replace(BINARY, weights=(1, 9))
    ),
    "padding is ignored": program(
        outputs=RNG.normal(size=(60, 7, 3)),
        targets=RNG.integers(0, 3, (60, 7)),
        loss=replace(CROSS, ignored=0),
    ),
    "no class is ignored": program(loss=replace(CROSS, ignored=-100)),
    "samples without a label": program(
        targets=np.where(np.arange(60) % 4 == 0, -100, np.arange(60) % 3),
        loss=replace(CROSS, ignored=-100),
    ),
    "a branch that starts with 0": program(
        layers=(DENSE, RELU, replace(DENSE, gain=0.0, spread=0.0), RELU, DENSE)
    ),
    "probabilities that are made in a way not seen": program(
        loss=PROBABLE, last="", outputs=np.full((60, 3), 1 / 3)
    ),
    "targets that a loss of one's own need not ask for": program(
        loss=None, targets=np.zeros(60), outputs=np.zeros((60, 1))
    ),
    "two columns of yes and no": binary(
        outputs=RNG.normal(size=(60, 2)), targets=np.eye(2)[np.arange(60) % 2]
    ),
    "soft labels": binary(targets=RNG.uniform(size=60)),
    "rates": numbers("poisson", outputs=RNG.uniform(size=(60, 1)), last="softplus"),
    "a class for each place": program(
        outputs=RNG.normal(size=(60, 5, 3)), targets=RNG.integers(0, 3, (60, 5))
    ),
    "padding is masked": replace(read(EMBEDDED, 16, masked=True), framework="keras"),
    "some padding": replace(read(EMBEDDED, 5), framework="keras"),
    "padding of words that are averaged": read(("embedding", "dense"), 16),
    "dropout before the last layer": program(layers=(DENSE, RELU, DROPOUT, LAST)),
    "what follows a dropout is not seen": program(layers=(DENSE, DROPOUT), ends=False),
    "clipped to 1": program(clipped=1.0),
    "Adam scales what is clipped": program(clipped=1e-6, optimizer="Adam", rate=0.001),
    "attention beside the way through": program(
        layers=(DENSE, RELU, SOFTMAX, replace(SOFTMAX, follows=False), LAST)
    ),
    "clipped to little": program(clipped=0.05),
    "percentages of large numbers": numbers(
        "mean_absolute_percentage_error", targets=RNG.uniform(100, 900, 60)
    ),
    "a normalisation of standardised numbers": numbers("mse", loss=NUMBERS, layers=(DENSE, NORM)),
    "small maps of many channels": program(fed=RNG.normal(size=(60, 3, 3, 16)), inputs=None),
    "counts with zeros among them": program(fed=words(within=1) / 400, inputs=None),
    "words that are looked up": program(
        fed=words(), inputs=words(), layers=(Layer("embedding", learns=True), LAST)
    ),
    "momentum of 0.99": program(momentum=0.99),
    "a little lost in each layer": deep(0.4),
    "batch normalisation": replace(
        deep(0.03), layers=(*deep(0.03).layers[:-1], Layer("batch_norm", learns=True), DENSE)
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_is_named_first(name: str) -> None:
    cause, faulty = FAULTY[name]
    assert cause in causes_of(faulty)[0].cause


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_kin_get_no_word(name: str) -> None:
    assert causes_of(HEALTHY[name]) == []


def test_what_may_be_harmless_is_only_said_where_a_trial_proves_it() -> None:
    """Ten layers with torch's initial weights learn, if slowly; a stem may lack an activation."""
    stem = (DENSE, DENSE, RELU, DENSE, RELU, DENSE, RELU, DENSE)
    padded = read(EMBEDDED, 16)  # a program in torch may pack what it reads
    for odd in (deep(0.2), program(layers=stem), padded):
        assert causes_of(odd) == []
        assert [match.belief for match in causes_of(odd, Belief.MAYBE)] == [Belief.MAYBE]


def test_sales_since_each_began_are_no_words() -> None:
    sold = np.sort(words(), axis=1)
    found = causes_of(program(fed=sold, inputs=sold), Belief.MAYBE)
    (only,) = (match.cause for match in found)  # of some draws the first months hardly sold
    assert only in ("the features are not scaled", "the features are of very different scales")


def test_time_is_only_blamed_where_a_layer_takes_it_first() -> None:
    for first, advice in ((True, "batch_first=True"), (False, "dim=-1")):
        (only,) = causes_of(program(mixes=True, time_first=first))
        assert advice in only.advice
        assert (only.remedy is not None) == first


def test_what_follows_from_another_cause_is_not_said_beside_it() -> None:
    nan = np.where(np.arange(60) == 3, np.nan, RNG.normal(size=60))
    (only,) = causes_of(numbers("MSELoss", loss=NUMBERS, targets=nan, broken=("0.weight",)))
    assert only.cause == "some targets are not finite"
    (only,) = causes_of(binary(swapped=True, broken=("0.weight",)))
    assert "in the wrong order" in only.cause
