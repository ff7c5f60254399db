"""Files of anyone's: what can be compared is read, and the rest is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.judge.case_files import load_case
from parity.judge.loading import load_run, load_side
from parity.run_record import RunRecordError

LABELS = np.array([0, 1, 2, 1])
PROBABILITIES = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4], [0.6, 0.2, 0.2]])


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_logits_probabilities_and_predictions_say_the_same(tmp_path: Path) -> None:
    logits = load_run(save(tmp_path / "a.npz", labels=LABELS, logits=np.log(PROBABILITIES)))
    probabilities = load_run(save(tmp_path / "b.npz", labels=LABELS, probabilities=PROBABILITIES))
    predictions = load_run(save(tmp_path / "c.npz", predictions=np.array([0, 1, 2, 0], np.int32)))
    for run in (logits, probabilities, predictions):
        assert run.predicted.tolist() == [0, 1, 2, 0]
        assert run.sample_ids.tolist() == [0, 1, 2, 3]
    assert logits.probabilities is not None
    np.testing.assert_allclose(logits.probabilities, PROBABILITIES)
    assert predictions.labels is None


def test_csv_files(tmp_path: Path) -> None:
    by_class, by_share = tmp_path / "a.csv", tmp_path / "b.csv"
    by_class.write_text("label,prediction\n0,0\n1,1\n2,2\n1,0\n")
    rows = "\n".join(",".join(map(str, row)) for row in PROBABILITIES)
    by_share.write_text(f"p0,p1,p2\n{rows}\n")
    assert load_run(by_class).labels is not None
    assert load_run(by_share).labels is None
    for path in (by_class, by_share):
        assert load_run(path).predicted.tolist() == [0, 1, 2, 0]


def test_a_folder_of_seeds_in_their_order(tmp_path: Path) -> None:
    for seed in (0, 2, 10):
        (tmp_path / f"seed{seed}").mkdir()
        save(tmp_path / f"seed{seed}" / "predictions.npz", predictions=LABELS)
    assert [run.name for run in load_side(tmp_path).runs] == ["seed0", "seed2", "seed10"]
    assert len(load_side(tmp_path / "seed2").runs) == 1


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"labels": LABELS}, "no outputs; expected one of logits, probabilities, predictions"),
        ({"predictions": LABELS, "logits": PROBABILITIES}, "logits and predictions; expected one"),
        ({"predictions": LABELS, "answer": LABELS}, "unknown arrays answer"),
        ({"predictions": LABELS[:0]}, "predictions of shape"),
        ({"predictions": np.ones((4, 3), int)}, r"predictions of shape \(4, 3\); expected \[4\]"),
        ({"logits": PROBABILITIES[None]}, r"logits of shape \(1, 4, 3\)"),
        ({"logits": PROBABILITIES[:, :1]}, "2 classes"),
        ({"predictions": -LABELS}, "predictions down to -2"),
        ({"predictions": LABELS * 1.5}, "predictions that are not whole, such as 1.5"),
        ({"predictions": LABELS, "labels": -LABELS}, "labels down to -2"),
        ({"predictions": LABELS, "labels": LABELS[:3]}, r"labels of shape \(3,\); expected \[4\]"),
        ({"predictions": LABELS, "sample_ids": LABELS}, "sample_ids occur more than once"),
        (
            {"logits": PROBABILITIES, "labels": (LABELS + 1) % 3 + 1},
            "labels up to 3; expected 0 to",
        ),
        ({"logits": np.eye(4, 3, dtype=int)}, "logits of type int64; expected floating point"),
        ({"probabilities": 2 * PROBABILITIES}, "do not add up to 1"),
        ({"predictions": np.array([{}] * 4, dtype=object)}, "without pickles"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_npz_that_breaks_the_contract_is_refused(
    arrays: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(RunRecordError, match=rf"bad\.npz: .*{said}"):
        load_run(save(tmp_path / "bad.npz", **arrays))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty; save what the model answers"),
        (
            "label,prediction,svm_pred\n0,0,1\n",
            "unknown columns svm_pred beside label, prediction",
        ),
        ("label,p0,p2\n0,1,0\n", "columns label, p0, p2"),
        ("label\n0\n", "no outputs; expected one of logits, probabilities, predictions"),
        ("label,prediction\n0,cat\n", "predictions that are no numbers"),
        ("label,prediction\n0,0\n0,cat\n", "cannot be read as CSV of numbers"),
        ("label,prediction\n0\n", "rows of 1 values; expected 2"),
        ("label,prediction\n0,0.5\n", "not whole"),
        ("label,prediction\n0,0\n0,nan\n", "1 of 2 predictions are missing, the first in row 2"),
        ("label,prediction\n-1,0\n", "labels down to -1"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_csv_of_another_kind_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(RunRecordError, match=rf"bad\.csv: .*{said}"):
        load_run(path)


def test_nothing_to_compare_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"")
    (tmp_path / "broken.csv").write_bytes(b"\xff\xfe\x00")
    for path, said in (
        (tmp_path / "gone", "nothing to compare"),
        (tmp_path, "nothing to compare"),
        (tmp_path / "broken.npz", "cannot be read"),
        (tmp_path / "broken.csv", "cannot be read"),
    ):
        with pytest.raises(RunRecordError, match=said):
            load_side(path)


def test_a_damaged_record_beside_good_predictions_is_named(tmp_path: Path) -> None:
    save(tmp_path / "predictions.npz", predictions=LABELS)
    (tmp_path / "record.json").write_text(json.dumps({"schema_version": 9}))
    with pytest.raises(RunRecordError, match=r"record\.json: expected a run record"):
        load_side(tmp_path)


def test_files_that_are_called_alike_are_seeds(tmp_path: Path) -> None:
    for seed in (10, 2):
        (tmp_path / f"seed{seed}.csv").write_text("label,prediction\n0,0\n1,1\n")
    assert [run.name for run in load_side(tmp_path).runs] == ["seed2.csv", "seed10.csv"]
    (tmp_path / "labels.csv").write_text("label\n0\n1\n")
    with pytest.raises(RunRecordError, match="nothing to compare"):
        load_side(tmp_path)


def test_arrays_in_a_folder_are_those_of_one_run(tmp_path: Path) -> None:
    for name, array in {"y_true": LABELS, "y_pred": PROBABILITIES}.items():
        np.save(tmp_path / f"{name}.npy", array)
    (run,) = load_side(tmp_path).runs
    assert run.labels is not None
    assert (run.labels.tolist(), run.predicted.tolist()) == ([0, 1, 2, 1], [0, 1, 2, 0])
    assert load_case(tmp_path, []).accuracy == 0.75


def test_labels_may_have_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("answers of my network")
    np.savetxt(tmp_path / "test_logits.csv", PROBABILITIES, delimiter=",")
    for name, labels in {
        "labels.txt": "0\n1\n2\n1\n",
        "y_true.csv": "id,label\n0,0\n1,1\n2,2\n3,1\n",
    }.items():
        (tmp_path / name).write_text(labels)
        assert load_case(tmp_path, []).accuracy == 0.75
        (tmp_path / name).unlink()
