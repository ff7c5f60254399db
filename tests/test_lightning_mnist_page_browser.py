"""The page in a real browser: it reads, answers and trains as it says it does."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lightning_mnist import sources
from lightning_mnist.mnist_form import SIDE
from lightning_mnist.module import DigitClassifier
from lightning_mnist.own_images import find_picture
from lightning_mnist.page.build import build
from lightning_mnist.page.weights import PageNetwork
from lightning_mnist.sources import RawDigits
from lightning_mnist.trained import Deployed, Trained
from tests.chromium import Chromium, chromium, installed

pytestmark = pytest.mark.skipif(installed() is None, reason="needs Chromium")


def a_model(**flags: Any) -> Trained:
    """A network with random weights and statistics."""
    torch.manual_seed(0)
    module = DigitClassifier(**{"hidden": [16, 12], **flags})
    for name, values in module.state_dict().items():
        if values.is_floating_point() and "network" in name:
            values.copy_(torch.rand_like(values) - (0.5 if "var" not in name else -0.1))
    module.preprocessing.fit(torch.randint(0, 256, (50, SIDE, SIDE), dtype=torch.uint8))
    model = Deployed(module.preprocessing, module.network).eval().requires_grad_(False)
    return Trained(Path("runs/random/checkpoints/best.ckpt"), model, None, {}, {}, 0, None)


@pytest.fixture(scope="module")
def digits() -> RawDigits:
    return sources.load("digits", Path())


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as tab:
        yield tab


@pytest.fixture(scope="module")
def page(
    browser: Chromium, digits: RawDigits, tmp_path_factory: pytest.TempPathFactory
) -> Chromium:
    """A tab with a page of one model."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(build([a_model()], digits).html)
    browser.open(path)
    return browser


def array(values: list[Any]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize("steps", [None, 127, 5])
@pytest.mark.parametrize(
    "flags",
    [
        {"activation": "gelu", "batch_norm": False}, {"activation": "silu", "standardize": "image"},
        {"activation": "elu", "standardize": "dataset", "invert": True}, {"activation": "tanh"},
        {"activation": "sigmoid", "batch_norm": "keras"}, {"hidden": []}, {"invert": True},
    ],
    ids=str,
)  # fmt: skip
def test_the_page_answers_as_the_model(
    flags: dict[str, Any], steps: int | None, page: Chromium, digits: RawDigits
) -> None:
    model = a_model(**flags)
    network = PageNetwork.of(model, steps)
    body = base64.b64encode(network.body).decode()
    said = page.run(
        f"(() => {{ const bytes = Uint8Array.from(atob('{body}'), (c) => c.charCodeAt(0));"
        f"const network = unpackNetwork({json.dumps(network.head)}, bytes);"
        "return page.images.slice(0, 50).map((image) => Array.from(logitsOf(network, image))); })()"
    )
    images = torch.from_numpy(digits.test_images[:50])
    expected = (model.logits(images) if steps is None else network.logits(model, images)).numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(array(said), expected, rtol=0, atol=1e-5 * scale)


def drawing(seed: int) -> list[list[list[float]]]:
    """One to three smooth strokes, as a hand draws them, some of them short."""
    rng = np.random.default_rng(seed)
    strokes = []
    centre, reach = rng.uniform(110, 170, 2), rng.uniform(30, 85)
    for _ in range(rng.integers(1, 4)):
        a, b, c, d = centre + rng.uniform(-reach, reach, (4, 2))
        t = np.linspace(0, 1, 24)[:, None]
        curve = a * (1 - t) ** 3 + 3 * b * t * (1 - t) ** 2 + 3 * c * t**2 * (1 - t) + d * t**3
        strokes.append(np.clip(curve, 15, 265).round(1).tolist())
    return strokes


def drawn(page: Chromium, strokes: list[list[list[float]]]) -> NDArray[np.uint8]:
    """Grey levels of the canvas with these strokes."""
    page.run(f"page.pad.erase(); page.pad.strokes = {json.dumps(strokes)}; page.pad.draw()")
    text = page.run("btoa(Array.from(page.pad.grey, (x) => String.fromCharCode(x)).join(''))")
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(280, 280)


def differences(page: Chromium, seeds: range) -> dict[int, int]:
    """The drawings whose pixels differ between page and `predict`, and by how many levels."""
    found = {}
    for seed in seeds:
        grey = drawn(page, drawing(seed))
        expected = find_picture(grey)
        said = page.run(
            "(() => { const s = seenIn(page.pad.grey, 280, 280); return s && Array.from(s.pixels); })()"
        )
        if expected is None or said is None:
            gap = 0 if expected is None and said is None else 255
        else:
            gap = int(np.abs(array(said).reshape(SIDE, SIDE) - expected.pixels).max())
        if gap > 1:
            found[seed] = gap
    return found


def test_the_page_sees_what_predict_sees(page: Chromium) -> None:
    assert differences(page, range(40)) == {}


@pytest.mark.slow
def test_the_page_sees_what_predict_sees_in_300_drawings(page: Chromium) -> None:
    assert differences(page, range(300)) == {}
