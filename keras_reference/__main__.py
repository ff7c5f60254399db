"""``python -m keras_reference fit|predict``."""

import os
import sys
from datetime import datetime
from pathlib import Path
from typing import NoReturn

# TensorFlow prints its build options and the absence of a GPU on every start.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the same result on every processor

from jsonargparse import ActionConfigFile, ArgumentParser  # type: ignore[attr-defined]

from keras_reference.config import DataConfig, ModelConfig, OptimizerConfig, TrainerConfig
from keras_reference.errors import InputError
from parity.guard import COLLAPSED, CollapsedError, Reaction

VIEWS_HELP = "Versions of the test images to score as well, or all."


class OneSentenceParser(ArgumentParser):
    """Says what is wrong with a flag, and nothing else."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exit with 2, except where a caller wants the exception."""
        if not self.exit_on_error:
            super().error(message, ex)
        print(f"error: {' '.join(message.split())}; see --help", file=sys.stderr)
        sys.exit(2)


def _parser() -> ArgumentParser:
    fit = OneSentenceParser(description="Train, score the best epoch, fill a run directory.")
    fit.add_argument("-c", "--config", action=ActionConfigFile, help="Flags from a YAML file.")
    fit.add_argument("--seed_everything", type=int, default=0, help="Of all randomness.")
    fit.add_class_arguments(TrainerConfig, "trainer")
    fit.add_class_arguments(ModelConfig, "model")
    fit.add_class_arguments(DataConfig, "data")
    fit.add_class_arguments(OptimizerConfig, "optimizer")
    fit.add_argument("--guard", type=Reaction, default="stop", help="What to do about a collapse.")
    fit.add_argument("--run_dir", type=Path | None, help="Folder to fill (default: in runs/).")
    fit.add_argument("--views", nargs="+", default=[], help=VIEWS_HELP)
    predict = OneSentenceParser(description="Score a saved model on the test images.")
    predict.add_argument("--model_file", type=Path, required=True, help="A .keras of fit.")
    predict.add_argument("--data.source", default="mnist", help="mnist or FILE.npz.")
    predict.add_argument("--run_dir", type=Path | None, help="Folder to fill (default: in runs/).")
    predict.add_argument("--views", nargs="+", default=[], help=VIEWS_HELP)
    parser = OneSentenceParser(
        prog="python -m keras_reference", description="The reference network in Keras."
    )
    commands = parser.add_subcommands()
    commands.add_subcommand("fit", fit, help="train and score")
    commands.add_subcommand("predict", predict, help="score a saved model")
    return parser


def main() -> int:
    """Run a command; 1 where the input was at fault, 2 where a flag was, 3 at a collapse."""
    parser = _parser()
    config = parser.parse_args()
    command = config.subcommand
    try:
        init = parser.instantiate(config)[command]
        if init.run_dir is None:
            init.run_dir = Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-keras-{command}"
        from keras_reference import train  # TensorFlow takes seconds to import

        if command == "fit":
            record = train.fit(
                init.model, init.data, init.optimizer, init.trainer, init.seed_everything,
                init.run_dir, init.guard, init.views,
            )  # fmt: skip
        else:
            record = train.predict(init.model_file, init["data.source"], init.run_dir, init.views)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except CollapsedError as error:
        print(f"error: {error}", file=sys.stderr)
        return COLLAPSED
    metrics = record.metrics
    print(f"test part of {record.data['name']}: accuracy {metrics['accuracy']:.2%}")
    for digit, (recall, share) in enumerate(
        zip(metrics["recall"], metrics["predicted_share"], strict=True)
    ):
        found = "-" if recall is None else f"{recall:.2%}"
        print(f"  {digit}: recall {found:>7}, share of predictions {share:.2%}")
    if "views" in metrics:
        from keras_reference.views import show_views

        show_views(metrics["views"], f"views of the test part of {record.data['name']}")
    print(f"run directory: {init.run_dir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
