"""The check before the first step in torch: what is wrong is named first, and no more."""

from typing import Any

import pytest
import torch

from parity.torch import check
from tests.programs.torch_programs import FAULTY, HEALTHY, Build


def checked(build: Build) -> Any:
    program = build()
    return check(
        program.model,
        program.x,
        program.y,
        loss=program.loss,
        optimizer=program.optimizer(list(program.model.parameters())),
    )


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_gets_no_word(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(HEALTHY[name]) == []
    assert capsys.readouterr().err == ""


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_is_named_first(name: str) -> None:
    torch.manual_seed(0)
    cause, build = FAULTY[name]
    found = checked(build)
    assert found, name
    assert cause in found[0].cause
