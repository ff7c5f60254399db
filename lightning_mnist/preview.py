"""``python -m lightning_mnist augment --preview FILE.png``: each transform on the same digits."""

import argparse
from pathlib import Path

import torch

from lightning_mnist.augmentation import Augmentation
from lightning_mnist.data import sources
from lightning_mnist.plots import draw_digits
from lightning_mnist.sentences import check_ending, writing
from parity.augmentation import AugmentationConfig

# Stronger than one would train with, so that each can be seen.
STRENGTHS = {
    "rotation": 30, "shear": 25, "scale": 0.4, "shift": 4, "elastic": 1.5, "thickness": 1,
    "erase": 1, "dim": 0.8, "gamma": 1.5, "noise": 0.2, "invert": 0.5,
}  # fmt: skip
SHOWN = {"nothing": AugmentationConfig()} | {
    f"{name} {value}": AugmentationConfig(**{name: value}) for name, value in STRENGTHS.items()
}
DIGITS = 8  # in a row


def main(arguments: list[str]) -> None:
    """Draw the sheet; raises `InputError` where the digits or the path are at fault."""
    parser = argparse.ArgumentParser(prog="python -m lightning_mnist augment")
    parser.add_argument("--preview", type=Path, required=True, help="The .png to draw.")
    parser.add_argument("--data.source", dest="source", default="auto", help="As fit has it.")
    parser.add_argument("--data.root", dest="root", default=None, help="As fit has it.")
    flags = parser.parse_args(arguments)
    check_ending("--preview", flags.preview, ".png")
    digits = sources.obtain(flags.source, flags.root)
    images = torch.from_numpy(digits.train_images[:DIGITS]).float() / 255
    generator = torch.Generator().manual_seed(0)
    rows = [Augmentation(config)(images, generator) for config in SHOWN.values()]
    sheet = (torch.cat(rows) * 255).round().to(torch.uint8).numpy()
    captions = [name for name in SHOWN for _ in range(len(images))]
    title = f"augmentations of {digits.name}, stronger than for training"
    with writing(f"--preview {flags.preview}"):
        draw_digits(sheet, captions, flags.preview, title=title)
