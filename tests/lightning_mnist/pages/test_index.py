"""``index.html`` of a run directory: it shows the record and the pictures, and how to go on."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lightning_mnist.plots import draw_mistakes
from lightning_mnist.runs.index import INDEX_FILE, write_index
from parity.provenance import Provenance
from parity.run_record import RECORD_FILE, RunRecord
from tests.conftest import Here

SMALL = ("--model.hidden", "[8]", "--data.batch_size", 32, "--trainer.max_epochs", 1)


class Read(HTMLParser):
    """What a page loads, its text, and whether its tags are in order."""

    EMPTY = ("meta", "img")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]
        assert all(not name.startswith("on") for name, _ in attrs)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.pictures
def test_a_run_leaves_a_page_that_shows_it(here: Here, tiny_npz: Path) -> None:
    flags = ("fit", "--data.source", tiny_npz, *SMALL, "--views", "inverted", "--run_dir", "a run")
    assert here(*flags).code == 0
    page = Read(Path("a run", INDEX_FILE).read_text())
    record = RunRecord.load(Path("a run", RECORD_FILE))
    assert f"{record.metrics['accuracy']:.2%}" in page.text
    for recall in record.metrics["recall"]:
        assert f"{recall:.2%}" in page.text
    assert f"{record.metrics['views'][0]['accuracy']:.2%}" in page.text
    assert "8, Adam 0.002, batch 32" in page.text
    assert page.loaded == ["curves.png", "confusion.png", "mistakes.png", "views.png"]
    assert all(Path("a run", name).is_file() for name in page.loaded)
    assert "--ckpt_path 'a run/checkpoints/best.ckpt'" in page.text
    assert "script" not in page.open


def test_a_run_that_has_stopped_says_why_and_how_to_go_on(here: Here, tiny_npz: Path) -> None:
    flags = ("--optimizer", "SGD", "--optimizer.lr", "1e30", "--guard", "off", "--run_dir", "run")
    assert here("fit", "--data.source", tiny_npz, *SMALL, *flags).code == 1
    page = Read(Path("run", INDEX_FILE).read_text())
    assert "stopped: training has diverged in epoch 1" in page.text
    assert "python -m parity diagnose run" in page.text
    assert "fit --resume run" in page.text


def test_what_a_record_says_is_never_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    record = RunRecord(
        framework=evil, command="fit", versions={evil: evil}, recipe={"model": {"hidden": [evil]}},
        seed=0, data={"name": evil, "sha256": evil}, preprocessing={}, stopped=evil,
        metrics={"accuracy": 0.5}, provenance=Provenance.here(),
    )  # fmt: skip
    write_index(tmp_path, record)
    html = (tmp_path / INDEX_FILE).read_text()
    assert html.count("<script") == 1, "the page's own"
    assert Read(html).text.count(evil) >= 5


@pytest.mark.pictures
def test_where_all_was_read_the_sheet_of_mistakes_is_empty(tmp_path: Path) -> None:
    logits = np.eye(10, dtype=np.float32)
    images = np.zeros((10, 28, 28), np.uint8)
    draw_mistakes(images, np.arange(10), logits, tmp_path / "mistakes.png", title="all")
    assert (tmp_path / "mistakes.png").read_bytes().startswith(b"\x89PNG")
