"""The flags of ``python -m keras_reference``; needs no framework."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from jsonargparse import ActionConfigFile, ArgumentParser  # type: ignore[attr-defined]

from keras_reference.config import DataConfig, ModelConfig, OptimizerConfig, TrainerConfig
from keras_reference.errors import InputError
from parity.flags import OneSentence
from parity.run_record import CONFIG_FILE
from parity.watch.alarm import Reaction

Pixels = Literal["auto", "raw", "unit"]
PIXELS_HELP = "What a model that scales nothing was trained on: 0 to 255 (raw) or 0 to 1 (unit)."
VIEWS_HELP = "Versions of the test images to score as well, or all."


class OneSentenceParser(OneSentence, ArgumentParser):
    """Says what is wrong with a flag, and nothing else."""


def expand(args: Sequence[str]) -> list[str]:
    """Flags in which ``--resume RUN`` of `fit` has been followed by what it stands for.

    Raises:
        InputError: RUN is no folder of a training, or its recipe is given besides.
    """
    if args[:1] != ["fit"] or "--resume" not in args[:-1]:
        return list(args)
    place = args.index("--resume")
    run = Path(args[place + 1])
    if not (run / CONFIG_FILE).is_file():
        raise InputError(
            f"--resume {run}: no {CONFIG_FILE} in it; expected the folder of a training"
        )
    if others := {"-c", "--config", "--run_dir"}.intersection(args):
        raise InputError(f"--resume and {min(others)}: expected one of them")
    rest = [*args[1:place], *args[place + 2 :]]
    config = ["--config", str(run / CONFIG_FILE), "--run_dir", str(run)]
    return ["fit", "--resume", str(run), *config, *rest]


def make_parser() -> ArgumentParser:
    """The parser of both commands."""
    fit = OneSentenceParser(description="Train, score the best epoch, fill a run directory.")
    fit.add_argument("-c", "--config", action=ActionConfigFile, help="Flags from a YAML file.")
    fit.add_argument("--seed_everything", type=int, default=0, help="Of all randomness.")
    fit.add_class_arguments(TrainerConfig, "trainer")
    fit.add_class_arguments(ModelConfig, "model")
    fit.add_class_arguments(DataConfig, "data")
    fit.add_class_arguments(OptimizerConfig, "optimizer")
    fit.add_argument("--guard", type=Reaction, default="stop", help="What to do about a collapse.")
    fit.add_argument("--run_dir", type=Path | None, help="Folder to fill (default: in runs/).")
    fit.add_argument("--resume", type=Path | None, help="Go on with the training in this folder.")
    fit.add_argument("--views", nargs="+", default=[], help=VIEWS_HELP)
    predict = OneSentenceParser(description="Score a saved model on the test images.")
    predict.add_argument("--model_file", type=Path, required=True, help="A .keras, of fit or not.")
    predict.add_argument("--pixels", type=Pixels, default="auto", help=PIXELS_HELP)
    predict.add_argument("--data.source", default="mnist", help="mnist, or a file or folder.")
    predict.add_argument("--run_dir", type=Path | None, help="Folder to fill (default: in runs/).")
    predict.add_argument("--views", nargs="+", default=[], help=VIEWS_HELP)
    parser = OneSentenceParser(
        prog="python -m keras_reference", description="The reference network in Keras."
    )
    commands = parser.add_subcommands()
    commands.add_subcommand("fit", fit, help="train and score")
    commands.add_subcommand("predict", predict, help="score a saved model")
    return parser
