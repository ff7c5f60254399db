"""A loss that goes up and down from step to step: named where a lower rate is proved to help."""

from typing import Any

import numpy as np
import pytest

from parity.watch.check import Change, Loss, Program, Remedy
from parity.watch.trials import AS_IT_IS, swings
from parity.watch.trials.following import Follower
from parity.watch.trials.material import Material

Y = np.arange(60) % 3
CROSS = Loss("CrossEntropyLoss", "categorical", "logits")


def program(**known: Any) -> Program:
    usual: dict[str, Any] = {"outputs": np.zeros((60, 3)), "targets": Y, "loss": CROSS}
    usual |= {"optimizer": "SGD", "rate": 0.5, "momentum": 0.9, "last": "linear"}
    return Program("torch", (), None, **(usual | known))


def logits(loss: float) -> Any:
    """Answers whose crossentropy is that many times the entropy: all for a class, or its rivals."""
    rows = np.zeros((60, 3))
    sure = np.log((np.exp(loss * np.log(3)) - 1) / 2)
    rows[np.arange(60), Y] = -sure
    return rows


class Made(Follower):
    """Sees the losses that it is given; a trial of `better` brings what it is told."""

    def __init__(self, losses: list[float], gain: float = 0.5, **known: Any) -> None:
        super().__init__()
        self.losses, self.gain, self.looks = losses, gain, 0
        self.program, self._initial = program(**known), object()

    def _trial(self) -> Any:
        return self

    def run(self, remedy: Remedy, steps: int, seconds: float) -> tuple[float, int]:
        return 0.4 + (self.gain if remedy != AS_IT_IS else 0.0), steps

    task, runs, material = "classes", True, Material(Y, Y, "classes")

    def _now(self) -> Any:
        self.looks += 1
        return logits(self.losses[self.looks - 1]), Y

    def _plan(self) -> None:
        return None


WILD = [1.5, 3.0, 1.2, 2.8, 1.4, 2.9, 1.1, 2.5, 1.6, 2.7, 1.3, 2.2, 1.5]


def printed(made: Made, capsys: pytest.CaptureFixture[str], steps: int = 90) -> str:
    for step in range(1, steps):
        made.sway(step)
    return capsys.readouterr().err


def test_a_loss_that_oscillates_is_named_with_its_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = printed(Made(WILD), capsys)
    assert "after 76 steps the loss goes up and down" in said
    assert (
        "  1. the loss oscillates: steps are too long for its curvature: in steps 65 to 76" in said
    )
    assert "rose 6 times and fell 6 times, between 1.1 and 3 times what knowing nothing" in said
    assert "SGD at 0.5. Set lr=0.05." in said
    assert said.count("tried: ") == 1
    assert "  2. " not in said


HEALTHY: dict[str, Any] = {
    "falls": Made(list(np.linspace(1.5, 0.5, 13))),
    "falls with noise": Made([1.5 - 0.1 * n + 0.05 * (-1) ** n for n in range(13)]),
    "learned, though it swings": Made([0.1 + 0.1 * (n % 3) for n in range(13)]),
    "a single jump": Made([1.0] * 6 + [3.0] + [1.0] * 6),
    "runs away": Made([1.2**n + 0.1 * (-1) ** n for n in range(13)]),
    "no remedy helps": Made(WILD, gain=0.1),
    "a plan changes the rate": Made(WILD, rate=None),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_what_does_not_oscillate_or_has_no_remedy_gets_no_word(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(HEALTHY[name], capsys) == ""


@pytest.mark.parametrize(("losses", "looks"), [([0.9] * 50, 2), ([0.9, 0.85, 0.8, 0.75] * 9, 4)])
def test_a_calm_training_is_left_soon(
    losses: list[float], looks: int, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Made(losses)
    printed(made, capsys)
    assert made.looks == looks


def test_a_high_momentum_is_tried_too() -> None:
    found = swings.swings(program(momentum=0.98), WILD, 76)
    assert [Change.DAMPED in match.remedy for match in found if match.remedy] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("known", "outputs", "targets", "expected"),
    [
        ({}, np.zeros((60, 3)), Y, 1.0),
        ({"last": "softmax"}, np.full((60, 3), 1 / 3), Y, 1.0),
        ({}, np.full((60, 3), np.nan), Y, None),
        ({}, np.zeros((60, 2)), Y, None),
        ({"last": "sigmoid", "targets": Y % 2}, np.full((60, 1), 1 / 3), Y % 2, 1.0),
        ({"loss": Loss("MSELoss", "distance")}, np.full((60, 1), 0.5), np.arange(60) / 59, 1.0),
        ({"loss": Loss("MSELoss", "distance")}, np.zeros((60, 2)), np.arange(60) / 59, None),
    ],
)
def test_a_loss_in_parts_of_that_of_knowing_nothing(
    known: dict[str, Any], outputs: Any, targets: Any, expected: float | None
) -> None:
    found = swings.loss_of(program(**({"targets": targets} | known)), outputs, targets)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-4))
