"""Puts a page together: markup, style, scripts, networks and a thousand digits in one file."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_mnist.data.mnist_form import SIDE
from lightning_mnist.data.sources import RawDigits
from lightning_mnist.page.rounding import FINEST, Inputs
from lightning_mnist.page.weights import PageNetwork, deflated, inputs_of
from lightning_mnist.page.words import training_words
from lightning_mnist.runs.recipe import in_short
from lightning_mnist.trained import Trained

LARGEST = 500_000
"""Bytes of a page, where that is possible."""
SHOWN = 1_000
"""Test digits in a page."""
COARSEST = 4
"""Steps on either side of 0: the fewest that still cost hardly anything."""
WEIGHED = 5_000
"""Training images whose answers rounded weights are to change least."""
ALL_LEVELS, FOUR_LEVELS = 255, 3
"""The highest grey level of the digits in a page: all that they have, or four to save room."""
SHARED = ("random.js", "layer.js", "signs.js")
"""What the page and its worker both run."""
WORKER = ("training.js",)
"""What the second tab trains with, in a thread of its own."""
SCRIPTS = (
    "network.js", "saliency.js", "form.js", "parts.js", "changes.js", "canvas.js", "show.js",
    "inside.js", "app.js",
)  # fmt: skip


Fed = tuple[Trained, list[Inputs]]
"""A model, and what each of its layers is fed; nothing where no weight is rounded."""


@dataclass(frozen=True)
class Page:
    """A page in HTML, and how its first network answers, with `steps` as of `PageNetwork.of`."""

    html: str
    network: PageNetwork
    steps: int | None


def build(models: Sequence[Trained], digits: RawDigits) -> Page:
    """A page of one model, or of two beside each other.

    Weights keep float32, else one byte each, else as many levels as fit into `LARGEST` bytes, but
    no fewer than 9; a network that is too large for that gets one byte a weight all the same.

    Args:
        models: One or two.
        digits: Their test part gives the thousand digits, and weights are rounded so that their
            training part is answered as before.
    """
    page = _page([(trained, []) for trained in models], digits, None, ALL_LEVELS)
    if len(page.html.encode()) <= LARGEST:
        return page
    weighed = torch.from_numpy(digits.train_images[:WEIGHED])
    fed = [(trained, inputs_of(trained, weighed)) for trained in models]
    for grey in (ALL_LEVELS, FOUR_LEVELS):
        page = _page(fed, digits, FINEST, grey)
        if len(page.html.encode()) <= LARGEST:
            return page
    too_large, fits, best = FINEST, COARSEST - 1, page
    while too_large - fits > 1:
        steps = (too_large + fits) // 2
        page = _page(fed, digits, steps, FOUR_LEVELS)
        if len(page.html.encode()) <= LARGEST:
            fits, best = steps, page
        else:
            too_large = steps
    return best


def _page(models: Sequence[Fed], digits: RawDigits, steps: int | None, grey: int) -> Page:
    networks = [PageNetwork.of(trained, steps, fed) for trained, fed in models]
    images, labels = digits.test_images[:SHOWN], digits.test_labels[:SHOWN]
    data = {
        "networks": [
            network.head | {"name": name, "about": _about(trained), "body": _packed(network.body)}
            for network, (trained, _), name in zip(networks, models, _names(models), strict=True)
        ],
        "digits": {
            "name": digits.name,
            "count": len(labels),
            "grey": grey,
            "images": _packed(_digits(images, grey)),
            "labels": "".join(map(str, labels.tolist())),
        },
        "words": training_words(images),
    }
    return Page(_assembled(data), networks[0], steps)


def _assembled(data: dict[str, Any]) -> str:
    style = _source("page.css")
    shared, worker, script = (
        "\n".join(['"use strict";', *map(_source, names)]) for names in (SHARED, WORKER, SCRIPTS)
    )
    policy = (
        f"default-src 'none'; script-src {_hash(shared)} {_hash(script)}; "
        f"style-src {_hash(style)}; worker-src blob:; base-uri 'none'; form-action 'none'"
    )
    page = _source("page.html")
    for place, content in {
        "POLICY": policy,
        "STYLE": style,
        "SHARED": shared,
        "SCRIPT": script,
        "WORKER": worker,
        "DATA": json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
    }.items():
        page = page.replace(f"@@{place}@@", content)
    return page


def _source(name: str) -> str:
    """A file without its indentation and lines of comment, which a reader finds in the file."""
    text = resources.files("lightning_mnist.page").joinpath(name).read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _packed(content: bytes) -> str:
    """Deflated, five letters for four bytes, none of which means something in a page."""
    return base64.b85encode(deflated(content)).decode().translate({ord("<"): ",", ord("@"): "."})


def _digits(images: NDArray[np.uint8], grey: int) -> bytes:
    """Images uint8 [N, 28, 28] as they are, or of four levels, each byte a square of 2 x 2."""
    if grey == ALL_LEVELS:
        return images.tobytes()
    levels = np.round(images * (grey / 255)).astype(np.uint8)
    half = SIDE // 2
    squares = levels.reshape(-1, half, 2, half, 2).transpose(0, 1, 3, 2, 4).reshape(-1, 4)
    return bytes(np.bitwise_or.reduce(squares << np.array([0, 2, 4, 6], np.uint8), axis=1))


def _names(models: Sequence[Fed]) -> list[str]:
    """What tells the models apart: the folders of their runs, or their files."""
    runs = [trained.path.resolve().parent.parent.name for trained, _ in models]
    files = [trained.path.name for trained, _ in models]
    if len(models) == 1 or runs[0] != runs[1]:
        return runs
    return files if files[0] != files[1] else ["first", "second"]


def _about(trained: Trained) -> str:
    recipe = in_short(trained.recipe) or "recipe not known"
    data = trained.data.get("name", "data not known")
    return f"{recipe}; {trained.parameters:,} parameters; {data}"
