"""The learning rate of an optimiser, and what a schedule makes of it."""

from torch.optim import Optimizer

from parity.watch.check import Match, Program
from parity.watch.trials.usual import unrisen


def rate_of(optimizer: Optimizer | None) -> float | None:
    """The highest learning rate; None where a schedule changes it."""
    groups = optimizer.param_groups if optimizer is not None else []
    if optimizer is None or not groups or any("initial_lr" in group for group in groups):
        return None
    return highest_rate(optimizer)


def highest_rate(optimizer: Optimizer) -> float:
    """Of all groups, now."""
    return max(float(group["lr"]) for group in optimizer.param_groups)


def first_rate(optimizer: Optimizer) -> float:
    """The highest that the groups were given; a schedule may have lowered it before any step."""
    return max(float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups)


class Rates:
    """Watches the learning rate from before the first step on."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.given, self.before = first_rate(optimizer), highest_rate(optimizer)
        self.highest = self.before
        """Of those that were seen."""
        self.level = False
        """Whether it stayed the same in the first steps."""

    def early(self) -> None:
        """Look, after a few steps, whether each of them changes it."""
        self.level = highest_rate(self.optimizer) == self.before

    def see(self) -> None:
        """Look whether it has risen."""
        self.highest = max(self.highest, highest_rate(self.optimizer))

    def plan(self, ended: bool) -> tuple[float, float] | None:
        """At first and now, where a schedule has changed it."""
        now = highest_rate(self.optimizer)
        # What begins low may be about to rise.
        first = max(self.given, self.before) if ended else self.before
        return None if now == first else (first, now)

    def unrisen(self, program: Program, steps: int) -> Match | None:
        """A cycle that counts batches, and is told of epochs; asked at the end."""
        peak = max(float(group.get("max_lr", 0.0)) for group in self.optimizer.param_groups)
        return unrisen(program, self.highest, peak, steps) if self.level else None
