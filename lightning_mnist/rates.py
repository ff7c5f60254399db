"""``python -m lightning_mnist rates``: which learning rate? The loss while the rate grows.

Lightning's own finder wants one optimiser step in each call of ``training_step``; a call here takes
a block of them.
"""

import argparse
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from numpy.typing import NDArray
from torch import Tensor

from lightning_mnist.data.batches import Batch
from lightning_mnist.divergence import DivergedError
from lightning_mnist.errors import InputError
from lightning_mnist.plots import draw_rates
from lightning_mnist.sentences import check_ending
from lightning_mnist.steps.step_callbacks import StepCallback
from lightning_mnist.trainings.flags import refuse
from lightning_mnist.trainings.training import UntestedCLI, quiet_cli
from parity.signals import handled_by

STEPS = 200
LOWEST, HIGHEST = 1e-6, 10.0
ENOUGH = 4.0
"""Times the lowest loss at which the test ends."""
SMOOTHING = 0.9
"""Share of the mean loss that each step leaves."""
SKIPPED = 10
"""First steps, of which the mean loss is little more than their own."""
Numbers = NDArray[np.float64]


class RangeTest(StepCallback):
    """Raises the learning rate with every step, and keeps the loss of each.

    Smith, Cyclical Learning Rates for Training Neural Networks, 2017, section 3.3.
    """

    def __init__(self) -> None:
        self.rates = np.geomspace(LOWEST, HIGHEST, STEPS)
        self.losses: list[float] = []

    def on_step_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, step: int
    ) -> None:
        """Set the rate of the step."""
        for optimizer in trainer.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = float(self.rates[step])

    def on_block_end(
        self, trainer: Trainer, batches: list[Batch], losses: list[Tensor], step: int
    ) -> None:
        """Keep the loss, and end where it has grown too large to come back."""
        self.losses += [loss.item() for loss in losses]
        if not self.losses[-1] <= ENOUGH * min(self.losses):
            trainer.should_stop = True


class RatesCLI(UntestedCLI):
    """`fit` for the steps of a `RangeTest`, whatever schedule the recipe has."""

    def __init__(self, *args: Any, test: RangeTest, **kwargs: Any) -> None:
        self.range_test = test
        super().__init__(*args, watch=lambda row: False, threads=1, **kwargs)

    def before_instantiate_classes(self) -> None:
        """One step a call, so that the test can end after any."""
        super().before_instantiate_classes()
        config = self.config.fit
        config.lr_scheduler = None
        config.model.steps_per_execution = 1
        config.trainer.max_epochs, config.trainer.max_steps = -1, STEPS
        config.trainer.limit_val_batches = 0

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Have the test hear of each loss before anybody ends the training for it."""
        trainer = super().instantiate_trainer(**kwargs)
        trainer.callbacks.insert(0, self.range_test)  # type: ignore[attr-defined]
        return trainer

    def after_fit(self) -> None:
        """Nothing is validated."""


def range_test(flags: list[str]) -> tuple[Numbers, Numbers]:
    """Learning rates, and the mean loss of the steps up to each, float64 [N].

    Raises:
        InputError: they are at fault, or the loss is no number at the lowest rates already.
    """
    test = RangeTest()
    with suppress(DivergedError):
        quiet_cli(partial(RatesCLI, test=test), flags)
    losses = np.array(test.losses)
    losses = losses[np.isfinite(losses).cumprod(dtype=bool)]
    if len(losses) < 2 * SKIPPED:
        raise InputError(
            f"the loss is no number after {len(losses)} steps, at a learning rate of "
            f"{test.rates[len(losses)]:.1g}; expected a recipe that can be trained"
        )
    return test.rates[SKIPPED : len(losses)], smoothed(losses)[SKIPPED:]


def smoothed(losses: Numbers) -> Numbers:
    """Exponential moving means of `losses` [N], none of which has the first value of 0 in it."""
    means, mean = [], 0.0
    for count, loss in enumerate(losses, 1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        means.append(mean / (1 - SMOOTHING**count))
    return np.array(means)


def steepest(rates: Numbers, losses: Numbers) -> float:
    """The rate at which the loss falls fastest, by the logarithm of the rate.

    Howard and Gugger, fastai: A Layered API for Deep Learning, 2020, suggest it.
    """
    slopes = np.gradient(losses, np.log(rates))
    return float(rates[slopes.argmin()])


def main(arguments: list[str]) -> None:
    """Draw the curve; raises `InputError` where the flags are at fault."""
    parser = argparse.ArgumentParser(
        prog="python -m lightning_mnist rates",
        description=f"Train for {STEPS} steps while the learning rate grows from {LOWEST:g} to "
        f"{HIGHEST:g}, and draw the loss: the rate to begin with is where it falls fastest.",
        epilog="All other flags are those of fit, such as -c and --optimizer.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--out", type=Path, default=Path("rates.png"), help="The .png to draw (default: rates.png)."
    )
    known, flags = parser.parse_known_args(arguments)
    refuse(flags, "lr_scheduler", "trainer.max_epochs", "trainer.max_steps")
    check_ending("--out", known.out, ".png")
    with handled_by(signal.SIG_DFL):  # there is nothing to save
        rates, losses = range_test(flags)
    best = steepest(rates, losses)
    draw_rates(rates, losses, best, known.out)
    lowest = rates[losses.argmin()]
    print(f"the loss falls fastest at a learning rate of {best:.2g}, and is lowest at {lowest:.2g}")
    print(f"begin with --optimizer.lr {best:.2g}; the curve: {known.out}")
