"""``python -m keras_reference fit|predict``."""

import sys
from datetime import datetime
from pathlib import Path

from jsonargparse import Namespace
from rich.console import Console

from keras_reference.cli import expand, make_parser
from keras_reference.data import load_digits
from keras_reference.errors import DivergedError, InputError
from parity.files import said_of
from parity.garbage import without_garbage
from parity.run_record import RunRecord
from parity.signals import StoppedError, ending_at_once
from parity.streams import print_anything
from parity.watch.alarm import CollapsedError
from parity.watch.collapse import COLLAPSED
from parity.watch.views import ViewScore, table_of


def main() -> int:
    """Run a command.

    Returns:
        0, 1 where the input was at fault or training has diverged, 3 at a collapse, 143 and 130
        after SIGTERM and SIGINT. Flags that cannot be parsed exit with 2.
    """
    print_anything()
    try:
        with ending_at_once():
            return _command()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # of the machine: a full disk, a folder that is gone
        print(f"\nerror: {said_of(error)}", file=sys.stderr)  # after Keras' bar
        return 1
    except DivergedError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except CollapsedError as error:
        print(f"error: {error}", file=sys.stderr)
        return COLLAPSED
    except StoppedError as error:
        print(f"\n{error}", file=sys.stderr)
        return error.exit_code


def _command() -> int:
    parser = make_parser()
    config = parser.parse_args(expand(sys.argv[1:]))
    try:
        init = parser.instantiate(config)[config.subcommand]
    except ValueError as error:
        raise InputError(str(error)) from None
    if init.run_dir is None:
        stamp = f"{datetime.now():%Y%m%d-%H%M%S}"
        init.run_dir = Path("runs") / f"{stamp}-keras-{config.subcommand}"
    record = _run(config.subcommand, init)
    _show(record)
    print(f"run directory: {init.run_dir}")
    return 0


def _run(command: str, init: Namespace) -> RunRecord:
    source = init.data.source if command == "fit" else init["data.source"]
    if source != "mnist":
        load_digits(source)  # what is wrong with it is said before TensorFlow is imported
    if command == "predict":
        from keras_reference.model_archive import check_model_file  # imports h5py

        check_model_file(init.model_file)
    with without_garbage():
        from keras_reference import train  # TensorFlow takes seconds to import

    if command == "predict":
        return train.predict(init.model_file, source, init.run_dir, init.views, init.pixels)
    return train.fit(
        init.model, init.data, init.optimizer, init.trainer, init.seed_everything,
        init.run_dir, init.guard, init.views, resume=init.resume is not None,
    )  # fmt: skip


def _show(record: RunRecord) -> None:
    metrics = record.metrics
    print(f"test part of {record.data['name']}: accuracy {metrics['accuracy']:.2%}")
    for digit, (recall, share) in enumerate(
        zip(metrics["recall"], metrics["predicted_share"], strict=True)
    ):
        found = "-" if recall is None else f"{recall:.2%}"
        print(f"  {digit}: recall {found:>7}, share of predictions {share:.2%}")
    if "views" in metrics:
        scores = [ViewScore(**score) for score in metrics["views"]]
        Console().print(table_of(scores, f"views of the test part of {record.data['name']}"))


if __name__ == "__main__":
    sys.exit(main())
