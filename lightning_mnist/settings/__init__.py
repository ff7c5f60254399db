"""What a ``fit`` command line really does, for `parity audit`: asked of what it has built.

Where a setting can be measured on the built object it is, and the measurement is given as it is;
`parity audit` reads it. Nothing here changes the model or its optimiser.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_mnist.cli import DigitsCLI
from lightning_mnist.datamodule import Batch
from lightning_mnist.mnist_form import SIDE
from lightning_mnist.module import PROGRESS_EVERY, DigitClassifier
from lightning_mnist.settings.data import data_settings
from lightning_mnist.settings.layers import layer_settings
from lightning_mnist.settings.optimizer import optimizer_settings
from lightning_mnist.sources import CLASSES

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


class Logged(NamedTuple):
    """What a step logs under a name."""

    value: float
    on_epoch: bool


def effective_settings(
    cli: DigitsCLI, optimizer: Optimizer, layers: dict[str, nn.Module]
) -> Settings:
    """All settings, JSON values by canonical names.

    Args:
        cli: What has been built.
        optimizer: Of its model.
        layers: Of its network, by canonical names.
    """
    cli.datamodule.setup("fit")
    return {
        **_pixels(cli),
        **layer_settings(layers),
        **_training_step(cli.model),
        **optimizer_settings(optimizer, cli.trainer),
        "schedule.learning_rate": _rates(cli.model, optimizer),
        **data_settings(cli.datamodule),
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
    once, twice, other = (
        _step_on(model, *batch)
        for batch in (
            (logits, labels), (logits.repeat(2, 1), labels.repeat(2)), (2 * logits, labels),
        )
    )  # fmt: skip
    epoch = "the epoch's mean" if other["train_loss"].on_epoch else "the last batch's"
    return {
        "loss": {
            "logits": logits.tolist(),
            "labels": labels.tolist(),
            "once": once["train_loss"].value,
            "twice": twice["train_loss"].value,
        },
        "metric.train_loss": f"{epoch}, in training mode, each batch before its own step",
        "metric.train_loss.shown": {
            "batches": [once["train_loss"].value, other["train_loss"].value],
            "shown": other["loss"].value,
        },
    }


def _step_on(model: DigitClassifier, logits: Tensor, labels: Tensor) -> dict[str, Logged]:
    """What the training step logs, by name, where the network gives these logits."""
    ids = torch.arange(len(labels))
    batch = Batch(torch.zeros(len(labels), SIDE, SIDE, dtype=torch.uint8), labels, ids)
    with _without_trainer(model, logits) as logged:
        model.training_step(batch, PROGRESS_EVERY)
    return logged


@contextmanager
def _without_trainer(model: DigitClassifier, logits: Tensor) -> Iterator[dict[str, Logged]]:
    """A model that notes what it logs, and whose network gives `logits`."""
    logged: dict[str, Logged] = {}

    def log(name: str, value: Any, on_epoch: bool = False, **_: Any) -> None:
        if isinstance(value, Tensor):
            logged[name] = Logged(value.item(), on_epoch)

    def log_dict(values: dict[str, Any], **settings: Any) -> None:
        for name, value in values.items():
            log(name, value, **settings)

    network, accuracy = model.network, model.train_accuracy
    stand_in = {"log": log, "log_dict": log_dict}
    vars(model).update(stand_in)
    modules: dict[str, Any] = model._modules
    modules["network"] = _Gives(logits)
    modules["train_accuracy"] = copy.deepcopy(accuracy)
    try:
        yield logged
    finally:
        modules["network"], modules["train_accuracy"] = network, accuracy
        for name in stand_in:
            del vars(model)[name]


class _Gives(nn.Module):
    """Gives the same logits whatever it is given."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, pixels: Tensor) -> Tensor:
        """The logits [B, 10]."""
        return self.logits


def _rates(model: DigitClassifier, optimizer: Optimizer) -> list[float]:
    """Learning rates of the first epochs."""
    configured: Any = model.configure_optimizers()
    if isinstance(configured, Optimizer):
        return [optimizer.param_groups[0]["lr"]] * EPOCHS
    scheduler = configured[1][0]
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
