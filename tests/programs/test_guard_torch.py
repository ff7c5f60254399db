"""The guard around programs in torch: what is wrong is named before the first step, and proved."""

import io
from contextlib import redirect_stderr, suppress

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from parity.torch import CollapseGuard
from parity.watch.alarm import CollapsedError
from tests.conftest import mostly_slow
from tests.programs.torch_programs import FAULTY, HEALTHY, Program, digits_mlp, images, mlp, sgd

QUICK = ("digits, dense", "houses, scaled targets", "words", "xor, sgd")
SHOWN = {
    "softmax over one unit": "with one logit and the binary crossentropy the same network reads",
    "NLLLoss on logits": "reads 100%",
    "bytes, sgd": "with x / 255 the same network reads",
    "prices in dollars": "with standardised targets the same network explains",
    "rate 50": "with a learning rate of 0.05 the same network reads",
    "zero weights": "with kernels drawn anew (Glorot) the same network reads",
    "one output for ten classes": "with 10 outputs the same network reads",
    "labels from 1": "with y - 1 the same network reads",
}
"""What the trial of a cause must show."""


def said(program: Program, steps: int, *, trials: bool = True) -> str:
    """What is printed while a program trains, or stops."""
    weights = list(program.model.parameters())
    optimizer = program.optimizer(weights)
    chance = torch.Generator().manual_seed(0)
    with (
        redirect_stderr(io.StringIO()) as printed,
        suppress(CollapsedError, RuntimeError, IndexError),
        CollapseGuard(program.model, optimizer, program.x, program.y, trials=trials),
    ):
        for _ in range(steps):
            count = min(program.batch, len(program.y))
            picked = torch.randint(len(program.y), (count,), generator=chance)
            optimizer.zero_grad()
            program.loss(program.model(program.x[picked]), program.y[picked]).backward()
            optimizer.step()
    return printed.getvalue()


@pytest.mark.parametrize("name", mostly_slow(HEALTHY, *QUICK))
def test_a_healthy_training_gets_no_warning(name: str) -> None:
    assert "warning" not in said(HEALTHY[name](), 300 if name not in QUICK else 80)


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", mostly_slow(FAULTY, "softmax over one unit", "labels from 1"))
def test_the_right_cause_comes_first_with_what_its_remedy_brings(name: str) -> None:
    cause, build = FAULTY[name]
    printed = said(build(), 60)
    if name != "large weights":  # this network learns all the same, and as fast
        assert cause in printed.partition("  1. ")[2].partition("\n")[0]
    assert SHOWN.get(name, "") in printed


def test_without_trials_nothing_is_tried() -> None:
    printed = said(FAULTY["softmax over one unit"].build(), 3, trials=False)
    assert "softmax over a single unit" in printed
    assert "tried" not in printed


def test_a_training_is_the_same_to_the_bit_with_trials_and_without() -> None:
    states = []
    for trials in (False, True):
        torch.manual_seed(1)
        program = FAULTY["ReLU on the logits"].build()
        said(program, 20, trials=trials)
        states.append((program.model.state_dict(), torch.get_rng_state()))
    assert torch.equal(states[0][1], states[1][1])
    assert all(torch.equal(tensor, states[1][0][n]) for n, tensor in states[0][0].items())


def loop(*, zero: bool = True, modes: bool = True, full: bool = False) -> str:
    """What is printed while a network with dropout trains and is judged after each step."""
    torch.manual_seed(0)
    x, y = images()
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 10)
    )
    optimizer = torch.optim.Adam(model.parameters(), 0.003)
    with redirect_stderr(io.StringIO()) as printed, CollapseGuard(model, optimizer, x, y):
        for _ in range(8):
            picked = torch.arange(64) if full else torch.randint(len(y), (32,))
            if zero:
                optimizer.zero_grad()
            F.cross_entropy(model(x[picked]), y[picked]).backward()
            optimizer.step()
            model.train(not modes)
            with torch.no_grad():
                model(x[:10])
            model.train()
    return printed.getvalue()


@pytest.mark.parametrize("full", [False, True])
def test_gradients_that_are_never_set_to_zero_are_named(full: bool) -> None:
    assert "gradients are never set to zero" in loop(zero=False, full=full)


def test_a_network_that_is_judged_in_training_mode_is_named() -> None:
    assert "eval() is missing" in loop(modes=False)


def test_a_sound_loop_hears_neither() -> None:
    assert loop() == loop(full=True) == ""


@pytest.mark.parametrize("clipped", [False, True])
def test_gradients_that_are_gathered_over_batches_are_not_left_behind(clipped: bool) -> None:
    torch.manual_seed(0)
    x, y = images()
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with redirect_stderr(io.StringIO()) as printed, CollapseGuard(model, optimizer, x, y):
        for step in range(24):
            picked = torch.randint(len(y), (16,))
            F.cross_entropy(model(x[picked]), y[picked]).backward()
            if step % 3 == 2:
                if clipped:
                    nn.utils.clip_grad_norm_(model.parameters(), 0.01)
                optimizer.step()
                optimizer.zero_grad(set_to_none=clipped)
    assert printed.getvalue() == ""


@pytest.mark.parametrize("left_out", ["backward", "step", "zero_grad too late"])
def test_what_is_left_out_of_a_step_is_named(left_out: str) -> None:
    x, y = images()
    model = digits_mlp()
    optimizer = torch.optim.Adam(model.parameters(), 0.003)
    with redirect_stderr(io.StringIO()) as printed, CollapseGuard(model, optimizer, x, y):
        for _ in range(6):
            loss = F.cross_entropy(model(x[:32]), y[:32])
            if left_out != "backward":
                loss.backward()
            if left_out == "zero_grad too late":
                optimizer.zero_grad(set_to_none=False)
            if left_out != "step":
                optimizer.step()
    what = "takes no step" if left_out == "step" else "get no gradients"
    assert what in printed.getvalue().partition("  1. ")[2]


@pytest.mark.slow
def test_what_only_a_trial_shows_is_said_where_nothing_was_learned() -> None:
    """Hidden layers of sigmoids: gradients vanish, and no figure before the first step is odd."""
    deep = mlp(784, *[32] * 4, 10, act=nn.Sigmoid, flat=True)
    printed = said(Program(deep, *images(), nn.CrossEntropyLoss(), sgd(0.1)), 300)
    assert "after 300 steps the network has learned nothing" in printed
    assert "gradients vanish" in printed.partition("  1. ")[2].partition("\n")[0]
    assert "with ReLU in the hidden layers and He's weights the same network reads" in printed


@pytest.mark.slow
def test_where_nothing_helps_nothing_is_said() -> None:
    """Labels that have nothing to do with the samples."""
    torch.manual_seed(0)
    labels = torch.randint(10, (400,))
    printed = said(Program(digits_mlp(), images()[0], labels, nn.CrossEntropyLoss()), 1100)
    assert "warning" not in printed
