"""The LightningModule: its metrics against scikit-learn, its logits in the file's order."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score
from torch.nn import functional as F

from lightning_mnist.data.batches import Batch
from lightning_mnist.module import DigitClassifier
from lightning_mnist.network import BatchNorm
from lightning_mnist.scores import SampleLogits, Scores
from tests.conftest import make_digits


@pytest.fixture
def batch() -> Batch:
    digits = make_digits(train_per_class=3, test_per_class=7)
    return Batch(
        torch.from_numpy(digits.test_images),
        torch.from_numpy(digits.test_labels),
        torch.arange(70),
    )


@pytest.fixture
def model() -> DigitClassifier:
    torch.manual_seed(0)
    return DigitClassifier(hidden=[16]).eval()


def test_raw_images_become_logits(model: DigitClassifier, batch: Batch) -> None:
    logits = model(batch.images)
    assert logits.shape == (70, 10)
    assert logits.dtype == torch.float32
    pixels = batch.images.reshape(70, 784).float() / 255
    torch.testing.assert_close(logits, model.network(pixels))


@pytest.mark.parametrize("batch_norm", [True, "keras"])
def test_a_model_in_float64_computes_in_float64(batch: Batch, batch_norm: BatchNorm) -> None:
    model = DigitClassifier(hidden=[16], batch_norm=batch_norm, dropout=0).double()
    for _ in (model.train(), model.eval()):
        logits = model(batch.images)
        assert logits.dtype == torch.float64
        pixels = batch.images.reshape(70, 784).double() / 255
        torch.testing.assert_close(logits, model.network(pixels), rtol=1e-14, atol=1e-14)


def test_the_loss_is_the_cross_entropy_of_the_logits(
    model: DigitClassifier, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "log", lambda *_, **__: None)
    loss, logits = model.loss(model.preprocessing(batch.images), batch.labels)
    torch.testing.assert_close(loss, F.cross_entropy(model(batch.images), batch.labels))
    torch.testing.assert_close(logits, model(batch.images))


def test_predictions_are_logits(model: DigitClassifier, batch: Batch) -> None:
    assert torch.equal(model.predict_step(batch, 0), model(batch.images))


def test_the_scores_agree_with_scikit_learn(
    model: DigitClassifier, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "log", lambda *_, **__: None)
    for start in (0, 30):  # two batches of unequal size
        part = Batch(*(tensor[start : start + 30 + start] for tensor in batch))
        model.test_step(part, 0)
    scores = Scores.of(model.test_scores)
    predicted = model(batch.images).argmax(dim=1).numpy()
    labels = batch.labels.numpy()
    assert scores.accuracy == pytest.approx(accuracy_score(labels, predicted))
    np.testing.assert_array_equal(scores.confusion, confusion_matrix(labels, predicted))
    expected = recall_score(labels, predicted, average=None)
    np.testing.assert_allclose(scores.recall, expected, rtol=1e-6)


def test_logits_come_back_in_the_order_of_the_samples() -> None:
    kept = SampleLogits()
    ids = torch.randperm(50)
    logits = torch.rand(50, 10)
    for part in ids.split(16):
        kept.update(Batch(torch.empty(0), part % 10, part), logits[part])
    sample_ids, labels, ordered = kept.compute()
    assert sample_ids.tolist() == list(range(50))
    assert torch.equal(labels, sample_ids % 10)
    assert torch.equal(ordered, logits)


def test_a_class_without_images_has_no_recall() -> None:
    confusion = np.diag([5] * 9 + [0])
    described = Scores(confusion, np.array([1.0] * 9 + [0.0], np.float32), 1.0).describe()
    assert described["recall"] == [1.0] * 9 + [None]
    assert sum(described["predicted_share"]) == pytest.approx(1)
