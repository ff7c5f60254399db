"""An average of the weights: what is validated, kept and tested instead of the latest ones."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch.optim.swa_utils import get_ema_avg_fn


class StepwiseAveraging(WeightAveraging):
    """Keeps an exponential moving average of weights and batch norm's statistics.

    Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992; the
    exponential form is that of ``tf.train.ExponentialMovingAverage``. It moves after every
    optimiser step, also of those that are taken in one call of Lightning's loop, where Lightning's
    own callback moves once a call.

    Args:
        decay: Share of the average that each step leaves, in [0, 1).
    """

    on_train_batch_end = Callback.on_train_batch_end  # steps are told of one by one

    def __init__(self, decay: float) -> None:
        super().__init__(avg_fn=get_ema_avg_fn(decay))  # type: ignore[no-untyped-call]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have each optimiser tell of its steps."""

        def move(*_: Any) -> None:
            assert self._average_model is not None
            self._average_model.update_parameters(pl_module)

        for optimizer in trainer.optimizers:
            optimizer.register_step_post_hook(move)
