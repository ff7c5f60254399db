"""What goes wrong between the steps of a training loop, as far as gradients and modes show it."""

from torch import nn
from torch.optim import Optimizer

from parity.torch.evaluation import TrainingMode
from parity.torch.gradients import STEPS, Gradients
from parity.watch.check import Match


class Loop:
    """Watches the first steps of an optimiser.

    Args:
        module: What is trained.
        optimizer: Of its weights.
    """

    def __init__(self, module: nn.Module, optimizer: Optimizer) -> None:
        self.gradients, self.mode = Gradients(optimizer), TrainingMode(module)
        self.steps = 0

    def before_step(self) -> list[Match]:
        """What looks wrong; asked before each step."""
        self.steps += 1
        found = self.gradients.before_step(self.steps), self.mode.step()
        return [match for match in found if match is not None]

    @property
    def clipped(self) -> float | None:
        """The length that clipping leaves to the gradients, once enough steps have been seen."""
        return self.gradients.clipped if self.steps == STEPS else None

    def close(self) -> None:
        """Watch no more."""
        self.gradients.close()
