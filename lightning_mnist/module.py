"""The LightningModule: raw digits to logits, one shared step, metrics over all ranks."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassRecall,
)

from lightning_mnist.augmentation import Augmentation, AugmentationConfig
from lightning_mnist.datamodule import Batch, DigitsDataModule
from lightning_mnist.errors import InputError
from lightning_mnist.mnist_form import SIDE
from lightning_mnist.network import MLP, Activation, BatchNorm, Init
from lightning_mnist.preprocessing import Preprocessing, Standardize
from lightning_mnist.sources import CLASSES

PROGRESS_EVERY = 20
"""Steps between two values of loss and of the epoch's accuracy so far on the progress bar."""


class SampleLogits(Metric):
    """Keeps the logits of every sample: over all ranks, in the order of the sample ids."""

    full_state_update = False
    sample_ids: list[Tensor]
    labels: list[Tensor]
    logits: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        for name in Batch._fields[1:] + ("logits",):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, batch: Batch, logits: Tensor) -> None:
        """Add a batch and its logits, float [B, C]."""
        self.sample_ids.append(batch.sample_ids)
        self.labels.append(batch.labels)
        self.logits.append(logits)

    def compute(self) -> tuple[Tensor, Tensor, Tensor]:
        """Sample ids int64 [N], labels int64 [N], logits float32 [N, C]."""
        sample_ids, labels, logits = (
            torch.cat(state) if isinstance(state, list) else state  # one tensor once synchronised
            for state in (self.sample_ids, self.labels, self.logits)
        )
        order = sample_ids.argsort()
        return sample_ids[order], labels[order], logits[order].float()


class DigitClassifier(LightningModule):
    """An MLP that reads raw digits: uint8 images in, logits out.

    The optimiser and the learning-rate schedule are the command line's ``--optimizer`` and
    ``--lr_scheduler``.

    Args:
        hidden: Width of each hidden layer.
        activation: After each hidden layer.
        dropout: Probability of dropping a hidden unit while training.
        batch_norm: Normalise each hidden layer over the batch: true as torch does it, keras with
            Keras' epsilon, momentum and variance.
        init: Initial weights: keras (Glorot uniform, zero biases) or torch (uniform within
            1 / sqrt(fan_in)).
        invert: Feed the network 1 - x instead of x.
        standardize: Feed the network pixels of mean 0 and deviation 1: over the training images
            (dataset) or in each image (image).
        augmentation: What is done to training images, another draw each time.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (512, 512),
        activation: Activation = "relu",
        dropout: float = 0.3,
        batch_norm: BatchNorm = True,
        init: Init = "keras",
        invert: bool = False,
        standardize: Standardize = "none",
        augmentation: AugmentationConfig = AugmentationConfig(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore="augmentation")
        self.hparams.update(augmentation=dataclasses.asdict(augmentation))  # plain, to be loadable
        self.batch_norm = batch_norm
        self.example_input_array = torch.zeros(1, SIDE, SIDE, dtype=torch.uint8)
        self.preprocessing = Preprocessing(invert=invert, standardize=standardize)
        self.augmentation = Augmentation(augmentation)
        self.network = MLP(
            SIDE * SIDE,
            hidden,
            CLASSES,
            activation=activation,
            dropout=dropout,
            batch_norm=batch_norm,
            init=init,
        )
        self.train_accuracy = MulticlassAccuracy(CLASSES, average="micro")
        scores = MetricCollection(
            {
                "accuracy": MulticlassAccuracy(CLASSES, average="micro"),
                "recall": MulticlassRecall(CLASSES, average=None),
                "confusion": MulticlassConfusionMatrix(CLASSES),
            }
        )
        self.val_scores = scores.clone()
        self.test_scores = scores.clone()
        self.val_logits = SampleLogits()
        self.test_logits = SampleLogits()

    def forward(self, images: Tensor) -> Tensor:
        """Images uint8 [N, 28, 28], ink 255 on paper 0, to logits [N, 10] in the model's dtype."""
        logits: Tensor = self.network(self.preprocessing(images))
        return logits

    def on_fit_start(self) -> None:
        """Measure what standardisation needs; a resumed run has it from its checkpoint.

        Raises:
            InputError: batch norm would meet a batch of one image.
        """
        data: DigitsDataModule = self.trainer.datamodule  # type: ignore[attr-defined]
        if self.batch_norm and data.train_dataloader().smallest_batch < 2:
            raise InputError(
                f"the last of an epoch's batches would hold one image, which batch norm cannot "
                f"normalise; with {len(data.train_ids):,} training images choose another "
                f"--data.batch_size than {data.batch_size}, or --model.batch_norm false"
            )
        if self.trainer.ckpt_path is None:
            self.preprocessing.fit(data.train_images)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of a batch, a scalar."""
        loss, logits = self._step("train", batch, self._augmented_pixels(batch, batch_idx))
        self.train_accuracy.update(logits, batch.labels)
        self.log("train_accuracy", self.train_accuracy, on_step=False, on_epoch=True)
        if batch_idx % PROGRESS_EVERY == 0:  # each log costs as much as a small network's step
            running = {"loss": loss.detach(), "accuracy": self.train_accuracy.compute()}
            self.log_dict(running, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count a validation batch and keep its logits."""
        _, logits = self._step("val", batch, self.preprocessing(batch.images))
        self.val_scores.update(logits, batch.labels)
        self.val_logits.update(batch, logits)

    def on_validation_epoch_end(self) -> None:
        """Log accuracy and per-class recall of the validation images."""
        scores = self.val_scores.compute()
        recalls = {f"val_recall_{digit}": r for digit, r in enumerate(scores["recall"])}
        # Every rank has the same values; saying so keeps Lightning from warning that it might not.
        self.log("val_accuracy", scores["accuracy"], prog_bar=True, sync_dist=True)
        self.log_dict(recalls, sync_dist=True)

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch."""
        self.val_scores.reset()
        self.val_logits.reset()

    def on_test_epoch_start(self) -> None:
        """Forget an earlier test."""
        self.test_scores.reset()
        self.test_logits.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count a test batch and keep its logits."""
        _, logits = self._step("test", batch, self.preprocessing(batch.images))
        self.test_scores.update(logits, batch.labels)
        self.test_logits.update(batch, logits)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Probabilities [B, 10]; labels are not looked at."""
        probabilities: Tensor = self(batch.images).softmax(dim=1)
        return probabilities

    def _augmented_pixels(self, batch: Batch, batch_idx: int) -> Tensor:
        """Network input [B, 784]; the draw is a function of seed, epoch, step and rank."""
        images = self.preprocessing.scale(batch.images)
        if not self.augmentation.transforms:
            return self.preprocessing.normalize(images)
        place = (torch.initial_seed(), self.current_epoch, batch_idx, self.global_rank)
        (state,) = np.random.SeedSequence(place).generate_state(1, np.uint64)
        generator = torch.Generator(self.device).manual_seed(int(state) >> 1)
        return self.preprocessing.normalize(self.augmentation(images, generator))

    def _step(self, phase: str, batch: Batch, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Loss, a scalar, and logits [B, 10] of pixels [B, 784]; logs ``<phase>_loss``."""
        logits = self.network(pixels)
        loss = F.cross_entropy(logits, batch.labels)
        self.log(
            f"{phase}_loss",
            loss,
            prog_bar=phase == "val",
            on_step=False,
            on_epoch=True,
            sync_dist=True,
            batch_size=len(batch.labels),
        )
        return loss, logits
