"""Flags of the commands that Lightning does not have, given only to the one that is asked for."""

import sys
from typing import Any

from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt, restricted_number_type
from lightning.pytorch import Callback, LightningDataModule, LightningModule
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from torch.optim import Optimizer

from lightning_mnist.averaging import StepwiseAveraging
from lightning_mnist.distillation import Distillation
from lightning_mnist.optimization import DecayOn
from lightning_mnist.resuming.kept import Keep
from parity.watch.alarm import Reaction

ShareBelowOne = restricted_number_type("ShareBelowOne", float, [(">=", 0), ("<", 1)])
OPTIMIZER = {"class_path": "torch.optim.Adam", "init_args": {"lr": 2e-3}}
LR_SCHEDULER = {
    "class_path": "torch.optim.lr_scheduler.ExponentialLR",
    "init_args": {"gamma": 0.75},
}


class AskedCLI(LightningCLI):
    """`LightningCLI`, which reads signatures for the flags of every command: 0.1 s for nothing."""

    def __init__(
        self,
        model: type[LightningModule],
        data: type[LightningDataModule],
        *,
        args: ArgsType = None,
        **settings: Any,
    ) -> None:
        """Read and run `args`, by default those of the process."""
        self.words = sys.argv[1:] if args is None else args
        super().__init__(model, data, args=args, **settings)

    def _prepare_subcommand_parser(
        self, klass: type, subcommand: str, **kwargs: Any
    ) -> LightningArgumentParser:
        asked = self.words[0] if isinstance(self.words, list) and self.words else subcommand
        if asked != subcommand and asked in self.subcommands():
            return self.init_parser(**kwargs)
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        add_flags(parser, subcommand)
        return parser


def add_recipe(parser: LightningArgumentParser) -> None:
    """One seed for everything, and the default recipe's optimiser and schedule."""
    parser.link_arguments("seed_everything", "data.seed")
    parser.add_optimizer_args((Optimizer,))
    parser.add_lr_scheduler_args()
    parser.set_defaults({"optimizer": OPTIMIZER, "lr_scheduler": LR_SCHEDULER})


def add_flags(parser: LightningArgumentParser, subcommand: str) -> None:
    """Add what a command takes beside Lightning's flags."""
    add = parser.add_argument
    add("--threads", type=PositiveInt | None, help="CPU threads (default: as many as pay).")
    if subcommand in ("fit", "test"):
        add("--run_dir", type=str | None, help="Folder to fill (default: a new one in runs/).")
        add("--views", nargs="+", default=[], help="Versions of the test set, or all.")
    if subcommand == "fit":
        resumed = "Go on with a run: its folder, or the newest in runs/."
        add("--resume", nargs="?", const="", type=str | None, help=resumed)
        _add_learning(parser)
        add("--guard", type=Reaction, default="stop", help="What to do about a collapse.")
    if subcommand == "predict":
        add("--images", nargs="+", default=[], help="Pictures of one digit each, or globs.")
        add("--output", type=str | None, help="Write all probabilities to a .csv or .json.")
        add("--preview", type=str | None, help="Draw what the network saw, as a .png.")


def _add_learning(parser: LightningArgumentParser) -> None:
    """What belongs to how `fit` learns."""
    parser.add_argument(
        "--ema_decay",
        type=ShareBelowOne | None,
        help="Keep and test a moving average of the weights, such as 0.999 (default: none).",
    )
    parser.add_argument(
        "--teachers",
        nargs="+",
        default=[],
        help="Runs or checkpoints whose mean probabilities are learned in place of labels.",
    )
    parser.add_argument(
        "--keep",
        type=Keep,
        default="best",
        help="The epoch to keep as best.ckpt and to test: of the lowest val_loss, or the last.",
    )
    parser.add_argument(
        "--weight_decay_on",
        type=DecayOn,
        default="all",
        help="What the optimiser's weight decay shrinks: matrices spare biases and batch norm.",
    )


def learning_callbacks(config: Namespace) -> list[Callback]:
    """What the flags change of how `fit` learns; other commands have none of them.

    Raises:
        InputError: a teacher cannot be read.
    """
    callbacks: list[Callback] = []
    if decay := config.get("ema_decay"):
        callbacks.append(StepwiseAveraging(decay))
    if teachers := config.get("teachers"):
        callbacks.append(Distillation(teachers))
    return callbacks
