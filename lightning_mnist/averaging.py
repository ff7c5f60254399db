"""An average of the weights: what is validated, kept and tested instead of the latest ones."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class StepwiseAveraging(WeightAveraging):
    """Keeps an exponential moving average of weights and batch norm's statistics.

    Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992; the
    exponential form is that of ``tf.train.ExponentialMovingAverage``. It moves after every
    optimiser step, also of those that are taken in one call of Lightning's loop, where Lightning's
    own callback moves once a call. The first steps leave less of it, or the initial weights would
    be in it for thousands of steps.

    Args:
        decay: Share of the average that each step leaves, in [0, 1).
    """

    on_train_batch_end = Callback.on_train_batch_end  # steps are told of one by one

    def __init__(self, decay: float) -> None:
        super().__init__(multi_avg_fn=self._move)
        self.decay = decay

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Average weights of the precision that they are trained in, not that of before."""
        trainer.precision_plugin.convert_module(pl_module)
        super().setup(trainer, pl_module, stage)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Have each optimiser tell of its steps; the count of them waits for no device."""
        assert self._average_model is not None
        self._average_model.n_averaged = self._average_model.n_averaged.cpu()

        def move(*_: Any) -> None:
            assert self._average_model is not None
            self._average_model.update_parameters(pl_module)

        for optimizer in trainer.optimizers:
            optimizer.register_step_post_hook(move)

    def _move(self, averages: list[Tensor], weights: list[Tensor], _: Tensor) -> None:
        """Move averages towards weights; `decay` holds once (1 + steps) / (10 + steps) is above it.

        The rule is that of ``tf.train.ExponentialMovingAverage`` with ``num_updates``.
        """
        assert self._average_model is not None
        steps = int(self._average_model.n_averaged)
        share = min(self.decay, (1 + steps) / (10 + steps))
        get_ema_multi_avg_fn(share)(averages, weights, steps)  # type: ignore[no-untyped-call]
