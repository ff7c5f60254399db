"""The page that a guard writes: what it has seen and said, whole, and never in a training's way."""

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from examples import all_ones
from parity.lightning import CollapseGuard as LightningGuard
from parity.torch import CollapseGuard
from parity.watch.alarm import CollapsedError
from parity.watch.guard import Guard
from parity.watch.story import FILE, Story
from tests.programs import data
from tests.programs.torch_programs import images, mlp, table
from tests.support.chromium import chromium, installed


def trained(folder: Path | None, x: Any, y: Any, model: nn.Module, **given: Any) -> str:
    """What is printed while a loop of 20 steps is watched."""
    loss, rate = given.pop("loss", F.cross_entropy), given.pop("rate", 0.01)
    optimizer = torch.optim.SGD(model.parameters(), rate)
    known: dict[str, Any] = {"reaction": "warn", "trials": False} | given
    if folder is not None:
        known["report"] = folder
    with redirect_stderr(io.StringIO()) as printed, CollapseGuard(model, optimizer, x, y, **known):
        for step in range(20):
            picked = torch.arange(16 * step, 16 * step + 16) % len(y)
            optimizer.zero_grad()
            loss(model(x[picked]), y[picked]).backward()
            optimizer.step()
    return printed.getvalue()


def digits() -> Any:
    return mlp(784, 16, 10, flat=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a training on bytes."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("story")
    trained(folder / "new" / "folder", *images(scale=1), digits())
    return folder / "new" / "folder" / FILE


def test_the_page_says_what_was_said_and_shows_what_was_seen(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "Before the first step" in text
    assert "<b>the features are bytes from 0 to 255, and are not scaled</b>" in text
    assert "Black is 0, white 255." in " ".join(text.split())
    assert text.count("data:image/png;base64,") >= 5
    assert "layer 2" in text
    assert [entry.name for entry in page.parent.iterdir()] == [FILE]


@pytest.mark.skipif(installed() is None, reason="needs Chromium")
def test_the_page_opens_without_complaints_and_asks_for_nothing(page: Path) -> None:
    with chromium() as browser:
        browser.open(page, width=400, ready="true")
        assert browser.run("document.querySelectorAll('nav a').length") == 5
        assert browser.run("[...document.images].every((image) => image.naturalWidth > 99)")
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        assert browser.complaints == []
        assert all(address.startswith(("file:", "data:")) for address in browser.requests)


def test_the_training_is_the_same_to_the_bit(tmp_path: Path) -> None:
    weights = []
    for folder in (None, tmp_path):
        torch.manual_seed(0)
        model = digits()
        trained(folder, *images(), model)
        weights.append(nn.utils.parameters_to_vector(model.parameters()).detach().clone())
    assert torch.equal(*weights)


def test_a_page_is_there_though_the_guard_has_stopped_the_training(tmp_path: Path) -> None:
    x, y = images()
    with pytest.raises(CollapsedError):
        trained(tmp_path, x * float("nan"), y, digits(), reaction="stop")
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    assert "The network has collapsed after 1 steps" in text


def test_numbers_are_shown_by_their_range(tmp_path: Path) -> None:
    x, _ = table(data.flowers)
    trained(tmp_path, x, x[:, :1], mlp(4, 8, 1), loss=F.mse_loss)
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    assert "Nothing of what the guard looks at." in text
    assert "Share of each class among the answers, or their range" in text
    assert "loss, nats" not in text


def test_a_page_that_cannot_be_written_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    printed = trained(tmp_path, *images(), digits())
    assert printed.count("warning: CollapseGuard cannot write its page") == 1
    (tmp_path / "a file").touch()
    with pytest.raises(FileExistsError, match="a file"):
        trained(tmp_path / "a file", *images(), digits())


def test_a_story_of_nothing_is_a_page_too(tmp_path: Path) -> None:
    guard = Guard(None, "warn")
    Story(tmp_path, guard, None).write()
    assert "What looks wrong" in (tmp_path / FILE).read_text(encoding="utf-8")


def test_a_look_that_is_not_finite_and_one_seen_twice(tmp_path: Path) -> None:
    guard = Guard(None, "warn")
    story = Story(tmp_path, guard, None)
    for step in (1, 2, 2):
        story.see(step, None, np.full((8, 1), np.nan), {"layer 1": 1.0}, {}, {})
    assert story.steps == [1, 2]
    story.write()


class Module(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = digits()

    def forward(self, x: Any) -> Any:
        return self.net(x)

    def training_step(self, batch: Any, index: int) -> Any:
        return F.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.01)


def test_keras_writes_it_too(tmp_path: Path) -> None:
    import keras

    from parity.keras import CollapseGuard as KerasGuard

    x, y = (values.numpy() for values in images(scale=1))
    model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(16, "relu")])
    model.add(keras.layers.Dense(10))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x = x.reshape(len(x), -1)[:200]
    guard = KerasGuard(x, y[:200], reaction="warn", trials=False, report=tmp_path)
    model.fit(x, y[:200], verbose=0, callbacks=[guard])
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    assert "are not scaled</b>" in text
    assert "Answers over time" in text


@pytest.mark.filterwarnings("ignore")
def test_lightning_writes_it_too(tmp_path: Path) -> None:
    guard = LightningGuard("warn", trials=False, report=tmp_path)
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, callbacks=[guard],
    )  # fmt: skip
    trainer.fit(Module(), DataLoader(TensorDataset(*images(scale=1)), 32))
    text = (tmp_path / FILE).read_text(encoding="utf-8")
    assert "are not scaled</b>" in text
    assert "layer 2" in text


def test_the_example_is_stopped_told_why_and_drawn(tmp_path: Path) -> None:
    """255 - x into SGD, as docs/your-program.md shows it."""
    with pytest.raises(CollapsedError) as stopped, redirect_stderr(io.StringIO()) as printed:
        all_ones.main(str(tmp_path))
    for text in (str(stopped.value), printed.getvalue()):
        assert "1. the features are bytes from 0 to 255, and are not scaled" in text
        assert "tried: with x / 255 the same network reads" in text
    assert "the features are bytes" in (tmp_path / FILE).read_text(encoding="utf-8")
