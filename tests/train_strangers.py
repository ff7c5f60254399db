"""Trains what tells strangers from digits: ``python -m tests.train_strangers MNIST_FOLDER``.

Digits are MNIST's training images and printed ones; strangers are letters, signs, scribbles,
curves, blots and shapes. Letters that some hand writes like a digit are left out.
"""

import string
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save_file
from torch.nn import functional as F

from lightning_mnist import sources
from lightning_mnist.mnist_form import fit_like_mnist
from lightning_mnist.pictures.strangers import WEIGHTS, StrangerDetector
from lightning_mnist.split import stratified_split

SIDE = 84  # pixels of a drawing
LETTERS = [*(set(string.ascii_letters) - set("OoIlSsZzgqbDQ")), *"&@#?!+=%$<>*"]
FONTS = (
    "DejaVuSerif-Bold", "DejaVuSansMono", "DejaVuSans-BoldOblique", "DejaVuSerif-Italic",
    "STIXGeneral", "STIXGeneralBol", "cmr10", "cmss10",
)  # fmt: skip
KNOWN = 0.994  # share of the validation images below 0
Drawing = NDArray[np.uint8]
Random = np.random.Generator


def sign(text: str, random: Random) -> Drawing:
    """Printed or plotted, thicker or thinner, leaning."""
    pen = int(random.integers(1, 5))
    if random.random() < 0.5:
        image: Drawing = np.zeros((SIDE, SIDE), np.uint8)
        size = float(random.uniform(1.4, 2.2))
        cv2.putText(image, text, (22, 60), int(random.integers(8)), size, 255, 2 * pen, cv2.LINE_AA)
    else:
        fonts = Path(get_data_path()) / "fonts" / "ttf"
        font = ImageFont.truetype(str(fonts / f"{random.choice(FONTS)}.ttf"), 56)
        canvas = Image.new("L", (SIDE, SIDE))
        ImageDraw.Draw(canvas).text((42, 42), text, font=font, fill=255, anchor="mm")
        image = np.asarray(cv2.dilate(np.array(canvas), np.ones((pen, pen))), np.uint8)
    lean = np.eye(2) + random.normal(0, 0.15, (2, 2))
    move = (np.eye(2) - lean) @ [SIDE / 2, SIDE / 2]
    return np.asarray(cv2.warpAffine(image, np.column_stack([lean, move]), (SIDE, SIDE)), np.uint8)


def letter(random: Random) -> Drawing:
    return sign(str(random.choice(LETTERS)), random)


def scribble(random: Random) -> Drawing:
    points = random.normal(SIDE / 2, random.uniform(8, 22), (int(random.integers(3, 35)), 2))
    return _line(points, random, closed=bool(random.integers(2)))


def curve(random: Random) -> Drawing:
    time = np.linspace(0, 2 * np.pi, 80)
    waves = range(1, int(random.integers(3, 7)))
    x, y = (
        sum(random.normal(0, 14) * np.sin(k * time + random.uniform(0, 6.3)) for k in waves)
        for _ in "xy"
    )
    return _line(np.column_stack([x, y]) + SIDE / 2, random)


def _line(points: NDArray[np.float64], random: Random, *, closed: bool = False) -> Drawing:
    image, pen = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(3, 11))
    cv2.polylines(image, [points.astype(np.int32)], closed, 255, pen, cv2.LINE_AA)
    return image


def blots(random: Random) -> Drawing:
    image = np.zeros((SIDE, SIDE), np.uint8)
    if random.random() < 0.5:
        for _ in range(int(random.integers(2, 40))):
            centre = tuple(map(int, random.integers(8, 76, 2)))
            cv2.circle(
                image, centre, int(random.integers(2, 14)), int(random.integers(90, 256)), -1
            )
        return image
    field = cv2.GaussianBlur(random.normal(0, 1, (SIDE, SIDE)), (0, 0), random.uniform(1, 9))
    level = np.clip((field / field.std() - random.uniform(-0.5, 1.2)) * 3, 0, 1)
    return np.asarray(255 * level, np.uint8)


def shape(random: Random) -> Drawing:
    image, kind = np.zeros((SIDE, SIDE), np.uint8), int(random.integers(4))
    corners = random.integers(8, 76, (int(random.integers(3, 8)), 2)).astype(np.int32)
    if kind == 0:
        cv2.fillPoly(image, [corners], 255)
    elif kind == 1:
        count = int(random.integers(3, 9))
        turn = np.arange(count) * 2 * np.pi * int(random.integers(1, 3)) / count
        return _line(42 + 30 * np.column_stack([np.cos(turn), np.sin(turn)]), random, closed=True)
    elif kind == 2:
        axes = random.integers(14, 36, 2)
        cv2.ellipse(image, (42, 42), tuple(map(int, axes)), 0, 0, 360, 255, -1)
    else:
        for one, other in pairwise(corners.tolist()):
            cv2.line(image, one, other, 255, int(random.integers(3, 9)), cv2.LINE_AA)
    return image


def drawings(count: int, random: Random, *, digits: bool) -> torch.Tensor:
    """Printed digits or strangers in MNIST's form, uint8 [count, 28, 28]."""
    images: list[Drawing] = []
    kinds = (letter, letter, letter, letter, scribble, scribble, curve, curve, blots, shape)
    while len(images) < count:
        number = len(images) % 10
        image = sign(str(number), random) if digits else kinds[number](random)
        if image.max() > 100:
            images.append(fit_like_mnist(image))
    return torch.from_numpy(np.stack(images))


def main(folder: Path, epochs: int = 8) -> None:
    """Train, set the limit on the validation images, write the weights."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    mnist = sources.load("mnist", folder)
    train_ids, val_ids = stratified_split(mnist.train_labels, 5000, 0)
    train, val = (torch.from_numpy(mnist.train_images[ids]) for ids in (train_ids, val_ids))
    digits = torch.cat([train[:40000], drawings(4000, random, digits=True)])
    others = drawings(26000, random, digits=False)
    images = torch.cat([digits, others])[:, None]
    targets = torch.cat([torch.zeros(len(digits)), torch.ones(len(others))])
    detector = StrangerDetector()
    optimizer = torch.optim.AdamW(detector.parameters(), weight_decay=0.01)
    steps = epochs * -(-len(images) // 256)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for epoch in range(epochs):
        for batch in torch.randperm(len(images)).split(256):
            scores = detector(images[batch].float() / 255)[:, 0]
            loss = F.binary_cross_entropy_with_logits(scores, targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(epoch, loss.item(), flush=True)
    detector.eval()
    with torch.inference_mode():
        limit = torch.quantile(detector(val[:, None].float() / 255), KNOWN)
        last: Any = detector[-1]
        last.bias -= limit
    save_file({name: tensor.half() for name, tensor in detector.state_dict().items()}, WEIGHTS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
