"""What a ``fit`` command line really does, for `parity audit`: asked of what it has built.

Where a setting can be measured on the built object it is, and the measurement is given as it is;
`parity audit` reads it. Nothing here changes the model or its optimiser.
"""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_mnist.command_line.cli import DigitsCLI
from lightning_mnist.data.datamodule import DigitsDataModule
from lightning_mnist.data.mnist_form import SIDE
from lightning_mnist.data.sources import CLASSES
from lightning_mnist.module import DigitClassifier
from lightning_mnist.scores import RunningScores
from lightning_mnist.steps.step_callbacks import GradientClipping
from parity.torch import Layer
from parity.torch.settings import layer_settings, optimizer_settings

Settings = dict[str, Any]
EPOCHS = 4
"""First epochs whose learning rates are given."""
PRECISIONS = {
    "32-true": "float32",
    "64-true": "float64",
    "bf16-mixed": "mixed_bfloat16",
    "16-mixed": "mixed_float16",
}
"""Keras' names for what Lightning computes in."""


def effective_settings(
    cli: DigitsCLI, optimizer: Optimizer, layers: Mapping[str, Layer]
) -> Settings:
    """All settings of what has been built, JSON values by canonical names."""
    cli.datamodule.setup("fit")
    return {
        **_pixels(cli),
        **layer_settings(layers),
        **_training_step(cli.model),
        **optimizer_settings(optimizer, layers),
        "optimizer.clip": _clip(cli.trainer),
        "optimizer.accumulated_batches": cli.trainer.accumulate_grad_batches,
        "schedule.learning_rate": _rates(cli.model, optimizer),
        **_data(cli.datamodule),
        **_augmentation(cli.model),
        "trainer.epochs": cli.trainer.max_epochs,
        "precision": PRECISIONS.get(str(cli.trainer.precision), str(cli.trainer.precision)),
        "execution": "torch.compile" if hasattr(cli.model, "_orig_mod") else "eager torch",
    }


def _pixels(cli: DigitsCLI) -> Settings:
    """The network's input for each grey level, as after `DigitClassifier.on_fit_start`."""
    preprocessing = copy.deepcopy(cli.model.preprocessing)
    preprocessing.fit(cli.datamodule.train_images)
    levels = torch.arange(SIDE * SIDE).remainder(256).to(torch.uint8)
    pixels = preprocessing(levels.view(1, SIDE, SIDE))
    return {"preprocessing.pixels": pixels[0, :256].tolist()}


def _augmentation(model: DigitClassifier) -> Settings:
    given: Settings = model.hparams["augmentation"]
    active = {name: value for name, value in given.items() if value}
    if "elastic" not in active:
        active.pop("smoothness", None)
    return {f"augmentation.{name}": value for name, value in active.items()}


def _training_step(model: DigitClassifier) -> Settings:
    """What the training step makes of given logits: its loss, and what it shows of it."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, CLASSES, generator=generator)
    labels = torch.tensor([3, 1, 4, 1])
    once = loss_of_logits(model, logits, labels)
    twice = loss_of_logits(model, logits.repeat(2, 1), labels.repeat(2))
    other = loss_of_logits(model, 2 * logits, labels)
    scores = RunningScores()
    for loss, answers in ((once, logits), (other, 2 * logits)):
        scores.add([loss], [answers], labels, [len(labels)])
    total, (_, count) = scores.totals()
    mean = torch.isclose(total / count, (once + other) / 2)
    epoch = "the epoch's mean" if mean else "another number"
    return {
        "loss": {
            "logits": logits.tolist(),
            "labels": labels.tolist(),
            "once": once.item(),
            "twice": twice.item(),
        },
        "metric.train_loss": f"{epoch}, in training mode, each batch before its own step",
        "metric.train_loss.shown": {
            "batches": [once.item(), other.item()],
            "shown": scores.last_loss.item(),
        },
    }


def loss_of_logits(model: DigitClassifier, logits: Tensor, labels: Tensor) -> Tensor:
    """The training loss where the network gives these logits."""
    modules: dict[str, Any] = model._modules
    network = modules["network"]
    modules["network"] = nn.Identity()
    try:
        loss, _ = model.loss(logits, labels)
    finally:
        modules["network"] = network
    return loss


def _clip(trainer: Trainer) -> str:
    clipping = [c for c in trainer.callbacks if isinstance(c, GradientClipping)]  # type: ignore[attr-defined]
    if not clipping:
        return "none"
    kind = "value" if clipping[0].algorithm == "value" else "global norm"
    return f"{kind} {clipping[0].value:g}"


def _rates(model: DigitClassifier, optimizer: Optimizer) -> list[float]:
    """Learning rates of the first epochs."""
    configured: Any = model.configure_optimizers()
    _, schedulers = configured
    if not schedulers:
        return [optimizer.param_groups[0]["lr"]] * EPOCHS
    scheduler = schedulers[0]
    before = copy.deepcopy(scheduler.state_dict())
    rates = []
    optimizer.zero_grad()
    for _ in range(EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()  # no gradient, no step; schedulers want to see one
        scheduler.step()
    scheduler.load_state_dict(before)
    for group, rate in zip(optimizer.param_groups, before["_last_lr"], strict=True):
        group["lr"] = rate
    return rates


def _data(data: DigitsDataModule) -> Settings:
    """How the images are dealt out, counted on the real loaders of data that are set up."""
    loader = data.train_dataloader()
    orders = []
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        batches = [batch.sample_ids for block in loader for _, batch, _ in block.batches()]
        orders.append(torch.cat(batches))
    return {
        "data.sha256": data.description["sha256"],
        "data.train": len(data.train_ids),
        "data.validation": len(data.val_ids),
        "data.test": len(data.test_ids),
        "data.batches": len(batches),
        "data.batch": len(batches[0]),
        "data.last_batch": len(batches[-1]),
        "data.shuffle": _shuffle(*orders),
        "data.order": orders[0][:5].tolist(),
        "data.validation.part": _part(data),
    }


def _shuffle(first: Tensor, second: Tensor) -> str:
    if torch.equal(first, first.sort().values):
        return "the order of the file"
    return "the same order each epoch" if torch.equal(first, second) else "a new order each epoch"


def _part(data: DigitsDataModule) -> str:
    """Which images of the file are the validation part."""
    count, total = len(data.val_ids), len(data.val_ids) + len(data.train_ids)
    if torch.equal(data.val_ids, torch.arange(total - count, total, device=data.val_ids.device)):
        return "the last of the file, cut off before shuffling"
    labels = data._train_tensors[1]
    shares = torch.bincount(labels[data.val_ids], minlength=10) / count
    if (shares - torch.bincount(labels, minlength=10) / total).abs().max() * count < 1:
        return "drawn from the whole file, the same share of each class"
    return "drawn from the whole file"
