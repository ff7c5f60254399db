"""The learning-rate finder: rates that grow, losses that are those of the steps, one rate named."""

from pathlib import Path

import numpy as np
import pytest

from lightning_mnist.errors import InputError
from lightning_mnist.rates import HIGHEST, LOWEST, STEPS, main, range_test, smoothed, steepest
from tests.conftest import Here

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")
SMALL = ["--model.hidden", "[16]", "--data.batch_size", "32", "--data.source"]


def test_a_mean_of_losses_does_not_begin_at_0() -> None:
    np.testing.assert_allclose(smoothed(np.full(5, 3.0)), 3.0)
    means = smoothed(np.array([1.0, 3.0]))
    np.testing.assert_allclose(means, [1, (0.09 * 1 + 0.1 * 3) / 0.19])


@pytest.mark.parametrize("centre", [1e-4, 1e-2])
def test_the_rate_at_which_the_loss_falls_fastest_is_named(centre: float) -> None:
    rates = np.geomspace(1e-6, 1, 200)
    losses = 2 - np.tanh(np.log(rates / centre))
    assert steepest(rates, losses) == pytest.approx(centre, rel=0.05)


def test_the_loss_is_that_of_a_rate_that_grows(tiny_npz: Path) -> None:
    rates, losses = range_test([*SMALL, str(tiny_npz), "--optimizer", "SGD"])
    assert len(rates) == len(losses) <= STEPS
    assert LOWEST < rates[0] < 1e-5 < rates[-1] <= HIGHEST
    assert np.ptp(losses[rates < 1e-4]) < 0.3  # nothing is learned yet
    assert losses.min() < losses[0] - 0.5
    assert 1e-3 < steepest(rates, losses) < 1


def test_a_loss_that_runs_away_ends_it(tiny_npz: Path) -> None:
    rates, losses = range_test(
        [*SMALL, str(tiny_npz), "--optimizer", "SGD", "--model.batch_norm", "false"]
    )
    assert rates[-1] < HIGHEST
    assert np.isfinite(losses).all()


def test_a_loss_that_is_no_number_from_the_start_is_refused(
    tiny_npz: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_mnist.rates.LOWEST", 1e30)
    monkeypatch.setattr("lightning_mnist.rates.HIGHEST", 1e35)
    with pytest.raises(InputError, match="the loss is no number after"):
        range_test([*SMALL, str(tiny_npz), "--optimizer", "SGD", "--model.batch_norm", "false"])


def test_the_command_draws_the_curve_and_leaves_nothing_else(here: Here, tiny_npz: Path) -> None:
    done = here("rates", *SMALL, tiny_npz, "--out", "curve.png", "-c", "decays.yaml")
    assert done.code == 1  # no such recipe
    done = here("rates", *SMALL, tiny_npz, "--out", "curve.png")
    assert done.code == 0, done.err
    assert "begin with --optimizer.lr" in done.out
    assert Path("curve.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in Path().iterdir()} == {"curve.png", tiny_npz.name}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--out", "curve.gif"], "--out curve.gif: expected a name ending in .png"),
        (["--lr_scheduler", "null"], "--lr_scheduler"),
        (["--trainer.max_epochs", "3"], "--trainer.max_epochs"),
        (["--run_dir", "run"], "--run_dir"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_means_nothing_here_is_refused(flags: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        main(flags)
