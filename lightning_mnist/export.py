"""``python -m lightning_mnist export DIR``: the raw digits for other programs, without torch."""

import argparse
import sys
from pathlib import Path

import numpy as np

from lightning_mnist import sources
from lightning_mnist.errors import InputError
from parity.run_record import written_whole


def main(arguments: list[str]) -> int:
    """Write ``DIR/<what it really is>.npz`` in the format of Keras' mnist.npz; print its path."""
    parser = argparse.ArgumentParser(prog="python -m lightning_mnist export")
    parser.add_argument("folder", type=Path, help="Folder to write the .npz into.")
    parser.add_argument("--data.source", dest="source", default="auto", help="As fit has it.")
    parser.add_argument("--data.root", dest="root", default=None, help="As fit has it.")
    flags = parser.parse_args(arguments)
    try:
        digits = sources.obtain(flags.source, flags.root)
        flags.folder.mkdir(parents=True, exist_ok=True)
        path = flags.folder / f"{Path(digits.name).stem}.npz"
        with written_whole(path) as temporary:
            np.savez(
                temporary,
                x_train=digits.train_images,
                y_train=digits.train_labels,
                x_test=digits.test_images,
                y_test=digits.test_labels,
            )
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {flags.folder}: cannot be written ({error})", file=sys.stderr)
        return 1
    print(path)
    return 0
