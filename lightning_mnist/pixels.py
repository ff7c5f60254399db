"""``python -m lightning_mnist pixels``: own pictures as a network sees them, without torch."""

import argparse
import sys
from pathlib import Path

import numpy as np

from lightning_mnist.own_images import read_pictures
from lightning_mnist.sentences import check_ending, writing
from parity.writing import written_whole


def main(arguments: list[str]) -> int:
    """Write the pixels that ``predict`` hands to the network, and which file they are from.

    Returns:
        0, or 1 where a picture could not be read; the others are written all the same.

    Raises:
        InputError: the file has another ending or cannot be written.
    """
    parser = argparse.ArgumentParser(prog="python -m lightning_mnist pixels")
    parser.add_argument("--images", nargs="+", required=True, help="Paths or globs of pictures.")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="An .npz for images uint8 [N, 28, 28], ink 255 on paper 0, and their files [N].",
    )
    flags = parser.parse_args(arguments)
    check_ending("--output", flags.output, ".npz")
    pictures, failures = read_pictures(flags.images)
    if pictures:
        with writing(f"--output {flags.output}"), written_whole(flags.output) as temporary:
            np.savez(
                temporary,
                images=np.stack([picture.pixels for picture in pictures.values()]),
                files=np.array([str(path) for path in pictures]),
            )
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    return int(bool(failures))
