"""Known mistakes, made on purpose: the catalogue, the tally, the page, and real runs of some."""

import dataclasses
import importlib
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lightning_mnist.data import sources
from parity.faults import catalogue as faults
from parity.faults import runner as fault_runner
from parity.faults.catalogue import CATALOGUE, Fault, Outcome
from parity.judge.verdict import Verdict
from parity.report.matrix import show_matrix, status, tally, write_matrix
from parity.run_record import Predictions, RunRecord, RunRecordError
from parity.sides import jobs
from parity.sides.jobs import SIDES
from parity.sides.recipe import Recipe
from parity.watch.collapse import COLLAPSED
from parity.watch.diagnosis import Finding
from parity.watch.fingerprint import Fingerprint
from parity.watch.symptoms import Symptoms
from tests.conftest import ROOT, Here, mostly_slow, write_npz

LABELS = np.arange(1000) % 10
EVIL = "<script>alert(1)</script>"


def module(side: str, name: str = "instruments.faults") -> ModuleType:
    """A module of a side, imported when it is needed: TensorFlow takes its time."""
    if side == "keras":
        pytest.importorskip("keras", reason="the extra keras is not installed")
    return importlib.import_module(f"{SIDES[side]}.{name}")


@pytest.mark.parametrize("side", SIDES)
def test_a_side_makes_every_mistake_of_the_catalogue_and_no_other(side: str) -> None:
    assert {*module(side).FAULTS, "none"} == {fault.made for fault in CATALOGUE} | {"none"}


def test_the_catalogue_says_what_each_mistake_must_lead_to() -> None:
    assert len({fault.name for fault in CATALOGUE}) == len(CATALOGUE)
    assert all(len(fault.cause) >= 5 for fault in CATALOGUE)
    assert {fault.at_test for fault in CATALOGUE} == {True, False}
    assert sum(fault.harmless for fault in CATALOGUE) < len(CATALOGUE) / 4
    for fault in CATALOGUE:
        assert fault.made != "none" or fault.learning_rate is not None
        assert not (fault.at_test and fault.learning_rate is not None)


@pytest.mark.parametrize("digits", [True, False], ids=["digits", "mnist"])
def test_every_mistake_has_a_healthy_training_to_be_made_in(digits: bool) -> None:
    known = faults.recipes(digits)
    assert {fault.recipe for fault in CATALOGUE} == set(known)
    assert known["adam"].dropout > 0  # or it could not be left on
    assert {recipe.optimizer for recipe in known.values()} == {"adam", "sgd", "rmsprop"}
    assert len({recipe.epochs for recipe in known.values()}) == 1


PATCHED = {
    "lightning": {
        "preprocessing": ["Preprocessing"],
        "data.datamodule": ["DigitsDataModule"],
        "network": ["", "MLP"],
        "module": ["DigitClassifier"],
        "steps.execution": ["Execution"],
        "command_line.cli": [""],
    },
    "keras": {"train": [""]},
}
"""Where the mistakes are made: in modules, "", and in their classes."""


def state(side: str) -> list[dict[str, Any]]:
    """Everything that a mistake may replace."""
    places: list[Any] = []
    for name, owners in PATCHED[side].items():
        code = module(side, name)
        places += [getattr(code, owner) if owner else code for owner in owners]
    if side == "keras":
        keras = importlib.import_module("keras")
        places += [keras.Model, keras.optimizers.Optimizer, keras.layers.Dropout]
    return [dict(vars(place)) for place in places]


@pytest.mark.parametrize("made", sorted({fault.made for fault in CATALOGUE} - {"none"}))
@pytest.mark.parametrize("side", SIDES)
def test_a_mistake_is_made_and_undone(side: str, made: str) -> None:
    before = state(side)
    with module(side).FAULTS[made]():
        assert state(side) != before
    assert state(side) == before
    with pytest.raises(KeyError, match="stop"), module(side).FAULTS[made]():
        raise KeyError("stop")
    assert state(side) == before


@pytest.mark.parametrize("side", SIDES)
def test_without_a_mistake_nothing_is_patched(side: str) -> None:
    before = state(side)
    with module(side).FAULTS["none"]():
        assert state(side) == before


@pytest.mark.parametrize("side", SIDES)
def test_a_mistake_that_is_not_known_is_no_healthy_training(
    side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["faults", "raw pixel", "fit"])
    with pytest.raises(KeyError, match="raw pixel"):
        module(side).main()


INVERTED = Fault("inverted", "1 - x", "were inverted", at_test=True)
MAYBE = dataclasses.replace(INVERTED, name="maybe", harmless=True)
RIGHT = Finding("the pixels were inverted: ink and paper", "0.8 where 0.2", "Do not")
WRONG = Finding("the learning rate is zero", "0 is none", "Set it")
WARNED: dict[str, Any] = {
    "guard": "epoch 1, step 1: all dead",
    "symptoms": Symptoms(causes=[RIGHT.cause]),
}


def came(
    fault: Fault = INVERTED,
    *findings: Finding,
    verdict: Verdict = Verdict.COLLAPSED,
    guard: str = "",
    **changes: Any,
) -> Outcome:
    values: dict[str, Any] = {
        "accuracy": 0.11,
        "healthy": 0.97,
        "shares": np.eye(10)[1],
        "reason": "100.00% of the predictions are class 1",
        "symptoms": Symptoms(seen=Fingerprint.of(np.eye(28)[None])),
    }
    return Outcome(
        fault, guard=guard, verdict=verdict, findings=list(findings), **(values | changes)
    )


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (came(INVERTED, RIGHT), "detected"),
        (came(INVERTED, RIGHT, WRONG, verdict=Verdict.DIFFERENT), "detected"),
        (came(INVERTED, RIGHT, verdict=Verdict.EQUIVALENT, **WARNED), "detected"),
        (came(INVERTED, RIGHT, guard="epoch 1", symptoms=Symptoms()), "misnamed"),
        (came(INVERTED, RIGHT, guard="epoch 1", symptoms=Symptoms(causes=["-"])), "misnamed"),
        (came(INVERTED, WRONG, RIGHT), "misnamed"),
        (came(INVERTED), "misnamed"),
        (came(INVERTED, RIGHT, verdict=Verdict.EQUIVALENT), "missed"),
        (came(INVERTED, RIGHT, verdict=Verdict.INCONCLUSIVE), "missed"),
        (came(MAYBE, RIGHT, verdict=Verdict.EQUIVALENT), "harmless"),
        (came(MAYBE, verdict=Verdict.INCONCLUSIVE), "harmless"),
        (came(MAYBE, RIGHT), "detected"),
        (came(MAYBE, WRONG), "misnamed"),
    ],
    ids=[
        "collapsed", "different", "the guard alone", "the guard knew no cause",
        "the guard knew another cause", "right cause second", "no cause",
        "equivalent", "inconclusive", "harmless", "harmless, nothing said",
        "might have been harmless", "might have been harmless, misnamed",
    ],
)  # fmt: skip
def test_an_outcome_is_called_what_it_is(result: Outcome, expected: str) -> None:
    assert status(result) == expected


def test_one_missed_mistake_fails_the_side() -> None:
    good = [came(dataclasses.replace(INVERTED, name=str(n)), RIGHT) for n in range(99)]
    assert tally(good).passed
    counted = tally([*good, came(INVERTED, RIGHT, verdict=Verdict.INCONCLUSIVE)])
    assert (counted.faults, counted.detected, counted.named, counted.harmless) == (100, 99, 99, 0)
    assert not counted.passed
    assert str(counted) == "99 of 100 mistakes detected, 99 rightly named; 0 harmless"


@pytest.mark.parametrize(("misnamed", "passed"), [(0, True), (2, True), (3, False), (20, False)])
def test_nine_in_ten_must_be_rightly_named(misnamed: int, passed: bool) -> None:
    results = [
        came(dataclasses.replace(INVERTED, name=str(n)), WRONG if n < misnamed else RIGHT)
        for n in range(20)
    ]
    counted = tally(results)
    assert (counted.faults, counted.detected, counted.named) == (20, 20, 20 - misnamed)
    assert counted.passed is passed


def test_what_is_harmless_and_unseen_is_not_counted() -> None:
    unseen = came(MAYBE, WRONG, verdict=Verdict.EQUIVALENT)
    counted = tally([came(INVERTED, RIGHT), unseen])
    assert (counted.faults, counted.detected, counted.named, counted.harmless) == (1, 1, 1, 1)
    assert counted.passed
    assert not tally([came(MAYBE, WRONG)]).passed


def test_mistakes_that_look_alike_are_counted_each() -> None:
    """Outcomes hold arrays, which do not compare as one."""
    twice = [came(MAYBE, RIGHT, verdict=Verdict.EQUIVALENT) for _ in range(2)]
    assert tally([*twice, came(MAYBE, RIGHT)]).harmless == 2


def saved(folder: Path, logits: np.ndarray, known: Symptoms) -> Path:
    folder.mkdir()
    Predictions(LABELS, logits.astype("f4"), np.arange(1000)).save(folder)
    known.save(folder)
    return folder


def test_an_outcome_is_read_off_two_run_directories(tmp_path: Path) -> None:
    good = 8.0 * np.eye(10)[np.where(np.arange(1000) < 100, 9 - LABELS, LABELS)]
    healthy = saved(tmp_path / "healthy", good, Symptoms())
    ill = Symptoms(learning_rate=0, step=64, collapsed_at=(0, 64), signs=["all dead", "all 1"])
    ill.causes = ["the learning rate is zero", "dead"]
    run_dir = saved(tmp_path / "run", np.tile(np.eye(10)[1], (1000, 1)), ill)
    result = faults.outcome(Fault("no rate", "none", "rate is zero"), run_dir, healthy)
    assert (result.accuracy, result.healthy) == (0.1, 0.9)
    assert result.shares.tolist() == np.eye(10)[1].tolist()
    assert result.guard == "epoch 1, step 64: all dead"
    assert result.verdict is Verdict.COLLAPSED
    assert result.reason.startswith("the probabilities hardly depend on the image")
    assert result.findings[0].cause == "the learning rate is zero"
    assert result.symptoms == ill
    assert result.detected
    assert result.named
    quiet = faults.outcome(Fault("none", "none", "nothing"), healthy, healthy)
    assert not quiet.named
    assert quiet.guard == ""


def test_a_run_without_symptoms_is_no_outcome(tmp_path: Path) -> None:
    run_dir = saved(tmp_path / "run", 8.0 * np.eye(10)[LABELS], Symptoms())
    (run_dir / "symptoms.json").unlink()
    with pytest.raises(RunRecordError, match=r"symptoms\.json"):
        faults.outcome(INVERTED, run_dir, run_dir)


OUTCOMES = {
    "lightning": [
        came(INVERTED, RIGHT, WRONG),
        came(MAYBE, verdict=Verdict.EQUIVALENT, symptoms=Symptoms()),
        came(
            dataclasses.replace(INVERTED, name=f"{EVIL} & [b]", at_test=False),
            dataclasses.replace(WRONG, cause=EVIL, figures=EVIL, advice=EVIL),
            guard="epoch 1, step 1,024: dead",
            reason=EVIL,
            symptoms=Symptoms(
                collapsed_at=(0, 1024), seen=Fingerprint.of(np.eye(28)[None] * -300 + 20)
            ),
        ),
    ],
}
OUTCOMES["keras"] = [dataclasses.replace(result, accuracy=0.5) for result in OUTCOMES["lightning"]]


@pytest.fixture
def page(tmp_path: Path) -> str:
    path = tmp_path / "new" / "faults.html"
    write_matrix(OUTCOMES, f"data {EVIL}", f"python -m parity faults {EVIL}", path)
    assert [file.name for file in path.parent.iterdir()] == ["faults.html"]
    return path.read_text(encoding="utf-8")


def test_the_page_has_every_mistake_for_every_side(page: str) -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    evil = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; [b]"
    assert headings == ["inverted", "maybe", evil, "What was run"]
    found = re.findall(r'<h3>(\w+) <span class="state \w+">(\w+)</span>', page)
    expected = ["detected", "harmless", "misnamed"]
    assert found == [(side, state) for state in expected for side in ("lightning", "keras")]
    assert page.count("2 of 2 mistakes detected, 1 rightly named; 1 harmless") == 2
    assert page.count("accuracy 11.00% (healthy 97.00%)") == 3
    assert page.count("accuracy 50.00% (healthy 97.00%)") == 3
    assert page.count("guard: epoch 1, step 1,024") == 2
    assert page.count("No cause named.") == 2
    assert page.count("100.00% of the predictions are class 1") == 4
    assert page.count("<b>the pixels were inverted: ink and paper</b>: 0.8 where 0.2.") == 2


def test_the_pictures_of_the_page_hold_the_figures(page: str) -> None:
    bars = re.findall(r'<rect x="\d+" y="([\d.]+)" width="12" height="([\d.]+)"', page)
    assert len(bars) == 6 * 10
    assert bars[:3] == [("58.0", "0.0"), ("2.0", "56.0"), ("58.0", "0.0")]
    squares = re.findall(r'width="8" height="8" fill="rgb\((-?\d+),(-?\d+),(-?\d+)\)"', page)
    assert len(squares) == 4 * 49  # one mistake left no image
    assert {int(level) for square in squares for level in square} <= set(range(256))
    assert squares[0] == ("63", "63", "63")  # a quarter of the pixels is at 1
    assert squares[1] == ("0", "0", "0")
    assert squares[98] == ("0", "0", "0")  # below 0 and above 1 the scale is the images' own
    assert squares[99] == ("255", "255", "255")
    assert all(f'aria-label="{label}' in page for label in ("Shares of the classes: 0 ", "Mean of"))


def test_the_page_escapes_and_asks_for_nothing(page: str) -> None:
    assert page.count("<script") == 1, "the page's own"
    assert page.count("&lt;script&gt;") == 2 + 4 * 2 + 1  # data, command; four texts a side; name
    assert not re.search(r"(src|href)\s*=|url\(|@import|http://|https://|<link|<img", page)
    assert 'name="viewport"' in page
    assert "color-scheme: light dark" in page


def test_a_page_of_one_side_and_of_other_classes(tmp_path: Path) -> None:
    results = [came(INVERTED, RIGHT, shares=np.full(26, 1 / 26))]
    write_matrix({"keras": results}, "letters", "run", tmp_path / "faults.html")
    assert (tmp_path / "faults.html").read_text().count('width="12"') == 26


def test_the_matrix_has_a_row_for_every_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    show_matrix(OUTCOMES, "digits", Console(width=250, force_terminal=False))
    text = capsys.readouterr().out
    assert "lightning, digits: 2 of 2 mistakes detected, 1 rightly named; 1 harmless" in text
    assert "keras, digits: 2 of 2" in text
    lines = text.splitlines()
    names = ["inverted", "maybe", f"{EVIL} & [b]"]
    rows = [line for name in names for line in lines if line.strip().startswith(f"{name} ")]
    assert len(rows) == 2 * len(names)
    assert rows[0].split() == ["inverted", "11.00%", "1:", "100%", "-", "COLLAPSED", "detected"]
    assert lines[lines.index(rows[0]) + 1].strip() == RIGHT.cause
    assert "1, 1,024" in rows[4]
    assert "without a mistake: adam 97.00%" in text


# From here on, real runs: a short training of a small network, with every mistake.
TRAINED = Fault("labels plus one", "labels plus one", "labels are shifted by 1")
BLANK = Fault("blank", "blank", "blank")
FED = Fault("fed 1 - x", "1 - x", "were inverted: ", at_test=True)
UNNOTICED = Fault("half contrast", "half contrast", "scaled by 0.5", at_test=True, harmless=True)
STILL = Fault("no rate", "none", "learning rate is zero", learning_rate=0.0)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have ``parity faults`` make these mistakes only, in a small network."""

    def patch(*catalogue: Fault) -> None:
        recipe = Recipe(hidden=(32,), epochs=2, batch_size=16)
        monkeypatch.setattr(fault_runner, "recipes", lambda digits: {"adam": recipe})
        made = partial(fault_runner.make_faults, catalogue=catalogue)
        monkeypatch.setattr("parity.commands.faults.make_faults", made)

    return patch


@pytest.mark.slow
def test_every_alarm_goes_off_on_both_sides(small: Any, parity_here: Here, tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="the extra keras is not installed")
    small(TRAINED, BLANK, FED, UNNOTICED)
    out = tmp_path / "out"
    done = parity_here("faults", "--data.source", "digits", "--out", out)
    assert done.code == 0, done.out + done.err
    for side in SIDES:
        assert f"{side}, digits: " in done.out
        names = {path.name for path in (out / "runs" / side).iterdir()}
        assert names == {"healthy-adam", "0", "1", "2", "3"}
        records = [RunRecord.load(p) for p in (out / "runs" / side).glob("*/record.json")]
        assert all(record.finished for record in records)
        assert len({record.data["sha256"] for record in records}) == 1
    page = (out / "faults.html").read_text()
    assert page.count('class="state detected"') >= 6
    assert 'class="state missed"' not in page
    assert 'class="state misnamed"' not in page
    assert "python -m parity faults --data.source" in page
    assert f"page: {out / 'faults.html'}" in done.out


@pytest.mark.slow
def test_an_alarm_that_fails_is_the_exit_code(
    small: Any, parity_here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    """A mistake that is named otherwise, and one that is none."""
    small(
        dataclasses.replace(STILL, cause="turned upside down"),
        Fault("nothing at all", "none", "nothing", learning_rate=0.001),
    )
    flags = ("faults", "--side", "lightning", "--data.source", tiny_npz, "--out", tmp_path / "out")
    done = parity_here(*flags)
    assert done.code == 1, done.err
    page = (tmp_path / "out" / "faults.html").read_text()
    assert page.count('class="state misnamed"') == page.count('class="state missed"') == 1
    assert "1 of 2 mistakes detected, 0 rightly named; 0 harmless" in done.out
    assert not (tmp_path / "out" / "runs" / "keras").exists()


def test_a_side_that_fails_is_reported(
    small: Any,
    parity_here: Here,
    tiny_npz: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small(STILL)
    monkeypatch.setattr(fault_runner, "SIDES", {"lightning": "no_such_package"})
    done = parity_here(
        "faults", "--side", "lightning", "--data.source", tiny_npz, "--out", tmp_path / "out"
    )
    assert done.code == 5
    assert "error: lightning did not finish healthy-adam, 0" in done.err
    assert not (tmp_path / "out" / "faults.html").exists()


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("--data.source", "gone.npz"), 5, "gone.npz: no such file"),
        (("--side", "torch"), 2, "torch"),
        (("--nope",), 2, "--nope"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_gets_one_sentence(
    flags: tuple[str, ...], code: int, said: str, parity_here: Here
) -> None:
    done = parity_here("faults", *flags)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err
    assert len([line for line in done.err.splitlines() if line.startswith("error: ")]) == 1


def test_runs_are_made_anew(
    small: Any, parity_here: Here, tiny_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier version of the code has left proves nothing of this one."""
    small(STILL)
    old = tmp_path / "out" / "runs" / "lightning" / "0"
    old.mkdir(parents=True)
    (old / "old.txt").touch()
    monkeypatch.setattr(jobs, "finish", lambda *_: pytest.fail("stop"))
    monkeypatch.setattr(jobs, "start", lambda *_: None)
    with pytest.raises(pytest.fail.Exception, match="stop"):
        parity_here("faults", "--data.source", tiny_npz, "--out", tmp_path / "out")
    assert not old.exists()


PLAIN_SGD = {
    "lightning": [
        "--optimizer", "SGD", "--optimizer.lr", "0.1", "--lr_scheduler", "null",
        "--model.batch_norm", "false", "--trainer.enable_progress_bar", "false",
    ],
    "keras": ["--optimizer.name", "SGD", "--optimizer.learning_rate", "0.1"],
}  # fmt: skip


@pytest.mark.parametrize("made", mostly_slow(["255 - x", "raw pixels", "x / 255 / 255"], "255 - x"))
@pytest.mark.parametrize("side", SIDES)
def test_nine_steps_that_end_with_one_class_end_with_code_3_and_one_true_cause(
    side: str,
    made: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One epoch of the embedded digits: too short for the looks after each epoch to be sure."""
    digits = sources.load("digits", tmp_path)
    data = write_npz(digits, tmp_path / "digits.npz")
    flags = ["fit", "--data.source", data, "--run_dir", tmp_path / "run", "--trainer.max_epochs", 1]
    monkeypatch.setattr(sys, "argv", ["faults", made, *map(str, flags), *PLAIN_SGD[side]])
    assert module(side).main() == COLLAPSED
    said = capsys.readouterr().err
    known = {"255 - x": "inverted and not scaled", "raw pixels": "not scaled"}
    assert f"1. in training, the pixels were {known.get(made, 'scaled twice')}" in said
    assert "  2. " not in said


@pytest.mark.slow
def test_every_alarm_goes_off_on_mnist(mnist_root: Path, tmp_path: Path) -> None:
    """On a third of its training images, in which each mistake shows as well."""
    pytest.importorskip("keras", reason="the extra keras is not installed")
    mnist = sources.load("mnist", mnist_root)
    train, test = slice(20_000), slice(2_000)
    part = dataclasses.replace(
        mnist,
        train_images=mnist.train_images[train], train_labels=mnist.train_labels[train],
        test_images=mnist.test_images[test], test_labels=mnist.test_labels[test],
    )  # fmt: skip
    data = write_npz(part, tmp_path / "part.npz")
    done = subprocess.run(
        [
            sys.executable, "-m", "parity", "faults", "--data.source", str(data),
            "--out", str(tmp_path),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "faults.html").read_text()
    assert page.count("<section>") == len(CATALOGUE) + 1
    assert 'class="state missed"' not in page
