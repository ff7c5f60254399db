"""Views of a test set: judged where that is asked for, shown where they are there."""

import dataclasses
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import parity
from parity import Verdict
from parity.judge.answers import Side
from parity.judge.comparable import CannotCompareError
from parity.judge.loading import load_run
from parity.judge.verdict import Judgement, worst
from parity.run_record import Predictions, RunRecordError, view_files
from tests.conftest import Here
from tests.support.parity_sides import Ints, healthy, side, swapped

LABELS, LIGHTNING, KERAS = healthy()
ONES = np.ones((5, 10_000), int)


def seen(name: str, clean: Ints, **views: Ints) -> Side:
    """A side that has answered the test set and views of it."""
    whole = side(name, clean)
    runs = [
        dataclasses.replace(run, views={v: side(name, views[v]).runs[n] for v in views})
        for n, run in enumerate(whole.runs)
    ]
    return Side(name, runs)


A = seen("A", LIGHTNING[:5], inverted=LIGHTNING[5:10], dim=LIGHTNING[10:15])


def test_a_view_that_is_not_asked_for_is_measured_and_decides_nothing() -> None:
    b = seen("B", KERAS[:5], inverted=ONES, rotated=KERAS[10:15])
    comparison = parity.compare(A, b)
    assert comparison.verdict is Verdict.EQUIVALENT
    clean, inverted = comparison.views  # only A has seen the others
    assert (clean.name, inverted.name, inverted.judgement) == ("clean", "inverted", None)
    assert clean.judgement == comparison.judgement
    assert len(inverted.evidence.b.collapse) == 5
    assert comparison.evidence is clean.evidence


def test_what_has_no_views_is_compared_as_ever() -> None:
    comparison = parity.compare(A, side("B", KERAS[:5]))
    assert comparison.verdict is Verdict.EQUIVALENT
    assert [view.name for view in comparison.views] == ["clean"]
    assert not any("clean" in reason for reason in comparison.judgement.reasons)


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        (KERAS[5:10], Verdict.EQUIVALENT),
        (swapped(KERAS[5:10], 4, 9), Verdict.DIFFERENT),
        (ONES, Verdict.COLLAPSED),
    ],
    ids=["alike", "swapped", "all 1s"],
)
def test_a_judged_view_decides_as_the_test_set_does(answers: Ints, verdict: Verdict) -> None:
    comparison = parity.compare(A, seen("B", KERAS[:5], inverted=answers), views=["inverted"])
    assert comparison.verdict is verdict
    views = {reason.split(": ")[0] for reason in comparison.judgement.reasons}
    both = verdict is Verdict.EQUIVALENT
    assert views == ({"clean", "inverted"} if both else {"inverted"})
    if not both:
        with pytest.raises(AssertionError, match=rf"{verdict.name}\n  1\. inverted: "):
            parity.assert_parity(A, seen("B", KERAS[:5], inverted=answers), views=["inverted"])


def test_the_worst_verdict_counts_with_its_reasons_and_the_most_seeds() -> None:
    order = [Verdict.COLLAPSED, Verdict.DIFFERENT, Verdict.INCONCLUSIVE, Verdict.EQUIVALENT]
    for worse, better in pairwise(order):
        said = worst({"clean": Judgement(better, ["b"]), "dim": Judgement(worse, ["w"])})
        assert (said.verdict, said.reasons) == (worse, ["dim: w"])
    open_ = Verdict.INCONCLUSIVE
    said = worst({"clean": Judgement(open_, ["x"], 7), "dim": Judgement(open_, ["y"], 9)})
    assert (said.reasons, said.seeds_needed) == (["clean: x", "dim: y"], 9)


def test_a_judged_view_that_a_run_has_not_seen_cannot_be_compared() -> None:
    with pytest.raises(CannotCompareError, match=r"seed0 has no .* view rotated; .*--views all"):
        parity.compare(A, seen("B", KERAS[:5], inverted=KERAS[5:10]), views=["rotated"])
    assert parity.compare(A, side("B", KERAS[:5]), views=["clean"]).verdict is Verdict.EQUIVALENT


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two folders of run directories; B has collapsed on the inverted images."""
    rng = np.random.default_rng(0)
    for name, clean, inverted in (("a", LIGHTNING, LIGHTNING[5:]), ("b", KERAS, ONES)):
        for seed in range(3):
            run_dir = tmp_path / name / f"seed{seed}"
            run_dir.mkdir(parents=True)
            for view, predicted in ((None, clean), ("inverted", inverted)):
                logits = (5 * np.eye(10)[predicted[seed]]).astype(np.float32)
                logits += rng.normal(0, 0.1, logits.shape).astype(np.float32)
                predictions = Predictions(LABELS, logits, np.arange(len(LABELS)))
                if view is None:
                    predictions.save(run_dir)
                else:
                    predictions.save_view(run_dir, view)
    return [tmp_path / "a", tmp_path / "b"]


def test_views_survive_a_round_trip(folders: list[Path]) -> None:
    run_dir = folders[0] / "seed0"
    (run_dir / "views" / ".17-dim.npz").write_bytes(b"half wri")  # a writer that was killed
    assert view_files(run_dir) == {"inverted": run_dir / "views" / "inverted.npz"}
    run = load_run(run_dir)
    np.testing.assert_array_equal(run.predicted, LIGHTNING[0])
    np.testing.assert_array_equal(run.views["inverted"].predicted, LIGHTNING[5])


def test_a_damaged_view_is_named(folders: list[Path]) -> None:
    (folders[0] / "seed0" / "views" / "inverted.npz").write_bytes(b"nothing")
    with pytest.raises(RunRecordError, match=r"seed0/views/inverted\.npz: cannot be read"):
        load_run(folders[0] / "seed0")


def test_every_report_shows_every_view(
    folders: list[Path], tmp_path: Path, parity_here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    out = tmp_path / "out"
    done = parity_here("compare", *folders, "--out", out)
    assert done.code in (0, 4), done.err  # only the test set itself is judged
    values = json.loads((out / "report.json").read_text())
    clean, inverted = values["views"]
    assert (clean["name"], clean["verdict"]) == ("clean", values["verdict"])
    assert (inverted["name"], inverted["verdict"]) == ("inverted", None)
    b = inverted["sides"][1]
    assert (b["top_class"], b["top_share"], b["collapsed_runs"], b["runs"]) == (1, 1, 3, 3)
    assert b["accuracy"] == pytest.approx((LABELS == 1).mean())
    markdown, page = (out / "report.md").read_text(), (out / "report.html").read_text()
    row = ["inverted", f"{np.mean(LIGHTNING[5:8] == LABELS):.2%}", "11.35%", "1: 100.0%"]
    for text in (markdown, page, done.out):
        lines = text.split("<tr>" if text is page else "\n")
        line = next(line for line in lines if "B 3 of 3" in line)
        assert [cell for cell in row if cell not in line] == []

    done = parity_here("compare", *folders, "--out", out, "--views", "inverted")
    assert done.code == 3
    assert "inverted: b, seed0: 100.00% of the predictions are class 1" in done.out
    assert "--views inverted" in (out / "report.json").read_text()


def test_a_report_without_views_has_no_table_of_them(tmp_path: Path, parity_here: Here) -> None:
    for name, runs in (("a", LIGHTNING), ("b", KERAS)):
        np.savez(tmp_path / f"{name}.npz", labels=LABELS, predictions=runs[0])
    done = parity_here("compare", "a.npz", "b.npz", "--out", "out")
    assert done.code in (0, 4), done.err
    for file in ("report.md", "report.html"):
        assert "A says" not in done.out + (tmp_path / "out" / file).read_text()
