"""Whether a step of one's own scales its loss, as an optimiser for float16 takes it."""

from typing import Any

import keras
import tensorflow as tf

from parity.keras.calls import as_array
from parity.watch.check import Match

NOTED = ("scale_loss", "apply")


class Scaling:
    """Notes which of its methods an optimiser that scales losses is asked for in the first step."""

    def __init__(self, optimizer: Any) -> None:
        scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        self.optimizer = optimizer if scales else None
        self.called: set[str] = set()
        for name in NOTED if self.optimizer is not None else ():
            # Past what Keras tracks, and only where nobody else has put anything.
            vars(optimizer).setdefault(name, self._noting(name, getattr(optimizer, name)))

    def _noting(self, name: str, method: Any) -> Any:
        def noting(*args: Any, **kwargs: Any) -> Any:
            self.called.add(name)
            return method(*args, **kwargs)

        return tf.autograph.experimental.do_not_convert(noting)

    def forgotten(self) -> list[Match]:
        """What looks wrong in the step that was taken since; the optimiser is as it was."""
        if self.optimizer is None:
            return []
        for name in NOTED:
            vars(self.optimizer).pop(name, None)
        if self.called != {"apply"}:  # what was compiled before is not asked again
            return []
        scale = float(as_array(self.optimizer.dynamic_scale))
        return [
            Match(
                "train_step does not scale its loss, and the optimiser divides the gradients",
                f"mixed precision has made a LossScaleOptimizer of it: each step is {scale:,.0f} "
                "times too short",
                "Take the gradients of self.optimizer.scale_loss(loss) in train_step",
            )
        ]
