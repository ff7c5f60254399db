"""The reports: complete, escaped, and a page that opens alone."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from parity.run_record import Predictions, RunRecord
from tests.conftest import Here, start
from tests.support.chromium import chromium, installed
from tests.support.parity_sides import healthy

LABELS, LIGHTNING, KERAS = healthy()
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders of run directories with records, histories and images at hand."""
    tmp_path = tmp_path_factory.mktemp("sides")
    rng = np.random.default_rng(0)
    data = tmp_path / "mini.npz"
    np.savez(data, x_test=rng.integers(0, 256, (1000, 28, 28), np.uint8))
    for name, predicted in (("lightning", LIGHTNING), (f"keras{EVIL.replace('/', '')}", KERAS)):
        for seed in range(3):
            run_dir = tmp_path / name / f"seed{seed}"
            run_dir.mkdir(parents=True)
            logits = (5 * np.eye(10)[predicted[seed, :1000]]).astype(np.float32)
            logits += rng.normal(0, 0.5, logits.shape).astype(np.float32)
            Predictions(LABELS[:1000], logits, np.arange(1000)).save(run_dir)
            RunRecord(
                framework=name,
                command="fit",
                versions={"python": EVIL},
                recipe={"data": {"source": str(data)}},
                seed=seed,
                data={"name": EVIL, "sha256": "00"},
                preprocessing={},
                history=[
                    {"epoch": e, "train_loss": 1 / e, "val_loss": 1.1 / e, "val_accuracy": 0.9}
                    for e in (1, 2, 3)
                ],
                finished=True,
            ).save(run_dir)
    first, second = sorted(p for p in tmp_path.iterdir() if p.is_dir())
    return first, second


@pytest.fixture(scope="module")
def report(sides: tuple[Path, Path]) -> Path:
    out = sides[0].parent / "out"
    flags = (*sides, "--out", out)
    assert start("parity", "compare", *flags, cwd=out.parent, drawn=True) in (0, 4)
    return out


def test_a_report_has_every_form(report: Path) -> None:
    names = {path.name for path in report.iterdir()}
    assert names == {"report.html", "report.json", "report.md", "junit.xml"}


def test_the_page_has_every_picture_and_asks_for_nothing(report: Path) -> None:
    page = (report / "report.html").read_text()
    images = re.findall(r'<img src="data:image/png;base64,[^"]{100,}" alt="[^"]{20,}">', page)
    assert len(images) == page.count("<img") == 6
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert not re.search(r"url\(|@import|http://|https://", page)
    assert "color-scheme: light dark" in page
    assert 'name="viewport"' in page


def test_everything_from_a_file_is_escaped(report: Path) -> None:
    page = (report / "report.html").read_text()
    assert page.count("<script") == 1, "the page's own"
    assert "&lt;script&gt;" in page
    outside_code = re.sub(r"`[^`]*`", "", (report / "report.md").read_text())
    assert "<script" not in outside_code
    suite = ElementTree.fromstring((report / "junit.xml").read_text())  # noqa: S314 - our own
    assert "<script>" in (suite[0].get("name") or "")


def test_the_json_is_complete_and_strict(report: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    values = json.loads((report / "report.json").read_text(), parse_constant=refuse)
    assert values["schema_version"] == 1
    assert values["verdict"] in ("EQUIVALENT", "INCONCLUSIVE")
    assert [len(side["runs"]) for side in values["sides"]] == [3, 3]
    assert len(values["differences"]["recall"]) == len(values["differences"]["share"]) == 10
    accuracy = values["differences"]["accuracy"]
    assert accuracy["low"] <= accuracy["difference"] <= accuracy["high"]
    assert values["command"].startswith("python -m parity compare ")


@pytest.mark.skipif(installed() is None, reason="needs Chromium")
def test_the_page_opens_in_a_browser_without_errors_or_requests(report: Path) -> None:
    page = report / "report.html"
    with chromium() as browser:
        browser.open(page, ready="true")
        assert "What was run" in browser.run("document.body.textContent")
        assert browser.complaints == []
        assert {url for url in browser.requests if not url.startswith("data:")} == {page.as_uri()}


@pytest.mark.parametrize(
    ("write", "code", "verdict"),
    [
        ("KERAS", 0, "EQUIVALENT"),
        ("ONES", 3, "COLLAPSED"),
        ("SWAPPED", 1, "DIFFERENT"),
        ("ORDER", 5, "the same, in another order; not shuffled alike"),
    ],
)
def test_the_exit_code_is_the_verdict(
    write: str, code: int, verdict: str, tmp_path: Path, parity_here: Here
) -> None:
    ids = np.arange(10_000)
    swap = np.arange(10)
    swap[[4, 9]] = 9, 4
    answers = {"KERAS": KERAS, "ONES": np.ones_like(KERAS), "SWAPPED": swap[KERAS], "ORDER": KERAS}
    for name, predicted in (("a", LIGHTNING), ("b", answers[write])):
        for seed in range(5):
            (tmp_path / name / f"seed{seed}").mkdir(parents=True)
            order = ids[::-1] if (name, write) == ("b", "ORDER") else ids
            np.savez(
                tmp_path / name / f"seed{seed}" / "predictions.npz",
                labels=LABELS, predictions=predicted[seed], sample_ids=order,
            )  # fmt: skip
    done = parity_here("compare", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out")
    assert done.code == code
    assert verdict in done.out + done.err
    if code != 5:
        suite = ElementTree.parse(tmp_path / "out" / "junit.xml").getroot()  # noqa: S314
        assert suite.get("failures") == str(int(code in (1, 3)))
        assert verdict in (tmp_path / "out" / "report.md").read_text()


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("compare", "gone", "gone"), 5, "gone: nothing to compare"),
        (("compare", "gone"), 2, "b"),
        (("compare", "a", "b", "--margins.accuracy_margin", "7"), 2, "accuracy_margin is 7"),
        (("compare", "a", "b", "--nope"), 2, "--nope"),
        (("run", "--optimizer", "nope"), 2, "nope"),
        (("run", "--seeds", "0"), 2, "seeds is 0"),
        (("run", "-c", "gone.yaml"), 2, "gone.yaml"),
        (("run", "--data.source", "gone.npz"), 5, "gone.npz: no such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_gets_one_sentence(
    flags: tuple[str, ...], code: int, said: str, parity_here: Here
) -> None:
    done = parity_here(*flags)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("error: ")]) == 1
