"""One training that sees training and validation images only, and leaves nothing behind."""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningModule, Trainer

from lightning_mnist.callbacks import EpochClock
from lightning_mnist.command_line.cli import DigitsCLI
from lightning_mnist.command_line.command import BuiltCLI, Kind, leave_out_noise, open_cli
from lightning_mnist.data.sources import obtain
from lightning_mnist.divergence import WatchForNaN
from lightning_mnist.errors import InputError

Row = dict[str, float]
Watch = Callable[[Row], bool]
"""Told of each epoch; whether the training is to stop before its next one."""
LOGGERS = ("lightning.pytorch", "lightning.fabric")
read_once = lru_cache(maxsize=1)(obtain)
"""Digits as of `obtain`, in this process read and checked once."""
LEAVES_NOTHING = {"enable_checkpointing": False, "enable_progress_bar": False, "logger": False}


@dataclass(frozen=True)
class Training:
    """What a training came to.

    Attributes:
        recipe: The resolved recipe, every default spelled out.
        data: Name, sha256 and sizes of what it was trained on.
        parameters: Trainable numbers of the network.
        history: One mapping an epoch, with ``epoch`` (from 1), ``seconds``, ``learning_rate``,
            ``train_loss``, ``train_accuracy``, ``val_loss`` and ``val_accuracy``.
        train_accuracy: Of the trained network, on as many training images as validate it, without
            augmentation and dropout.
        stopped: Whether it was stopped before its end by who watched it.
    """

    recipe: dict[str, Any]
    data: dict[str, Any]
    parameters: int
    history: list[Row]
    train_accuracy: float
    stopped: bool

    @property
    def accuracy(self) -> float:
        """Share of the validation images that are read right after the last epoch."""
        return self.history[-1]["val_accuracy"]


class EpochWatch(Callback):
    """Keeps a row an epoch, and stops the training where whoever watches it says so."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.history: list[Row] = []
        self.stopped = False
        self._clock = EpochClock()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self._clock.start(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch, validation included; nobody is asked after the last one."""
        row = {
            name: value
            for name, value in self._clock.row(trainer, pl_module).items()
            if not name.startswith("val_recall")
        }
        self.history.append(row)
        ends = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        if "val_accuracy" in row and self.watch(row) and not ends:
            self.stopped = trainer.should_stop = True


class UntestedCLI(DigitsCLI):
    """`fit` without a run directory, and without the test that follows it."""

    def __init__(self, *args: Any, watch: Watch, threads: int, **kwargs: Any) -> None:
        self.watched = EpochWatch(watch)
        self.most_threads = threads
        super().__init__(*args, **kwargs)

    def before_instantiate_classes(self) -> None:
        """The recipe is that of `fit`; what a run leaves behind is left out."""
        super().before_instantiate_classes()
        self.run_dir = None
        for name, value in LEAVES_NOTHING.items():
            self.config.fit.trainer[name] = value

    def instantiate_classes(self) -> None:
        """Share the digits with the trainings before this one."""
        super().instantiate_classes()
        self.datamodule.digits = read_once(self.datamodule.source, str(self.datamodule.root))

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Watch every epoch, and end at values that are not finite."""
        trainer = super().instantiate_trainer(**kwargs)
        trainer.callbacks += [WatchForNaN("stop", None), self.watched]  # type: ignore[attr-defined]
        return trainer

    def _choose_threads(self) -> None:
        super()._choose_threads()
        torch.set_num_threads(min(torch.get_num_threads(), self.most_threads))

    def after_fit(self) -> None:
        """Read training images as validation images are read.

        Raises:
            InputError: no validation images are read.
        """
        if not self.watched.history or "val_accuracy" not in self.watched.history[-1]:
            raise InputError("the training's last epoch validates nothing; expected that it does")
        loader = self.datamodule.learned_dataloader()
        (scores,) = self.trainer.validate(self.model, dataloaders=loader, verbose=False)
        self.train_accuracy = scores["val_accuracy"]


def train(flags: Sequence[str], watch: Watch = lambda row: False, threads: int = 1) -> Training:
    """Train what `flags` of `fit` say; `watch` is told of each epoch that is validated.

    Raises:
        InputError: the flags are at fault, or the training validates nothing.
        DivergedError: a loss or a weight is not finite.
    """
    cli = quiet_cli(partial(UntestedCLI, watch=watch, threads=threads), flags)
    return Training(
        recipe=yaml.safe_load(cli.recipe),
        data=cli.datamodule.description,
        parameters=sum(p.numel() for p in cli.model.parameters() if p.requires_grad),
        history=cli.watched.history,
        train_accuracy=cli.train_accuracy,
        stopped=cli.watched.stopped,
    )


def resolve(flags: Sequence[str]) -> BuiltCLI:
    """What `flags` of `fit` come to, built and not run.

    Raises:
        InputError: they are at fault.
    """
    return quiet_cli(BuiltCLI, flags)


def quiet_cli(kind: Callable[..., Kind], flags: Sequence[str]) -> Kind:
    """A command line of `fit`, run without Lightning's messages.

    Raises:
        InputError: the flags are at fault.
    """
    with _quietly(), _said_as_input():
        return open_cli(kind, ["fit", *flags], exit_on_error=False)


def describe_data(built: BuiltCLI) -> dict[str, Any]:
    """Name, sha256 and sizes of what a recipe is to be trained on."""
    data = built.datamodule
    data.digits = read_once(data.source, str(data.root))
    data.setup("fit")
    return data.description


@contextmanager
def _quietly() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        leave_out_noise()
        warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _said_as_input() -> Iterator[None]:
    """What the parser or Lightning refuses is the user's input."""
    try:
        yield
    except (ArgumentError, MisconfigurationException) as error:
        raise InputError(" ".join(str(error).split())) from error
