"""The LightningModule: raw digits to logits, one shared step, metrics over all ranks."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from lightning_mnist.augmentation import Augmentation
from lightning_mnist.data.batches import Batch
from lightning_mnist.data.blocks import Block, check_sizes
from lightning_mnist.data.datamodule import DigitsDataModule
from lightning_mnist.data.mnist_form import SIDE
from lightning_mnist.data.sources import CLASSES
from lightning_mnist.draws import generator_at, seed_at
from lightning_mnist.evaluation import EvaluatedModule
from lightning_mnist.network import MLP, Activation, BatchNorm, Init
from lightning_mnist.preprocessing import Preprocessing, Standardize
from lightning_mnist.ranks import check_batch_norm
from lightning_mnist.regularization import check_regularizers, keep_short, loss_against, mixed
from lightning_mnist.steps.execution import Execution
from lightning_mnist.steps.steps_per_execution import (
    StepsPerExecution,
    check_asked,
    overrides,
    seconds_of_a_step,
    steps_per_execution,
)
from lightning_mnist.steps.without_graph import WithoutGraph, is_known
from parity.augmentation import AugmentationConfig

Steps = Literal["auto", "graph"]
PLAIN_PRECISIONS = ("32-true", "64-true")
"""Values of ``--trainer.precision`` with which nothing is cast on the way."""


class DigitClassifier(EvaluatedModule):
    """An MLP that reads raw digits: uint8 images in, logits out.

    The optimiser and the learning-rate schedule are the command line's ``--optimizer`` and
    ``--lr_scheduler``.

    Args:
        hidden: Width of each hidden layer.
        activation: After each hidden layer, or one for each.
        dropout: Probability of dropping a hidden unit while training.
        input_dropout: Probability of dropping a pixel while training.
        label_smoothing: Share of each label that is spread evenly over all classes, in every loss
            (Szegedy et al., Rethinking the Inception Architecture, 2016).
        max_norm: What the norm of each hidden unit's incoming weights is cut back to after every
            step (Srivastava et al., Dropout, 2014); no limit by default.
        mixup: How much each image is mixed with another one, and its label: alpha of Zhang et al.
            (mixup: Beyond Empirical Risk Minimization, 2018), who took 0.1 to 1; 0 is off.
        adversarial: How far pixels, as they are fed, are moved against the network, which learns
            them too (Goodfellow et al., Explaining and Harnessing Adversarial Examples, 2015).
        batch_norm: Normalise each hidden layer over the batch: true as torch does it, keras with
            Keras' epsilon, momentum and variance.
        init: Initial weights: keras (Glorot uniform, zero biases) or torch (uniform within
            1 / sqrt(fan_in)).
        invert: Feed the network 1 - x instead of x.
        standardize: Feed the network pixels of mean 0 and deviation 1: over the training images
            (dataset) or in each image (image).
        augmentation: What is done to training images, another draw each time.
        steps: How gradients are computed, which changes the speed only: by autograd (graph), or,
            where that is the same, without it (auto).
        steps_per_execution: Optimiser steps in each call of Lightning's training loop, or auto.
            It changes the speed only; the loop sees signals, stops and checkpoints between calls.

    Raises:
        InputError: a number of steps below 1, or a regulariser outside its range.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (512, 512),
        activation: Activation | list[Activation] = "relu",
        dropout: float = 0.3,
        batch_norm: BatchNorm = True,
        init: Init = "keras",
        input_dropout: float = 0.0,
        label_smoothing: float = 0.0,
        max_norm: float | None = None,
        mixup: float = 0.0,
        adversarial: float = 0.0,
        invert: bool = False,
        standardize: Standardize = "none",
        augmentation: AugmentationConfig = AugmentationConfig(),  # noqa: B008 - frozen
        steps: Steps = "auto",
        steps_per_execution: StepsPerExecution = "auto",
    ) -> None:
        super().__init__()
        check_asked(steps_per_execution)
        check_regularizers(label_smoothing, max_norm, mixup=mixup, adversarial=adversarial)
        self.save_hyperparameters(ignore=["augmentation", "steps", "steps_per_execution"])
        self.automatic_optimization = False
        self.steps, self.steps_per_execution = steps, steps_per_execution
        self.hparams.update(augmentation=dataclasses.asdict(augmentation))  # plain, to be loadable
        self.batch_norm, self.max_norm = batch_norm, max_norm
        self.label_smoothing, self.mixup, self.adversarial = label_smoothing, mixup, adversarial
        self.example_input_array = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
        self.preprocessing = Preprocessing(invert=invert, standardize=standardize)
        self.augmentation = Augmentation(augmentation)
        self.network = MLP(
            SIDE * SIDE,
            hidden,
            CLASSES,
            activation=activation,
            dropout=dropout,
            input_dropout=input_dropout,
            batch_norm=batch_norm,
            init=init,
        )
        self._resumed_at: dict[str, Any] | None = None
        self.teacher: Callable[[Tensor], Tensor] | None = None
        """Images [B, 28, 28] in [0, 1] to probabilities [B, 10], learned in place of labels."""

    def forward(self, images: Tensor) -> Tensor:
        """Images uint8 [N, 28, 28], ink 255 on paper 0, to logits [N, 10], float32 or float64."""
        logits: Tensor = self.network(self.preprocessing(images))
        return logits

    def setup(self, stage: str) -> None:
        """Raise `InputError` where batch norm is not to be had over all ranks."""
        if stage == "fit":
            check_batch_norm(self.trainer, self.batch_norm)

    def constrain(self, optimizer: Optimizer) -> None:
        """Have an optimiser keep to ``max_norm``."""
        if self.max_norm is not None:
            keep_short(self.network, optimizer, self.max_norm)

    def on_fit_start(self) -> None:
        """Measure what standardisation needs; a resumed run has it from its checkpoint.

        Raises:
            InputError: batch norm would meet a batch of one image, or devices would have none.
        """
        data: DigitsDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        loader = data.train_dataloader()
        check_sizes(loader, data.batch_size, bool(self.batch_norm))
        if self.trainer.ckpt_path is None:
            self.preprocessing.fit(data.train_images)
        share = self.trainer.limit_train_batches
        if isinstance(share, float) and (limit := int(share * loader.mini_batches)):
            self.trainer.limit_train_batches = limit  # Lightning would take the share of blocks
        self._seed = torch.initial_seed()
        for optimizer in self.trainer.optimizers:
            self.constrain(optimizer)
        self.execution = Execution(
            self,
            self._lesson,
            self.loss,
            self._resumed_at,
            self._without_graph(),
            None if self.augmentation.transforms else self.preprocessing,
        )
        data.steps_per_execution = steps_per_execution(
            self.steps_per_execution,
            self.trainer,
            self._seconds_of_a_step,
            data.train_dataloader().mini_batches,
        )

    def _without_graph(self) -> WithoutGraph | None:
        """What computes the gradients where autograd is not needed for it."""
        plain = self.trainer.precision in PLAIN_PRECISIONS and self.trainer.world_size == 1
        own = not (self.adversarial or overrides(self, DigitClassifier, ("loss",)))
        if self.steps == "graph" or not (plain and own and is_known(self.network)):
            return None
        soft = self.label_smoothing > 0 or self.mixup > 0 or self.teacher is not None
        soft = soft or overrides(self, DigitClassifier, ("criterion",))
        return WithoutGraph(self.network, self.criterion if soft else F.cross_entropy)

    def _seconds_of_a_step(self) -> float:
        _, batch, _ = next(next(iter(self.trainer.datamodule.train_dataloader())).batches())  # type: ignore[attr-defined]
        with self.trainer.precision_plugin.train_step_context():
            return seconds_of_a_step(self.network, self._lesson, batch)

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch; what dropout draws is a function of seed, epoch and rank."""
        self.execution.start_epoch(seed_at(self._seed, self.current_epoch, self.global_rank))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add where within an epoch the training is."""
        if hasattr(self, "execution"):
            self.execution.save(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there, with no bit of the weights lost: Lightning would convert them later."""
        self.trainer.precision_plugin.convert_module(self)
        self._resumed_at = checkpoint.get("position")

    def training_step(self, block: Block, batch_idx: int) -> None:
        """Take an optimiser step for each mini-batch of a block."""
        step = self.trainer.global_step
        self.execution.run(block)
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if self.trainer.loggers and self.trainer.global_step // every > step // every:
            for logger in self.trainer.loggers:
                logger.log_metrics(self.running_scores(), self.trainer.global_step)

    def on_train_epoch_end(self) -> None:
        """Log the epoch's scores, and step the learning-rate schedules."""
        self.log_dict(self.train_scores())
        if self.execution.finished_epoch:
            self.execution.update_schedules("epoch", self.current_epoch + 1)

    def running_scores(self) -> dict[str, float]:
        """Loss of the last batches and accuracy of the epoch so far, on this rank."""
        _, (right, count) = self.execution.scores.totals()
        loss = self.execution.scores.last_loss.item()
        return {"loss": loss, "accuracy": right.item() / count.item()}

    def train_scores(self) -> dict[str, Tensor]:
        """Loss and accuracy of the epoch's training batches; every rank must take part."""
        loss, accuracy = self.over_ranks(self.execution.scores)
        return {"train_loss": loss, "train_accuracy": accuracy}

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Logits [B, 10]; labels are not looked at."""
        logits: Tensor = self(batch.images)
        return logits

    def _lesson(self, batch: Batch, batch_idx: int) -> tuple[Tensor, Tensor]:
        """Augmented pixels [B, 784], by seed, epoch, step and rank, and targets as of `loss`."""
        images, targets = self.preprocessing.scale(batch.images), batch.labels
        place = (self._seed, self.current_epoch, batch_idx, self.global_rank)
        if self.augmentation.transforms and len(images):
            images = self.augmentation(images, generator_at(*place, device=self.device))
        if self.mixup:
            images, targets = mixed(images, targets, self.mixup, place)
        targets = targets if self.teacher is None else self.teacher(images)
        return self.preprocessing.normalize(images), targets

    def loss(self, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Loss, a scalar, and logits [B, 10]: of labels int64 [B] or of probabilities [B, 10]."""
        step = self.adversarial if self.training else 0.0
        return loss_against(self.network, self.criterion, step, pixels, targets)

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss, a scalar, of logits [B, 10]; targets are as of `loss`."""
        return F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)
