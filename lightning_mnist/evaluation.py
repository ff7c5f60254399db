"""How a network is scored: counts and logits of validation and test images, over all ranks."""

from lightning.pytorch import LightningModule
from torch import Tensor
from torchmetrics import MetricCollection

from lightning_mnist.data.batches import Batch
from lightning_mnist.data.sources import CLASSES
from lightning_mnist.preprocessing import Preprocessing
from lightning_mnist.scores import RunningScores, SampleLogits, count, counters


class EvaluatedModule(LightningModule):
    """The half of a classifier that looks at what it has learned."""

    preprocessing: Preprocessing

    def __init__(self) -> None:
        super().__init__()
        self.val_scores, self.test_scores = counters(CLASSES), counters(CLASSES)
        self.val_logits, self.test_logits = SampleLogits(), SampleLogits()
        self.evaluated = RunningScores()

    def loss(self, pixels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Loss, a scalar, and logits [B, 10]: of labels int64 [B] or of probabilities [B, 10]."""
        raise NotImplementedError

    def over_ranks(self, scores: RunningScores) -> tuple[Tensor, Tensor]:
        """Mean loss and accuracy; Lightning's own mean over ranks rounds their sample counts."""
        loss, (right, count) = (
            self.trainer.strategy.reduce(total, reduce_op="sum") for total in scores.totals()
        )
        return loss / count, right / count

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count a validation batch and keep its logits."""
        self._evaluate(batch, self.val_scores, self.val_logits)

    def on_validation_epoch_end(self) -> None:
        """Log loss, accuracy and per-class recall of the validation images, of all ranks."""
        scores = self.val_scores.compute()
        recalls = {f"val_recall_{digit}": r for digit, r in enumerate(scores["recall"])}
        self.log("val_loss", self.over_ranks(self.evaluated)[0], prog_bar=True)
        self.log("val_accuracy", scores["accuracy"], prog_bar=True)
        self.log_dict(recalls)

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch."""
        self.evaluated.reset()
        self.val_scores.reset()
        self.val_logits.reset()

    def on_test_epoch_start(self) -> None:
        """Forget an earlier test."""
        self.evaluated.reset()
        self.test_scores.reset()
        self.test_logits.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Count a test batch and keep its logits."""
        self._evaluate(batch, self.test_scores, self.test_logits)

    def on_test_epoch_end(self) -> None:
        """Log the loss of the test images, of all ranks."""
        self.log("test_loss", self.over_ranks(self.evaluated)[0])

    def _evaluate(self, batch: Batch, scores: MetricCollection, kept: SampleLogits) -> None:
        loss, logits = self.loss(self.preprocessing(batch.images), batch.labels)
        if not len(batch.labels):  # other ranks have more; the mean of nothing is not a number
            loss = logits.sum()
        self.evaluated.add([loss], [logits], batch.labels, [len(batch.labels)])
        count(scores, logits, batch.labels)
        kept.update(batch, logits)
