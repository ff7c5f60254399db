"""What the weights of samples and classes make of a loss, as `fit` tells it."""

from contextlib import suppress

from parity.keras.calls import unchanged
from parity.keras.probe import Probe
from parity.keras.traced import Traced
from parity.watch.check import Match
from parity.watch.trials.following import Follower

WEIGHTLESS = "the samples weigh nothing, and nothing is learned of them"
NEGATIVE = "sample weights are below 0: the loss drives the answers away from the targets"
TINY = 1e-6
"""A loss that is 0 but for rounding."""
UNTOLD = 0.5
"""Part of the samples' own loss below which that of `fit` shows that some of them weigh less."""


class Weighing(Follower):
    """Compares the loss that `fit` tells with that of the samples, each counted once.

    Attributes:
        traced: The model.
        probe: Samples that it is trained on.
    """

    traced: Traced
    probe: Probe

    def __init__(self) -> None:
        super().__init__()
        self._weighed = False

    def weigh(self, loss: float, step: int) -> None:
        """Say so where weights make a loss of 0, or below 0, of samples whose own is above."""
        if not loss <= 0 or self._weighed or (own := self._unweighted()) is None or own < TINY:
            return
        self._weighed = True
        what = (
            f"fit tells a loss of {loss:.3g}, and without weights that of its samples is {own:.3g}"
        )
        cause = NEGATIVE if loss < 0 else WEIGHTLESS
        self.remark(Match(cause, what, "Look at sample_weight and class_weight"), step)

    def _unweighted(self) -> float | None:
        """The loss of the samples, each counted once; None where it is none of Keras'."""
        program, found = self.program, None
        if program is None or program.loss is None or not program.loss.kind:
            return None
        with suppress(Exception):
            model, outputs = self.traced.model, self.traced(self.probe.x)[0]
            with unchanged(model):
                found = float(model.compute_loss(y=self.probe.y, y_pred=outputs))
        return found
