"""Trains what tells strangers from digits.

``python -m tests.by_hand.train_strangers MNIST_FOLDER FONTS_FOLDER`` needs the four files of MNIST,
and typefaces with Latin letters, a folder each: 130 from Debian's ``fonts-*`` and the registry's
``font-*`` have been used, none of them in a test. The weights that ship have learned from such
drawings in several goes, and are the mean of where the last two ended, with batch statistics
measured anew (Izmailov et al., Averaging Weights Leads to Wider Optima, 2018).

It learns eleven classes: the digits, of MNIST and printed, and what is none. That are drawings of
many kinds, and MNIST's digits on their side, mirrored, or several in one picture. So both come from
pens and from fonts alike, and are distorted alike: what is left to learn is the figure.
"""

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from lightning_mnist.augmentation import Augmentation
from lightning_mnist.data import sources
from lightning_mnist.data.datamodule import stratified_split
from lightning_mnist.data.mnist_form import fit_like_mnist
from lightning_mnist.pictures.strangers import WEIGHTS, StrangerDetector, strangeness
from parity.augmentation import AugmentationConfig
from tests.support.strangers import digit, font_of, of_a_font, printed, stranger

Images = NDArray[np.uint8]
Random = np.random.Generator
STRANGER = 10  # the class after the digits
KNOWN = 0.9945  # share of the validation images that are taken for digits
DISTORTED = AugmentationConfig(rotation=8, shear=8, elastic=0.4, thickness=0.4, gamma=0.3)
MIRRORED = (3, 4, 6, 7, 9)  # no digit any more; a 1 or an 8 would be one
BATCH = 256


def main(folder: Path, fonts: Path, epochs: int = 10) -> None:
    """Train, set the limit on the validation images, write the weights."""
    torch.manual_seed(0)
    mnist = sources.load("mnist", folder)
    train_ids, val_ids = stratified_split(mnist.train_labels, 5000, 0)
    images, classes = examples(mnist.train_images[train_ids], mnist.train_labels[train_ids], fonts)
    detector = train(images, classes, epochs)
    with torch.inference_mode():
        val = torch.from_numpy(mnist.train_images[val_ids])
        limit = torch.quantile(strangeness(detector, val), KNOWN)
        last: Any = detector[-1]
        last.bias[STRANGER] -= limit
    save_file({name: tensor.half() for name, tensor in detector.state_dict().items()}, WEIGHTS)


def train(images: Tensor, classes: Tensor, epochs: int) -> StrangerDetector:
    """A detector of images uint8 [N, 28, 28] of classes int64 [N]; half of them are distorted."""
    generator = torch.Generator().manual_seed(0)
    distort = Augmentation(DISTORTED)
    detector = StrangerDetector()
    optimizer = torch.optim.AdamW(detector.parameters(), weight_decay=0.02)
    steps = epochs * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    for epoch in range(epochs):
        for batch in torch.randperm(len(images)).split(BATCH):
            pixels = images[batch].float() / 255
            half = len(pixels) // 2
            pixels[:half] = distort(pixels[:half], generator)
            loss = F.cross_entropy(detector(pixels[:, None]), classes[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(epoch, loss.item(), flush=True)
    return detector.eval()


def examples(digits: Images, labels: NDArray[np.int64], fonts: Path) -> tuple[Tensor, Tensor]:
    """Images uint8 [N, 28, 28] and classes int64 [N], of MNIST's digits and of drawings."""
    random = np.random.default_rng(0)
    numbers = np.arange(12000) % 10
    shown = drawn([digit(int(number), random) for number in numbers])
    redrawn = drawn([drawn_again(image) for image in digits[:45000]])
    turned = np.rot90(digits[labels != 0][:9000], int(random.choice((1, 3))), axes=(1, 2))
    mirrored = digits[np.isin(labels, MIRRORED)][-5000:, :, ::-1]
    several = drawn([several_of(digits, random) for _ in range(9000)])
    others = drawn([stranger(random) for _ in range(190000)])
    letters, of_fonts, named = faces(fonts, random)
    strangers = np.concatenate([turned, mirrored, several, others, letters])
    images = np.concatenate([digits, shown, redrawn, of_fonts, strangers])
    classes = np.full(len(images), STRANGER)
    known = np.concatenate([labels, numbers, labels[:45000], named])
    classes[: len(known)] = known
    return torch.from_numpy(images), torch.from_numpy(classes)


def faces(folder: Path, random: Random) -> tuple[Images, Images, NDArray[np.int64]]:
    """Letters and signs, digits, and which digits, of typefaces with a folder each."""
    families = [sorted(family.rglob("*.[ot]tf")) for family in sorted(folder.iterdir())]
    numbers = np.arange(16000) % 10

    def font() -> Path:
        family = families[int(random.integers(len(families)))]
        return family[int(random.integers(len(family)))]

    letters = drawn([of_a_font(font(), random) for _ in range(80000)])
    digits = drawn([printed(str(number), font_of(font())[0], random) for number in numbers])
    return letters, digits, numbers


def drawn(drawings: list[Images]) -> Images:
    """Drawings in MNIST's form; what has left no ink is replaced by another."""
    inked = [drawing for drawing in drawings if drawing.max(initial=0) > 100]
    return np.stack([fit_like_mnist(inked[i % len(inked)]) for i in range(len(drawings))])


def drawn_again(image: Images) -> Images:
    """A digit of MNIST with the sharp edges of a pen on a larger page."""
    large = cv2.resize(image, (84, 84), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.asarray(np.clip((cv2.GaussianBlur(large, (0, 0), 1) - 90) * 4, 0, 255), np.uint8)


def several_of(digits: Images, random: Random) -> Images:
    """Two or three digits in a row, or one above the other; they may touch."""
    chosen = digits[random.integers(0, len(digits), random.choice((2, 2, 2, 3)))]
    if stacked := random.random() < 0.25:
        chosen = chosen.transpose(0, 2, 1)
    columns = [image[:, image.any(axis=0)] for image in chosen]
    apart = np.zeros((28, int(random.integers(0, 6))), np.uint8)
    row = np.concatenate([part for column in columns for part in (column, apart)], axis=1)
    return np.ascontiguousarray(row.T if stacked else row)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
