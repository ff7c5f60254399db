"""The check before the first step in torch: what is wrong is named first, and no more."""

import numpy as np
import pytest
import torch
from torch import nn

from parity.torch import check
from tests.programs import data
from tests.programs.torch_programs import FAULTY, HEALTHY, digits_mlp, images, mlp


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_gets_no_word(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert HEALTHY[name]().checked() == []
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_is_named_first(name: str) -> None:
    torch.manual_seed(0)
    cause, build = FAULTY[name]
    found = build().checked()
    assert found, name
    assert cause in found[0].cause


def test_bits_that_were_read_as_floating_point_are_named() -> None:
    _, y = data.digits()
    noise = np.random.default_rng(0).integers(0, 256, (400, 28 * 4), np.uint8).view(np.float32)
    found = check(mlp(28, 8, 10), np.nan_to_num(noise), y, loss=nn.CrossEntropyLoss())
    assert "bits of something else" in found[0].cause


def test_held_out_samples_are_compared_with_those_of_training(
    capsys: pytest.CaptureFixture[str],
) -> None:
    x, y = images()
    held, last = (x[300:350], y[300:350]), (x[350:], y[350:])
    assert check(digits_mlp(), x[:300], y[:300], validation=held, test=last) == []
    (raw,) = check(digits_mlp(), x[:300], y[:300], test=(x[350:] * 255, y[350:]))
    assert "test samples are scaled unlike those of training" in raw.cause
    (again,) = check(digits_mlp(), x, y, validation=(x[350:], y[350:]))
    assert "validation samples are among those of training" in again.cause
    assert capsys.readouterr().err.count("warning: before the first step, one thing") == 2


def test_what_the_network_or_the_loss_cannot_take_is_told_with_shapes() -> None:
    x, y = images()
    (refused,) = check(mlp(5, 3), x, y)
    assert "the network cannot take these samples" in refused.cause
    assert "[400, 28, 28]" in refused.advice
    (refused,) = check(digits_mlp(), x, y.float(), loss=nn.NLLLoss())[-1:]
    assert refused.advice


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError, match="check was given list and NoneType; expected samples"):
        check(mlp(2, 1), [1, 2])
