"""The page as a file: its size, its weights, its words, its colours."""

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lightning_mnist.data import sources
from lightning_mnist.data.sources import RawDigits
from lightning_mnist.errors import InputError
from lightning_mnist.export.files import write_page
from lightning_mnist.module import DigitClassifier
from lightning_mnist.page import build as building
from lightning_mnist.page.build import LARGEST, build
from lightning_mnist.page.rounding import FINEST, Dense, Inputs, Rounded
from lightning_mnist.page.weights import deflated, folded, inputs_of
from lightning_mnist.page.words import training_words
from lightning_mnist.trained import Deployed, Trained
from parity.run_record import RECORD_FILE, RunRecord
from tests.conftest import ROOT, Command, make_digits

PAGE = ROOT / "lightning_mnist" / "page"


def a_model(*hidden: int, **flags: Any) -> Trained:
    """A network with weights that are normally distributed, as trained ones nearly are."""
    torch.manual_seed(0)
    module = DigitClassifier(hidden=hidden, **flags)
    with torch.no_grad():
        for layer in module.network.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.normal_()
    model = Deployed(module.preprocessing, module.network).eval().requires_grad_(False)
    return Trained(Path("runs/random/checkpoints/best.ckpt"), model, None, {}, {}, 0, None)


@pytest.mark.parametrize(
    ("hidden", "steps"),
    [
        ((16,), [None]),
        ((128, 64), [127]),
        pytest.param((512, 512), range(4, 127), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_weights_are_as_fine_as_fits(
    hidden: tuple[int, ...], steps: Any, tiny_digits: RawDigits
) -> None:
    page = build([a_model(*hidden)], tiny_digits)
    assert page.steps in steps
    assert len(page.html.encode()) <= LARGEST


def test_the_finest_that_fits_is_found(
    tiny_digits: RawDigits, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = a_model(32)
    fed = [(model, inputs_of(model, torch.from_numpy(tiny_digits.train_images)))]

    def size(steps: int) -> int:
        page = building._page(fed, tiny_digits, steps, building.FOUR_LEVELS)
        return len(page.html.encode())

    limit = (size(building.COARSEST) + size(FINEST)) // 2
    monkeypatch.setattr(building, "LARGEST", limit)
    page = build([model], tiny_digits)
    assert page.steps is not None
    assert len(page.html.encode()) <= limit < size(page.steps + 1)
    monkeypatch.setattr(building, "LARGEST", 1_000)
    assert build([model], tiny_digits).steps == FINEST


def test_rounding_is_by_row_and_half_a_step_at_most_where_inputs_vary_alone() -> None:
    weights = np.array([[1.0, -0.5, 0.0], [0.01, 0.002, -0.01], [0, 0, 0]], np.float32)
    alone = torch.tensor(np.concatenate([np.eye(3), -np.eye(3)]), dtype=torch.float32)
    rounded = Rounded.of(Dense(weights, np.ones(3, np.float32)), 7, Inputs.of(alone))
    assert np.abs(rounded.whole).max(axis=1).tolist() == [7, 7, 0]
    off = np.abs(rounded.layer.weights - weights)
    assert (off <= rounded.size[:, None] / 2 + 1e-9).all()
    assert rounded.biases.tolist() == [1, 1, 1]  # their mean is 0


def test_what_rounding_takes_from_an_output_other_weights_and_the_bias_give_back() -> None:
    """Inputs that go together, as pixels do: less than half the error of the nearest levels."""
    random = np.random.default_rng(0)
    fed = 1 + random.normal(size=(500, 6)) @ random.normal(size=(6, 40))
    layer = Dense(random.normal(size=(20, 40)).astype(np.float32), np.zeros(20, np.float32))
    values = torch.tensor(fed, dtype=torch.float32)
    rounded = Rounded.of(layer, 7, Inputs.of(values))
    nearest = Dense(
        np.round(layer.weights / rounded.size[:, None]) * rounded.size[:, None], layer.biases
    )
    errors = [(one(values) - layer(values)).square().mean() for one in (rounded.layer, nearest)]
    assert errors[0] < errors[1] / 4
    assert (rounded.layer(values) - layer(values)).mean().abs() < 1e-3


def test_inputs_that_are_one_or_always_0_are_rounded_too() -> None:
    for fed in (torch.randn(9, 1), torch.zeros(9, 4)):
        layer = Dense(np.full((2, fed.shape[1]), 0.3, np.float32), np.zeros(2, np.float32))
        np.testing.assert_allclose(
            Rounded.of(layer, 7, Inputs.of(fed)).layer(fed), layer(fed), atol=1e-6
        )


@pytest.mark.slow
def test_a_trained_page_of_500_kb_answers_nearly_as_its_network_does(
    mnist_run: Path, mnist_root: Path
) -> None:
    digits = sources.load("mnist", mnist_root)
    trained = Trained.read(mnist_run / "checkpoints" / "best.ckpt")
    page = build([trained], digits)
    assert page.steps is not None
    assert len(page.html.encode()) <= LARGEST
    images, labels = torch.from_numpy(digits.test_images), torch.from_numpy(digits.test_labels)
    exact, rounded = trained.logits(images), page.network.logits(trained, images)
    assert (rounded - exact).square().mean().sqrt() < 0.12  # to the nearest level: 0.26
    right = [(said.argmax(dim=1) == labels).double().mean() for said in (exact, rounded)]
    changed = (exact.argmax(dim=1) != rounded.argmax(dim=1)).sum()
    assert changed <= 20
    assert right[0] - right[1] <= 0.0003


def test_a_layer_that_a_page_cannot_compute_is_named() -> None:
    with pytest.raises(InputError, match="kind Conv2d"):
        folded(nn.Sequential(nn.Conv2d(1, 1, 1)))


def test_a_page_needs_digits(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected --data.source"):
        write_page(a_model(8), tmp_path / "page.html", None, None)


def test_the_card_says_what_a_page_holds(tmp_path: Path, tiny_digits: RawDigits) -> None:
    first, second = a_model(128, 64), a_model(16)
    path = tmp_path / "page.html"
    written = write_page(first, path, tiny_digits, second)
    said = " ".join(written.remarks)
    assert f"{path.stat().st_size:,} bytes" in said
    assert "255 levels in each row" in said
    assert second.sha256[:12] in said
    images = torch.from_numpy(tiny_digits.test_images)
    gap = (written.answers(images) - first.logits(images)).abs().max().item()
    assert written.rounded
    assert 0 < gap < 0.05 * first.logits(images).abs().max().item()


def test_what_is_deflated_is_all_there() -> None:
    content = np.random.default_rng(0).integers(0, 15, 5_000).astype(np.uint8).tobytes()
    assert zlib.decompress(deflated(content), -zlib.MAX_WBITS) == content


def test_nothing_is_loaded_and_only_these_scripts_run(tiny_digits: RawDigits) -> None:
    """What a model is called cannot break out of its place."""
    model = replace(a_model(8), path=Path("runs/</script><b>/checkpoints/best.ckpt"))
    html = build([model], tiny_digits).html
    assert "@@" not in html
    assert "</script><b>" not in html
    assert not re.search(r"(src|href)\s*=|@import|url\(|https?:", html)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    inline = re.findall(r"<(script|style)(?: id=.shared.)?>(.*?)</", html, re.S)
    assert [tag for tag, _ in inline] == ["style", "script", "script"]
    for _, source in inline:
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    data = re.search(r'id="data">(.*?)</script>', html, re.S)
    assert data is not None
    assert "script" in json.loads(data[1])["networks"][0]["name"]


def test_the_words_are_those_of_parity() -> None:
    images = make_digits(train_per_class=20, test_per_class=1).train_images
    words = training_words(images)
    assert words["x/255"] == ""
    assert "the pixels were inverted and not scaled: the network was fed 0 to 255" in words["255-x"]
    assert "the pixels were not scaled" in words["x"]
    assert "the pixels were scaled twice" in words["x/255/255"]


def colours(style: str) -> list[dict[str, str]]:
    """The two sets of variables: light, and dark where it differs."""
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", block))
        for block in re.findall(r":root \{([^}]*)\}", style)
    )
    return [light, light | dark]


def luminance(colour: str) -> float:
    """Of WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    levels = np.array([int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)])
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    ("text", "ground", "ratio"),
    [
        ("ink", "paper", 4.5), ("ink", "soft", 4.5), ("quiet", "paper", 4.5),
        ("quiet", "soft", 4.5), ("alarm", "alarm-paper", 4.5), ("bar", "soft", 3),
        ("best", "soft", 3), ("focus", "paper", 3),
    ],
)  # fmt: skip
def test_colours_contrast_in_light_and_dark(text: str, ground: str, ratio: float) -> None:
    for scheme in colours((PAGE / "page.css").read_text()):
        low, high = sorted([luminance(scheme[text]), luminance(scheme[ground])])
        assert (high + 0.05) / (low + 0.05) >= ratio


@pytest.mark.slow
def test_the_default_network_fits_and_loses_hardly_anything(
    mnist_root: Path, mnist_run: Path, lightning_mnist_command: Command, tmp_path: Path
) -> None:
    flags = ("--data.source", "mnist", "--data.root", mnist_root)
    page = tmp_path / "page.html"
    words = ("export", "--ckpt_path", mnist_run / "checkpoints" / "best.ckpt", "--to", "page")
    done = lightning_mnist_command(*words, "--output", page, *flags)
    assert done.returncode == 0, done.stderr
    assert page.stat().st_size <= LARGEST
    card = Path(f"{page}.md").read_text()
    found = re.search(r"([\d.]+)% of the 10,000 test.* checkpoint reads ([\d.]+)%", card)
    assert found is not None
    accuracy = RunRecord.load(mnist_run / RECORD_FILE).metrics["accuracy"]
    assert found[2] == f"{100 * accuracy:.2f}"
    assert float(found[1]) >= float(found[2]) - 0.05
