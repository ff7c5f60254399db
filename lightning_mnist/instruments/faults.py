"""Known mistakes, made on purpose.

Each is a patch of the real code for the length of one command, so that the catalogue of
`parity.faults` can prove that the alarms go off. Training itself knows nothing of this file.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_mnist import network
from lightning_mnist.command_line import command
from lightning_mnist.data.batches import BatchLoader
from lightning_mnist.data.datamodule import DigitsDataModule
from lightning_mnist.module import DigitClassifier
from lightning_mnist.preprocessing import Preprocessing
from lightning_mnist.steps.execution import Execution
from parity.streams import print_anything

Fault = Callable[[], AbstractContextManager[Any]]


def _method(owner: type, name: str, replacement: Callable[..., Any]) -> AbstractContextManager[Any]:
    """A method is replaced by what is given the right one before its arguments."""
    right = getattr(owner, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return replacement(right, self, *args, **kwargs)

    return mock.patch.object(owner, name, method)


def _pixels(change: Callable[[Tensor], Tensor]) -> Fault:
    """Images float [N, 28, 28] in [0, 1] are changed before the network gets them."""
    return lambda: _method(
        Preprocessing, "normalize", lambda right, self, images: right(self, change(images))
    )


def _with_a_nan(images: Tensor) -> Tensor:
    images = images.clone()
    images[:, 14, 14] = torch.nan
    return images


def _half_size(images: Tensor) -> Tensor:
    small = F.interpolate(images[:, None], scale_factor=0.5, mode="area")[:, 0]
    return F.pad(small, (7, 7, 7, 7))


def _data(change: Callable[[DigitsDataModule], None]) -> Fault:
    """The data are changed once they have been read."""

    def setup(right: Any, data: DigitsDataModule, stage: str) -> None:
        read_before = bool(data.description)
        right(data, stage)
        if not read_before:
            change(data)

    return lambda: _method(DigitsDataModule, "setup", setup)


def _training_labels(change: Callable[[Tensor], Tensor]) -> Fault:
    def replace(data: DigitsDataModule) -> None:
        images, labels = data._train_tensors
        data._train_tensors = images, change(labels)

    return _data(replace)


def _shuffled(labels: Tensor) -> Tensor:
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]


def _swapped(labels: Tensor) -> Tensor:
    table = torch.arange(10)
    table[[4, 9]] = torch.tensor([9, 4])
    return table[labels]


def _without_sevens(data: DigitsDataModule) -> None:
    data.train_ids = data.train_ids[data._train_tensors[1][data.train_ids] != 7]


def _sorted(right: Any, data: DigitsDataModule) -> BatchLoader:
    loader: BatchLoader = right(data)
    ids = loader.sampler.sample_ids
    loader.sampler.sample_ids = ids[loader.labels[ids].argsort(stable=True)]
    loader.sampler.shuffle_seed = None
    return loader


def _last_layer(layer: nn.Module) -> Fault:
    """The logits go through one more layer."""

    def init(right: Any, mlp: network.MLP, *args: Any, **kwargs: Any) -> None:
        right(mlp, *args, **kwargs)
        mlp.append(layer)

    return lambda: _method(network.MLP, "__init__", init)


def _start(change: Callable[[nn.Linear], object]) -> Fault:
    """The initial weights are changed."""

    def init(layer: nn.Module) -> None:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
            change(layer)

    return lambda: mock.patch.object(network, "_keras_init", init)


@contextlib.contextmanager
def _no_update() -> Iterator[None]:
    """Gradients are computed, and left at that."""

    def learn(right: Any, execution: Execution, *batch: Any) -> Any:
        with mock.patch.object(execution, "_step", lambda closure: closure()):
            return right(execution, *batch)

    with (
        mock.patch.object(Execution, "_whole_steps", return_value=None),
        _method(Execution, "_learn", learn),
    ):
        yield


def _uphill(self: DigitClassifier) -> None:
    for parameter in self.parameters():
        if parameter.grad is not None:
            parameter.grad.neg_()


def _training_mode(right: Any, module: DigitClassifier) -> None:
    right(module)
    module.train()


@contextlib.contextmanager
def _stale() -> Iterator[None]:
    """The checkpoint that is tested holds the weights of the start."""
    initial: dict[str, Tensor] = {}

    def on_fit_start(right: Any, module: DigitClassifier) -> None:
        right(module)
        initial.update({name: value.clone() for name, value in module.state_dict().items()})

    with (
        _method(DigitClassifier, "on_fit_start", on_fit_start),
        mock.patch(
            "lightning_mnist.command_line.cli.read_checkpoint", return_value={"state_dict": initial}
        ),
    ):
        yield


def _reversed_columns(right: Any, module: DigitClassifier, *batch: Any) -> None:
    forward = module.network.forward
    with mock.patch.object(module.network, "forward", lambda x: forward(x).flip(1)):
        right(module, *batch)


FAULTS: dict[str, Fault] = {
    "none": contextlib.nullcontext,
    "raw pixels": _pixels(lambda x: x * 255),
    "255 - x": _pixels(lambda x: 255 - x * 255),
    "1 - x": _pixels(lambda x: 1 - x),
    "x / 255 / 255": _pixels(lambda x: x / 255),
    "1 - x / 255 / 255": _pixels(lambda x: 1 - x / 255),
    "x * 255": _pixels(lambda x: x * 255**2),
    "-1 to 1": _pixels(lambda x: 2 * x - 1),
    "standardised": _pixels(lambda x: (x - 0.13) / 0.31),
    "half contrast": _pixels(lambda x: x / 2),
    "blank": _pixels(torch.zeros_like),
    "NaN pixels": _pixels(_with_a_nan),
    "cut to integers": _pixels(lambda x: x.floor()),
    "wrapped uint8": _pixels(lambda x: (1 - (x * 255).round()) % 256 / 255),
    "half size": _pixels(_half_size),
    "transposed": _pixels(lambda x: x.transpose(1, 2)),
    "mirrored": _pixels(lambda x: x.flip(2)),
    "upside down": _pixels(lambda x: x.flip(1)),
    "labels shuffled": _training_labels(_shuffled),
    "labels one image off": _training_labels(lambda y: y.roll(1)),
    "labels plus one": _training_labels(lambda y: (y + 1) % 10),
    "4 and 9 swapped": _training_labels(_swapped),
    "labels all 0": _training_labels(torch.zeros_like),
    "no sevens": _data(_without_sevens),
    "sorted": lambda: _method(DigitsDataModule, "train_dataloader", _sorted),
    "softmax twice": _last_layer(nn.Softmax(dim=1)),
    "sigmoid": _last_layer(nn.Sigmoid()),
    "ReLU on logits": _last_layer(nn.ReLU()),
    "zero weights": _start(lambda layer: nn.init.zeros_(layer.weight)),
    "biases of -10": _start(lambda layer: nn.init.constant_(layer.bias, -10)),
    "no update": _no_update,
    "gradient ascent": lambda: mock.patch.object(DigitClassifier, "on_after_backward", _uphill),
    "dropout on": lambda: _method(DigitClassifier, "on_test_epoch_start", _training_mode),
    "initial weights tested": _stale,
    "columns reversed": lambda: _method(DigitClassifier, "test_step", _reversed_columns),
}
"""By name; the catalogue in `parity.faults.catalogue` says what each must lead to."""


def main() -> int:
    """Run the rest of the command line with the fault in place."""
    print_anything()
    fault = sys.argv.pop(1)
    with FAULTS[fault]():
        return command.main()


if __name__ == "__main__":
    sys.exit(main())
