"""What a search leaves, from trials that nobody had to train."""

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.trial import TrialState

from lightning_mnist.search import asking, life
from lightning_mnist.search.asking import next_trial
from lightning_mnist.search.pictures import _short
from lightning_mnist.search.report import report
from lightning_mnist.search.results import importances, ranked, trials_of
from lightning_mnist.search.spec import Spec, read_spec
from lightning_mnist.search.storage import open_study

SEARCH = """
trials: 24
space:
  model.dropout: {range: [0, 0.5]}
  data.batch_size: {integers: [16, 64]}
  optimizer:
    choices:
      torch.optim.SGD: {optimizer.lr: {log: [0.001, 1]}, optimizer.momentum: {choices: [0, 0.9]}}
      torch.optim.Adam: {optimizer.lr: {log: [0.0001, 0.1]}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    path = tmp_path / "mine.yaml"
    path.write_text(SEARCH)
    return read_spec(path, [])


@pytest.fixture
def study(spec: Spec, tmp_path: Path) -> optuna.Study:
    """Accuracy falls with dropout and with nothing else; one diverged, one killed its workers."""
    study = open_study(spec, str(tmp_path / "journal.log"))
    study.set_user_attr("data", {"name": "tiny", "val": 100, "sha256": "x"})
    deaths = 0
    while begun := next_trial(study, spec):
        trial, flags = begun
        trial.set_user_attr(life.WORKER, {"host": life.HOST, "pid": 0, "seen": 0.0})
        if trial.number == 2:
            end(trial, "training has diverged", [])
            study.tell(trial, state=TrialState.PRUNED)
        elif trial.number > 3 and deaths < asking.MOST_DEATHS:
            deaths += 1
            study.tell(trial, state=TrialState.FAIL)
        else:
            accuracy = 0.99 - 0.1 * float(flags["model.dropout"])
            pruned = accuracy < 0.95
            trial.report(accuracy, 1)
            row = {"epoch": 1, "val_accuracy": accuracy}
            end(trial, "pruned" if pruned else "finished", [row], recipe="model: {hidden: [3]}\n")
            if pruned:
                study.tell(trial, state=TrialState.PRUNED)
            else:
                study.tell(trial, accuracy)
    return study


def end(trial: optuna.Trial, ended: str, history: list[Any], **others: Any) -> None:
    kept = {"ended": ended, "history": history, "seconds": 2.0, "parameters": 7, **others}
    for name, value in kept.items():
        trial.set_user_attr(name, value)
    if history:
        trial.set_user_attr("train_accuracy", 0.99)


@pytest.mark.pictures
def test_the_files_tell_of_every_trial(
    study: optuna.Study, spec: Spec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(study, spec, tmp_path)
    found = json.loads((tmp_path / "study.json").read_text())
    assert len(found["trials"]) == 24
    ended = [trial["ended"] for trial in found["trials"]]
    assert ended.count("training has diverged") == 1
    assert ended.count("its worker was killed, time after time") == 1
    assert "finished" in ended
    assert "pruned" in ended
    finished = [trial for trial in found["trials"] if trial["ended"] == "finished"]
    best = max(finished, key=lambda trial: trial["value"])
    assert found["best"] == best["number"]
    assert yaml.safe_load((tmp_path / "best.yaml").read_text()) == {"model": {"hidden": [3]}}
    assert f"# Trial {best['number']} of the search mine" in (tmp_path / "best.yaml").read_text()

    page = (tmp_path / "search.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "time after time" in page
    assert "http" not in page
    assert f"--model.dropout {best['flags']['model.dropout']}" in capsys.readouterr().out


def test_the_best_come_first_and_pruned_ones_are_no_candidates(study: optuna.Study) -> None:
    trials = trials_of(study)
    best = ranked(trials)
    values = [trial.value or 0.0 for trial in best]
    assert values == sorted(values, reverse=True)
    assert len(best) == sum(trial.ended == "finished" for trial in trials)


def test_what_decides_is_most_important(study: optuna.Study) -> None:
    shares = importances(study)
    assert next(iter(shares)) == "model.dropout"
    assert sum(shares.values()) == pytest.approx(1)


def test_classes_are_called_by_their_name_and_numbers_stay_whole() -> None:
    assert [_short(c) for c in ("torch.optim.SGD", "0.9", "relu", "[1, 2]")] == [
        "SGD", "0.9", "relu", "[1, 2]",
    ]  # fmt: skip
