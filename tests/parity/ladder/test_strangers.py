"""Ports with mistakes in how layers are connected, fed, built and judged: each is named, no other.

The pairs that are equal and only look different climb to the top.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import parity
from parity.ladder.together import Climbed
from parity.readings import attention, layers, weights
from parity.readings.case import Case
from tests.support.foreign_models import (
    IMAGES,
    NUMBERS,
    SERIES,
    TABLE,
    WORDS,
    Attentive,
    Bare,
    Batch,
    Called,
    Cells,
    Convolutional,
    Layered,
    Numbers,
    OneHot,
    Placed,
    Pyramid,
    Residual,
    Words,
)

RNG = np.random.default_rng(0)
Loss = Callable[[Tensor, Tensor], Tensor]
MEANS = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)


def climbed(a: nn.Module, b: nn.Module, batch: Batch, losses: tuple[Loss, Loss]) -> Climbed:
    """Up to the first broken rung."""
    sides = [
        (module, torch.optim.SGD(module.parameters(), 0.1), loss)
        for module, loss in zip((a, b), losses, strict=True)
    ]
    found: Climbed = parity.ladder(*sides, *batch, batch_size=8)  # type: ignore[operator]
    return found


ENTROPY: Loss = nn.CrossEntropyLoss()
PLANTED: dict[str, tuple[Callable[[], nn.Module], Callable[[], nn.Module], Batch, list[str]]] = {
    "no skip": (
        lambda: Residual(lambda _, made: made), Residual, TABLE,
        ["layer_norm_1: A feeds it dense_3, B feeds it activation_1 + dense_3"],
    ),
    "skip halved": (
        lambda: Residual(lambda x, made: x + 0.5 * made), Residual, TABLE,
        ["A feeds it activation_1 + 0.5 * dense_3"],
    ),
    "product for sum": (
        lambda: Residual(torch.mul), Residual, TABLE, ["A feeds it activation_1 * dense_3"],
    ),
    "activation behind the sum": (
        lambda: Residual(lambda x, made: F.relu(x + made)), Residual, TABLE,
        ["A feeds it relu(relu(dense_1) + dense_3), B feeds it relu(dense_1) + dense_3"],
    ),
    "norm before": (
        lambda: Residual(first=True), Residual, TABLE,
        [
            "dense_2: A feeds it layer_norm_1, B feeds it relu(dense_1)",
            "dense_4: A feeds it relu(dense_1) + dense_3, B feeds it layer_norm_1",
        ],
    ),
    "softplus": (
        lambda: Residual(act=lambda x: F.softplus(x, beta=2)), lambda: Residual(act=F.softplus),
        TABLE, ["softplus of beta 2"],
    ),
    "celu": (
        lambda: Residual(act=lambda x: F.celu(x, 0.5)), lambda: Residual(act=F.elu), TABLE,
        ["celu of alpha 0.5"],
    ),
    "sigmoid before the loss": (
        lambda: Residual(last=torch.sigmoid), Residual, TABLE, ["logits: A applies sigmoid"],
    ),
    "clipped": (
        lambda: Residual(inputs=lambda x: x.clamp(-1, 1)), Residual, TABLE, ["clipped to -1 to 1"],
    ),
    "columns in reverse": (
        lambda: Residual(inputs=lambda x: x.flip(1)), Residual, TABLE, ["with axis 1 in reverse"],
    ),
    "figures of the batch": (
        lambda: Residual(inputs=lambda x: (x - x.mean(0)) / x.std(0)), Residual, TABLE,
        ["divided by its sample deviation"],
    ),
    "channels in reverse": (
        lambda: Convolutional(inputs=lambda x: x.flip(1)), Convolutional, IMAGES,
        ["with the channels in reverse"],
    ),
    "channels less their means": (
        lambda: Convolutional(inputs=lambda x: x - MEANS), Convolutional, IMAGES,
        ["each channel moved and scaled by figures of its own"],
    ),
    "axes swapped": (
        lambda: Convolutional(inputs=lambda x: x.transpose(2, 3)), Convolutional, IMAGES,
        ["with axes 1 and 2 swapped"],
    ),
    "mirrored edges": (
        lambda: Convolutional("reflect"), Convolutional, IMAGES, ["with what is mirrored there"],
    ),
    "other edge": (
        lambda: Convolutional("circular"), Convolutional, IMAGES, ["with the other edge"],
    ),
    "groups": (lambda: Convolutional(groups=3), Convolutional, IMAGES, ["over 3 groups"]),
    "group epsilon": (
        lambda: Convolutional(epsilon=1e-3), Convolutional, IMAGES, ["adds epsilon 0.001"],
    ),
    "global pooling": (
        lambda: Convolutional(pool=lambda x: x.amax((2, 3))), Convolutional, IMAGES,
        ["dense_1: A feeds it the largest over the places"],
    ),
    "mean of all places": (
        lambda: Words(take=lambda x: x.mean(1)), Words, WORDS,
        ["A feeds it the mean over the places of gru_1, B feeds it the last place of gru_1"],
    ),
    "ends of both directions": (
        lambda: Words(bidirectional=True, take=lambda x: torch.cat([x[:, -1, :6], x[:, 0, 6:]], 1)),
        lambda: Words(bidirectional=True), WORDS, ["A feeds it what both directions end with"],
    ),
    "tokens one higher": (
        lambda: Words(tokens=lambda x: x + 1), Words, WORDS, ["A feeds x, +1"],
    ),
    "embedding scaled": (
        lambda: Words(embedded=lambda x: 5**0.5 * x), Words, WORDS, ["2.23607 * embedding_1"],
    ),
    "embedding limited": (
        lambda: Words(max_norm=1.0), Words, WORDS, ["limits the rows' norms to 1"],
    ),
    "relu in a recurrent layer": (
        lambda: Words(nn.RNN, nonlinearity="relu"), lambda: Words(nn.RNN), WORDS,
        ["rnn_1: A applies relu, B applies tanh"],
    ),
    "interpolation": (
        lambda: Pyramid("bilinear"), Pyramid, IMAGES, ["B copies the nearest place"],
    ),
    "parts side by side": (
        lambda: Pyramid(joined=(1, 0)), Pyramid, IMAGES,
        ["A feeds it [conv_2, up_sampling_1] side by side"],
    ),
    "embedding and places": (
        lambda: Placed(1.0), Placed, WORDS,
        ["A feeds it embedding_1 + embedding_2, B feeds it embedding_1 + 2 * embedding_2"],
    ),
    "heads": (
        lambda: Attentive(4), Attentive, SERIES, ["dense_5: A feeds it attention", "4 heads"],
    ),
    "scores not scaled": (
        lambda: Attentive(scale=1.0), Attentive, SERIES, ["2 heads, scores not scaled, B"],
    ),
    "softmax over the queries": (
        lambda: Attentive(axis=-2), Attentive, SERIES, ["softmax over the queries, B"],
    ),
    "mask": (lambda: Attentive(causal=True), Attentive, SERIES, ["no place sees later ones, B"]),
}  # fmt: skip


@pytest.mark.parametrize("case", PLANTED)
def test_what_a_port_does_otherwise_is_named(case: str) -> None:
    a, b, batch, said = PLANTED[case]
    last = climbed(a(), b(), batch, (ENTROPY, ENTROPY)).rungs[-1]
    assert len({cause.name for cause in last.causes}) == 1, last.causes
    text = "\n".join(cause.text for cause in last.causes)
    assert all(words in text for words in said), text


ERRORS: dict[str, tuple[Loss, str]] = {
    "delta": (nn.HuberLoss(delta=0.5), "Huber losses of delta 0.5"),
    "smooth": (nn.SmoothL1Loss(beta=0.5), "smooth absolute errors of beta 0.5"),
    "absolute": (nn.L1Loss(), "absolute errors"),
    "root": (lambda x, y: F.mse_loss(x, y).sqrt(), "the root of their mean"),
    "columns summed": (
        lambda x, y: ((x - y) ** 2).sum(1).mean(), "their sum over the columns and mean"
    ),
    "half": (lambda x, y: F.mse_loss(x, y) / 2, "half of their mean"),
    "cosh": (lambda x, y: (x - y).cosh().log().mean(), "the errors' cosh"),
    "cosine": (lambda x, y: 1 - F.cosine_similarity(x, y).mean(), "1 minus cosines"),
    "quantile": (
        lambda x, y: torch.maximum(0.9 * (y - x), 0.1 * (x - y)).mean(), "quantile losses of 0.9"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_losses_of_numbers_are_named(case: str) -> None:
    loss, said = ERRORS[case]
    last = climbed(Numbers(), Numbers(), NUMBERS, (loss, nn.MSELoss())).rungs[-1]
    (cause,) = last.causes
    assert last.name == "loss"
    assert said in cause.text


def test_a_rung_without_a_cause_says_which_is_broken_before_it() -> None:
    sides = [
        (module, torch.optim.SGD(module.parameters(), 0.1), ENTROPY)
        for module in (Residual(act=torch.tanh), Residual())
    ]
    done = parity.ladder(*sides, *TABLE, batch_size=24, keep_going=True)  # type: ignore[operator]
    loss = next(rung for rung in done.rungs if rung.name == "loss")
    assert not loss.passed
    assert '"logits" is broken before it' in loss.note


def test_a_loss_of_numbers_that_is_not_known_is_not_named() -> None:
    def odd(x: Tensor, y: Tensor) -> Tensor:
        return ((x - y).abs() ** 1.7).mean()

    assert not climbed(Numbers(), Numbers(), NUMBERS, (odd, nn.MSELoss())).rungs[-1].causes


EQUAL: dict[str, tuple[Callable[[], nn.Module], Callable[[], nn.Module], Batch]] = {
    "bare tensors": (Bare, Layered, TABLE),
    "functions for layers": (Called, Layered, TABLE),
    "cells": (Cells, Words, WORDS),
    "one-hot rows": (OneHot, Words, WORDS),
    "sum in place": (lambda: Residual(lambda x, made: made.add_(x)), Residual, TABLE),
    "relu by hand": (lambda: Residual(act=lambda x: x.clamp(min=0)), Residual, TABLE),
    "mean as a sum": (
        lambda: Convolutional(pool=lambda x: x.sum((2, 3)) / 36),
        Convolutional,
        IMAGES,
    ),
    "attention": (Attentive, Attentive, SERIES),
}


@pytest.mark.parametrize("case", EQUAL)
def test_pairs_that_only_look_different_climb_to_the_top(case: str) -> None:
    a, b, batch = EQUAL[case]
    done = climbed(a(), b(), batch, (ENTROPY, ENTROPY))
    assert done.passed, done


def case_of(layer: str, x: np.ndarray, given: dict[str, np.ndarray], *sides: np.ndarray) -> Case:
    a, b = ({layer: side} for side in sides)
    return Case(("A", "B"), {layers.INPUT: x, **given}, a, b, layer)


SEQUENCES = RNG.normal(size=(3, 5, 2))


def recurrent(kind: str, **habits: Any) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Weights and outputs of one of Keras' recurrent layers; the weights are always the same."""
    keras = pytest.importorskip("keras", reason="the extra keras is not installed")
    layer = getattr(keras.layers, kind)(4, return_sequences=True, dtype="float64", **habits)
    layer(SEQUENCES)
    rng = np.random.default_rng(1)
    held = {}
    for part, weight in zip(("kernel", "recurrent_kernel", "bias"), layer.weights, strict=True):
        weight.assign(rng.normal(size=weight.shape))
        held[f"{LAYERS[kind]}.{part}"] = np.array(weight)
    return held, np.array(layer(SEQUENCES))


LAYERS = {"LSTM": "lstm_1", "GRU": "gru_1", "SimpleRNN": "rnn_1"}


@pytest.mark.parametrize(
    ("kind", "habits", "said"),
    [
        ("LSTM", {"recurrent_activation": "hard_sigmoid"}, "gates by hard sigmoid"),
        ("LSTM", {"activation": "relu"}, "applies relu"),
        ("LSTM", {"go_backwards": True}, "goes backward"),
        ("GRU", {"recurrent_activation": "hard_sigmoid"}, "gates by hard sigmoid"),
        ("GRU", {"activation": "softsign"}, "applies softsign"),
        ("SimpleRNN", {"activation": "relu"}, "applies relu"),
    ],
)
def test_recurrent_layers_are_read(kind: str, habits: dict[str, Any], said: str) -> None:
    own, plain = recurrent(kind)
    _, odd = recurrent(kind, **habits)
    (cause,) = layers.explain(case_of(LAYERS[kind], SEQUENCES, own, odd, plain))
    assert said in cause.text


def test_a_recurrent_layer_that_does_nothing_known_is_not_named() -> None:
    own, plain = recurrent("LSTM")
    assert not layers.explain(
        case_of("lstm_1", SEQUENCES, own, RNG.normal(size=plain.shape), plain)
    )


def test_a_gru_with_one_bias_and_an_embedding_with_a_row_more_are_named() -> None:
    given = {"embedding_1.kernel": RNG.normal(size=(14, 5)), "gru_1.bias": RNG.normal(size=(2, 9))}
    held = {"embedding_1.kernel": RNG.normal(size=(15, 5)), "gru_1.bias": RNG.normal(size=9)}
    texts = [cause.text for cause in weights.explain(Case(("A", "B"), given, held, given))]
    assert any("A holds 1 row more in embedding_1.kernel" in text for text in texts), texts
    assert any("A holds one bias, gru_1.bias [9] instead of [2, 9]" in text for text in texts)


def test_attention_is_torchs() -> None:
    q, k, v = RNG.normal(size=(3, 2, 5, 8))
    one, two, three = (torch.tensor(part).view(2, 5, 2, 4).transpose(1, 2) for part in (q, k, v))
    given = F.scaled_dot_product_attention(one, two, three, is_causal=True)
    habit = attention.Habit(2, 0.5, causal=True)
    given = given.transpose(1, 2).reshape(2, 5, 8)
    assert np.allclose(attention.attention(q, k, v, habit), given.numpy())
