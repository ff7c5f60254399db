"""Mistakes of many kinds in a convolutional port: each by itself, and three at once."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

pytest.importorskip("keras", reason="the extra keras is not installed")

from parity.readings import layers
from parity.readings.case import Case
from parity.readings.windows import STRIDES
from tests.support.planted_ports import PLANTED, climbed, missed

RNG = np.random.default_rng(0)


def test_the_sound_port_climbs_to_the_top_and_nothing_is_said() -> None:
    done = climbed()
    assert done.passed, done
    assert not [cause for rung in done.rungs for cause in rung.causes]


@pytest.mark.slow  # a climb each
@pytest.mark.parametrize("name", PLANTED)
def test_a_mistake_is_named_and_no_other(name: str) -> None:
    assert not missed(name)
    (broken, *_) = (rung for rung in climbed(name).rungs if not rung.passed)
    assert len(broken.causes) == 1, [cause.text for cause in broken.causes]


@pytest.mark.parametrize(
    "names",
    [
        ("padding", "sigmoid", "learning rate"),
        pytest.param(
            ("batch norm epsilon", "average pooling", "smoothing"), marks=pytest.mark.slow
        ),
        pytest.param(("leaky relu", "layer norm epsilon", "temperature"), marks=pytest.mark.slow),
    ],
)
def test_three_at_once_are_all_named_in_one_climb(names: tuple[str, ...]) -> None:
    assert not missed(*names)


def convolved(x: np.ndarray, kernel: np.ndarray, edges: tuple[int, int], stride: int) -> np.ndarray:
    """By loops, [B, H, W, O]."""
    padded = np.pad(x, ((0, 0), edges, edges, (0, 0)))
    size = kernel.shape[0]
    places = range(0, padded.shape[1] - size + 1, stride)
    rows = [
        [np.einsum("bhwi,hwio->bo", padded[:, i : i + size, j : j + size], kernel) for j in places]
        for i in places
    ]
    return np.array(rows).transpose(2, 0, 1, 3)


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (((1, 1), 2), ((0, 1), 2), "A pads 1 before and 1 behind, B pads 0 before and 1 behind"),
        (((1, 1), 1), ((0, 0), 1), "A pads 1 before and 1 behind, B pads 0 before and 0 behind"),
        (((1, 1), 1), ((1, 1), 2), "A moves by 1, B moves by 2"),
        (((1, 1), 3), ((1, 1), 2), "A moves by 3, B moves by 2"),
    ],
)
def test_paddings_and_strides_are_told_from_what_goes_in_and_out(
    a: tuple[tuple[int, int], int], b: tuple[tuple[int, int], int], said: str
) -> None:
    x, kernel = RNG.normal(size=(2, 6, 6, 2)), RNG.normal(size=(3, 3, 2, 3))
    sides = [convolved(x, kernel, *settings) for settings in (a, b)]
    given = {"conv_1.kernel": kernel, layers.INPUT: x}
    case = Case(("A", "B"), given, {"conv_1": sides[0]}, {"conv_1": sides[1]}, "conv_1")
    (cause,) = layers.explain(case)
    assert said in cause.text
    assert STRIDES[0] == 1


def test_a_convolution_that_does_nothing_known_is_not_named() -> None:
    x, kernel = RNG.normal(size=(2, 6, 6, 2)), RNG.normal(size=(3, 3, 2, 3))
    sides = convolved(x, kernel, (1, 1), 1), RNG.normal(size=(2, 6, 6, 3))
    given = {"conv_1.kernel": kernel, layers.INPUT: x}
    case = Case(("A", "B"), given, {"conv_1": sides[0]}, {"conv_1": sides[1]}, "conv_1")
    assert layers.explain(case) == []


@pytest.mark.parametrize("groups", [2, 4])
def test_grouped_and_depthwise_convolutions_are_read_too(groups: int) -> None:
    x, kernel = RNG.normal(size=(2, 6, 6, 4)), RNG.normal(size=(3, 3, 4 // groups, 8))
    held = torch.tensor(kernel.transpose(3, 2, 0, 1))

    def made(before: int) -> np.ndarray:
        padded = F.pad(torch.tensor(x).movedim(-1, 1), (before, 1, before, 1))
        return F.conv2d(padded, held, stride=2, groups=groups).movedim(1, -1).numpy()

    layer = "depthwise_conv_1" if groups == 4 else "conv_1"
    own = kernel.reshape(3, 3, 4, 2) if groups == 4 else kernel
    given = {f"{layer}.kernel": own, layers.INPUT: x}
    case = Case(("A", "B"), given, {layer: made(1)}, {layer: made(0)}, layer)
    (cause,) = layers.explain(case)
    assert "A pads 1 before and 1 behind, B pads 0 before and 1 behind" in cause.text
    assert cause.name == "padding"
