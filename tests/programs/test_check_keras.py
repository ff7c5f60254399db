"""The check before the first step in Keras: what is wrong is named first, and no more."""

import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

from parity.keras import check
from tests.programs.keras_programs import FAULTY, HEALTHY


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_program_gets_no_word(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    program = HEALTHY[name]()
    assert check(program.model, program.x, program.y) == []
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_is_named_first(name: str) -> None:
    cause, build = FAULTY[name]
    program = build()
    found = check(program.model, program.x, program.y)
    assert found, name
    assert cause in found[0].cause
