"""Trials that several workers share: none repeated, none too many, none of the dead lost."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from lightning_mnist.errors import InputError
from lightning_mnist.search import asking, life
from lightning_mnist.search.asking import BEGUN, key, next_trial
from lightning_mnist.search.spec import Spec, read_spec
from lightning_mnist.search.storage import open_study

FINITE = "space: {model.activation: {choices: [relu, gelu, silu]}, d.size: {integers: [1, 4]}}"


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    """Twelve recipes, as many as are asked for."""
    return written(tmp_path, f"trials: 50\n{FINITE}\n")


def written(folder: Path, text: str) -> Spec:
    path = folder / "mine.yaml"
    path.write_text(text)
    return read_spec(path, [])


@pytest.fixture
def study(spec: Spec, tmp_path: Path) -> optuna.Study:
    return open_study(spec, str(tmp_path / "journal.log"))


def recipes(study: optuna.Study) -> list[str]:
    return [key(trial.user_attrs[life.CHOSEN]) for trial in study.get_trials(states=BEGUN)]


def test_a_finite_space_is_searched_to_its_end_and_no_further(
    study: optuna.Study, spec: Spec
) -> None:
    while begun := next_trial(study, spec):
        study.tell(begun[0], 0.5)
    assert len(recipes(study)) == len(set(recipes(study))) == 12


def test_a_sampler_that_repeats_itself_is_not_listened_to(
    study: optuna.Study, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stubborn(optuna.samplers.TPESampler):
        def sample_independent(self, *args: Any) -> Any:
            return {"model.activation": "gelu", "d.size": 3}[args[2]]

    monkeypatch.setattr(asking, "TPESampler", Stubborn)
    for _ in range(5):
        begun = next_trial(study, spec)
        assert begun is not None
        study.tell(begun[0], 0.5)
    assert len(set(recipes(study))) == 5


def test_recipes_that_differ_are_all_tried(tmp_path: Path) -> None:
    spec = written(tmp_path, f"trials: 6\n{FINITE.replace('[1, 4]', '[1, 100000]')}\n")
    study = open_study(spec, str(tmp_path / "journal.log"))
    while begun := next_trial(study, spec):
        study.tell(begun[0], 0.5)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 6


@pytest.mark.parametrize(
    "storage", ["journal.log", pytest.param("sqlite:///{}/search.db", marks=pytest.mark.slow)]
)
def test_workers_at_the_same_moment_share_the_work(
    storage: str, spec: Spec, tmp_path: Path
) -> None:
    where = storage.format(tmp_path) if "://" in storage else str(tmp_path / storage)
    open_study(spec, where)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            mine = open_study(spec, where)
            while True:
                if begun := next_trial(mine, spec):
                    mine.tell(begun[0], 0.5)
                elif not mine.get_trials(states=(TrialState.RUNNING,)):
                    return
        except BaseException as error:  # for the test to see
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    done = recipes(open_study(spec, where))
    assert len(done) == len(set(done)) == 12


def test_of_two_that_choose_the_same_one_steps_back(
    study: optuna.Study, spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other worker writes its choice between our asking and our looking."""
    other = open_study(spec, str(tmp_path / "journal.log"))
    draw = type(spec.space).draw
    raced: list[Any] = []

    def race(space: Any, pick: Any) -> Any:
        flags = draw(space, pick)
        if not raced:
            raced.append(flags)
            other.ask().set_user_attr(life.CHOSEN, flags)
        return flags

    monkeypatch.setattr(type(spec.space), "draw", race)
    begun = next_trial(study, spec)
    assert begun is not None
    assert begun[1] != raced[0]


def begin(study: optuna.Study, spec: Spec, **worker: Any) -> optuna.Trial:
    """A trial that is being trained by `worker`, by default by this process."""
    begun = next_trial(study, spec)
    assert begun is not None
    mine = {"host": life.HOST, "pid": os.getpid(), "seen": time.time()}
    begun[0].set_user_attr(life.WORKER, {**mine, **worker})
    return begun[0]


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize("how", ["killed here", "silent elsewhere"])
def test_the_trial_of_a_dead_worker_is_tried_again(
    how: str, study: optuna.Study, spec: Spec
) -> None:
    here, silent = {"pid": dead_process()}, {"host": "other", "seen": time.time() - 2 * life.DEAD}
    trial = begin(study, spec, **(here if how == "killed here" else silent))
    life.fail_dead(study)
    life.fail_dead(study)  # another worker, which finds it done
    assert study.trials[trial.number].state is TrialState.FAIL
    again = next_trial(study, spec)
    assert again is not None
    assert again[0].params == trial.params


def test_what_lives_is_left_alone(study: optuna.Study, spec: Spec) -> None:
    trials = [
        begin(study, spec),
        begin(study, spec, host="other", pid=dead_process()),
        study.ask(),  # this moment begun, and not signed yet
    ]
    life.fail_dead(study)
    assert all(study.trials[trial.number].state is TrialState.RUNNING for trial in trials)


def test_a_recipe_that_ends_its_workers_is_given_up(study: optuna.Study, spec: Spec) -> None:
    pid = dead_process()
    first = begin(study, spec, pid=pid)
    for _ in range(asking.MOST_DEATHS - 1):
        life.fail_dead(study)
        assert begin(study, spec, pid=pid).params == first.params
    life.fail_dead(study)
    while begun := next_trial(study, spec):
        assert begun[0].params != first.params
        study.tell(begun[0], 0.5)
    assert len(recipes(study)) == 11


def test_a_worker_that_is_asked_to_end_has_not_died(study: optuna.Study, spec: Spec) -> None:
    first = begin(study, spec)
    params = first.params
    for _ in range(2 * asking.MOST_DEATHS):
        first.set_user_attr(life.ASKED, True)
        study.tell(first, state=TrialState.FAIL)
        first = begin(study, spec)
        assert first.params == params


def test_signs_of_life_are_given(
    study: optuna.Study, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "INTERVAL", 0.01)
    trial = begin(study, spec, seen=0.0)
    with life.signs_of_life(trial):
        first = study.trials[trial.number].user_attrs[life.WORKER]["seen"]
        deadline = time.monotonic() + 120
        while study.trials[trial.number].user_attrs[life.WORKER]["seen"] == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_half_a_line_of_a_journal_is_taken_off(
    study: optuna.Study, spec: Spec, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.log"
    begin(study, spec)
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 8, "worker_id": "x", "tri')
    again = open_study(spec, str(journal))
    begin(again, spec)
    begin(again, spec)
    assert journal.read_bytes().startswith(whole + b"{")
    assert len(open_study(spec, str(journal)).trials) == 3


@pytest.mark.parametrize(
    "where", ["nosuch://x", "sqlite:////nosuch/folder/x.db", "sqlite://", "mysql+nosuch://x/y", "."]
)
def test_a_storage_that_cannot_be_opened_is_said(where: str, spec: Spec, tmp_path: Path) -> None:
    if where == "sqlite://":  # a journal whose folder is a file
        (tmp_path / "file").write_text("")
        where = str(tmp_path / "file" / "journal.log")
    with pytest.raises(InputError, match=r"--storage .*: cannot be opened \(.*expected the path"):
        open_study(spec, where)


def test_a_file_that_is_no_journal_is_said(spec: Spec, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\nworld\n")
    with pytest.raises(InputError, match="cannot be opened"):
        open_study(spec, str(tmp_path / "notes.txt"))


def test_other_machines_may_have_the_data_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{FINITE}\n")
    others = (["--data.root", "/a"], ["--data.root=/b", "--threads", "2"], ["--model.init=torch"])
    here, there, other = (
        read_spec(path, ["--model.dropout", "0.1", *flags]).identity() for flags in others
    )
    assert here == there != other


def test_a_search_file_may_be_mended_before_anything_is_trained(
    study: optuna.Study, spec: Spec, tmp_path: Path
) -> None:
    study.tell(begin(study, spec), state=TrialState.FAIL)
    mended = written(tmp_path, f"{FINITE.replace('gelu', 'elu')}\n")
    again = open_study(mended, str(tmp_path / "journal.log"))
    assert again.trials == []
    assert begin(again, mended).number == 0


def test_a_storage_with_another_search_is_refused_and_more_trials_are_not(
    study: optuna.Study, spec: Spec, tmp_path: Path
) -> None:
    where = str(tmp_path / "journal.log")
    begin(study, spec)
    open_study(written(tmp_path, f"trials: 70\nseed: 3\npruner: null\n{FINITE}\n"), where)
    other = written(tmp_path, f"epochs: 3\n{FINITE.replace('gelu', 'elu')}\n")
    with pytest.raises(InputError, match="holds another search named mine, with another"):
        open_study(other, where)


def test_a_journal_is_free_as_soon_as_its_writer_is_dead(
    study: optuna.Study, tmp_path: Path
) -> None:
    """And not before: Optuna's own lock would be there for half a minute more."""
    holding = """if True:
        import sys
        from pathlib import Path
        from lightning_mnist.search.storage import _Lock
        _Lock(Path(sys.argv[1])).acquire()
        print("held", flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", holding, str(tmp_path / "journal.log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"held\n"
        thread = threading.Thread(target=study.ask)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        writer.kill()
    thread.join(20)  # it takes milliseconds, and half a minute with such a lock
    assert not thread.is_alive()
    assert len(study.trials) == 1
