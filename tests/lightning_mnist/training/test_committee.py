"""A committee: the mean of what runs have said, kept as a run."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from parity.run_record import Predictions, RunRecord
from tests.conftest import Here

LABELS = np.arange(10, dtype=np.int64).repeat(2)


def leave(run: Path, logits: NDArray[np.float32], data: str = "same", first: int = 0) -> None:
    """A run that has answered so to images that begin with the id `first`."""
    run.mkdir()
    Predictions(LABELS, logits, np.arange(first, first + len(LABELS))).save(run)
    record = RunRecord("keras", "fit", {}, {}, 3, {"name": "tiny", "sha256": data}, {})
    record.save(run)


@pytest.fixture
def logits() -> NDArray[np.float32]:
    """Of three members, each of which reads other images wrong: float32 [3, 20, 10]."""
    truth = np.eye(10, dtype=np.float32)[LABELS] * 4
    answers = np.stack([truth] * 3)
    for member in range(3):
        for image in (member, member + 10):
            answers[member, image] = np.roll(answers[member, image], 1) / 2
    return answers


@pytest.fixture
def members(logits: NDArray[np.float32], tmp_path: Path) -> list[str]:
    """Their runs."""
    names = [f"runs/member{number}" for number in range(3)]
    (tmp_path / "runs").mkdir()
    for name, answers in zip(names, logits, strict=True):
        leave(tmp_path / name, answers)
    return names


def test_a_committee_is_the_mean_of_its_members(
    here: Here, members: list[str], logits: NDArray[np.float32]
) -> None:
    done = here("committee", members[0], "member1", members[2], "--run_dir", "together")
    assert done.code == 0, done.err
    together = Predictions.load(Path("together/predictions.npz"))
    assert together.called == "probabilities"
    expected = softmax(logits.astype(np.float64), axis=2).mean(axis=0)
    np.testing.assert_allclose(together.logits, expected, rtol=1e-6)
    np.testing.assert_array_equal(together.labels, LABELS)
    record = RunRecord.load(Path("together/record.json"))
    assert (record.command, record.finished) == ("committee", True)
    assert record.recipe == {"members": members}
    assert record.metrics["accuracy"] == 1
    assert done.out.count("90.00%") == 3
    assert "committee of 3, test part of tiny: accuracy 100.00% (20 of 20)" in done.out
    assert Path("together/index.html").exists()


def test_committees_can_be_members_and_are_listed(here: Here, members: list[str]) -> None:
    assert here("committee", *members[:2], "--run_dir", "runs/pair").code == 0
    assert here("committee", "pair", "--run_dir", "alone").code == 0
    pair, alone = (np.load(f"{run}/predictions.npz") for run in ("runs/pair", "alone"))
    np.testing.assert_allclose(pair["probabilities"], alone["probabilities"], rtol=1e-6)
    assert "committee" in here("runs", "--only", "pair").out
    again = here("committee", *members, "--run_dir", "runs/pair")
    assert again.code == 1
    assert "holds another run" in again.err


def test_what_cannot_be_averaged_is_refused(
    here: Here, members: list[str], logits: NDArray[np.float32], tmp_path: Path
) -> None:
    leave(tmp_path / "data", logits[0], data="other")
    leave(tmp_path / "images", logits[0], first=5)
    leave(tmp_path / "untested", logits[0])
    (tmp_path / "untested" / "predictions.npz").unlink()
    for odd, said in (
        ("data", f"data: has read other images than {members[0]}"),
        ("images", f"images: has read other images than {members[0]}"),
        ("untested", "expected runs that have been tested"),
        ("nowhere", "nowhere: no run of that path"),
    ):
        done = here("committee", members[0], odd, "--run_dir", "together")
        assert done.code == 1
        assert said in done.err
    assert not Path("together").exists()
