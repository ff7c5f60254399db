"""A command line from its flags to its exit code."""

import logging
import sys
import warnings
from collections.abc import Callable
from typing import TypeVar

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import ArgsType
from lightning.pytorch.utilities import rank_zero_only

import lightning_mnist.optimizers  # noqa: F401 - so that --optimizer KerasAdam is found
from lightning_mnist.command_line.cli import DigitsCLI
from lightning_mnist.command_line.parser import OneSentenceParser
from lightning_mnist.data.datamodule import DigitsDataModule
from lightning_mnist.divergence import DivergedError
from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from lightning_mnist.ranks import RankLostError, leave_it_to_the_first
from parity.files import said_of
from parity.signals import StoppedError, ending_at_once
from parity.watch.alarm import CollapsedError
from parity.watch.collapse import COLLAPSED

Kind = TypeVar("Kind", bound=DigitsCLI)
TRAINER_DEFAULTS = {"max_epochs": 10, "num_sanity_val_steps": 0, "enable_model_summary": False}
"""Of seven rows, Lightning's summary has one with weights; `fit` says in a line what is trained."""
UNSAID = ("\U0001f4a1 Tip:", "TPU available: False", "`Trainer.fit` stopped: `max_")
"""How messages of Lightning begin that say nothing: advertisements, and that all went as asked."""


class BuiltCLI(DigitsCLI):
    """Builds what a command line says, as it is built to be run, and runs nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        pass


def open_cli(kind: Callable[..., Kind], args: ArgsType, *, exit_on_error: bool = True) -> Kind:
    """The command line of `args`, or of the process, on our model and our data.

    Raises:
        ArgumentError: flags cannot be parsed, and this is not to exit the process.
    """
    on_error = {"exit_on_error": exit_on_error}
    return kind(
        DigitClassifier,
        DigitsDataModule,
        save_config_callback=None,
        auto_configure_optimizers=False,
        trainer_defaults=TRAINER_DEFAULTS,
        parser_class=OneSentenceParser,
        parser_kwargs={"prog": "python -m lightning_mnist", **on_error, "fit": on_error},
        seed_everything_default=0,
        args=args,
    )


def leave_out_noise() -> None:
    """Pass over warnings that say nothing to whoever trains."""
    warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning 2.6 on torch 2.13
    # What is logged has been reduced already, with each image counted once.
    warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
    # A resumed run goes on in its own folder; any other run is refused there.
    warnings.filterwarnings("ignore", message=".*exists and is not empty.*")


def main(args: ArgsType = None) -> int:
    """Run a command; `args` are those of the process by default.

    Returns:
        0, 1 where the input was at fault, training has diverged or another rank has died, 3 where
        the guard stopped a training that had collapsed, 143 and 130 after SIGTERM and SIGINT. Flags
        that cannot be parsed exit with 2.
    """
    leave_out_noise()
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(
        lambda record: not record.getMessage().startswith(UNSAID)
    )
    try:
        with ending_at_once():
            return open_cli(DigitsCLI, args).exit_code
    except (InputError, MisconfigurationException, CollapsedError) as error:
        if getattr(rank_zero_only, "rank", 0) > 0:
            leave_it_to_the_first()
        print(f"error: {error}", file=sys.stderr)
        return COLLAPSED if isinstance(error, CollapsedError) else 1
    except (RankLostError, DivergedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # of the machine: a full disk, a folder that is gone
        print(f"error: {said_of(error)}", file=sys.stderr)
        return 1
    except StoppedError as error:
        if getattr(rank_zero_only, "rank", 0) == 0:
            print(f"\n{error}", file=sys.stderr)
        return error.exit_code
