"""Names and cells that people and programs use: read where there is one reading, else refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.judge.loading import load_run
from parity.judge.names import role_of
from parity.run_record import RunRecordError
from parity.watch.diagnosis import Case, diagnose
from tests.parity.judge.test_foreign_files import (
    ANSWERS,
    LABELS,
    LOGITS,
    PAIRS,
    SHARES,
    C,
    N,
    cells,
    text,
)

NAMES = {
    "labels": "label Labels y y_true yTrue y_test test_labels true actual_class Actual Label real "
    "gold obs reference ground_truth groundTruth true_label label_true targets class_label",
    "predictions": "pred y_pred yhat y_hat Predicted predicted_class .pred_class predLabel "
    "all_preds model_prediction guess",
    "probabilities": "p probs y_prob pred_proba softmax class_prob P(y=",
    "logits": "logits model_logits log_prob log_probabilities log_softmax logp",
    "scores": "class digit score model_outputs y_score",
    "ids": "id sample_id ImageId rowIndex index level Unnamed: row_number",
    "besides": "confidence max_prob correct file image x_test y_train sample_weight fold epoch "
    "timestamp train_labels top model val_accuracy",
}


@pytest.mark.parametrize(
    ("role", "name"), [(role, name) for role, names in NAMES.items() for name in names.split()]
)
def test_a_name_is_read_by_its_words(role: str, name: str) -> None:
    assert role_of(name) == role


@pytest.mark.parametrize("name", ["a", "pred_a", "true_prob", "precision", "features", "arr_0"])
def test_a_name_with_a_word_that_nobody_knows_says_nothing(name: str) -> None:
    assert role_of(name) is None


HITS = ANSWERS == LABELS
TABLES: dict[str, str | bytes] = {
    "caret": text("pred,obs,rowIndex", cells(ANSWERS, LABELS, np.arange(1, N + 1))),
    "yardstick": text(
        "truth,.pred_class," + ",".join(f".pred_{n}" for n in range(C)),
        cells(LABELS, ANSWERS, SHARES),
    ),
    "an index saved twice": text(
        "Unnamed: 0.1,Unnamed: 0,label,pred", cells(*[np.arange(N)] * 2, LABELS, ANSWERS)
    ),
    "the class is the truth": text("class,predicted_class", PAIRS),
    "a number within": text(
        "label," + ",".join(f"class_{n}_prob" for n in range(C)), cells(LABELS, SHARES)
    ),
    "columns 0.0 to 9.0": text("y," + ",".join(f"{n}.0" for n in range(C)), cells(LABELS, SHARES)),
    "true and false": text("label,pred,correct", cells(LABELS, ANSWERS, HITS)),
    "one-hot in words": text(
        ",".join([f"y_true_{n}" for n in range(C)] + [f"y_prob_{n}" for n in range(C)]),
        cells(np.eye(C, dtype=bool)[LABELS], SHARES),
    ),
    "a score beside": text("label,pred,score", cells(LABELS, ANSWERS, SHARES.max(axis=1))),
    "comments above": "# model: mlp\n# today\n" + text("label,pred", PAIRS),
    "Windows letters": text("Datei,label,pred", [["Größe", *p] for p in PAIRS]).encode("cp1252"),
    "rounded to ties": text(
        "label,pred," + ",".join(f"p{n}" for n in range(C)),
        cells(LABELS, ANSWERS, SHARES, form="{:.1f}".format),
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_people_have_are_read(name: str, tmp_path: Path) -> None:
    content = TABLES[name]
    path = tmp_path / "theirs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    run = load_run(path)
    assert run.labels is not None
    np.testing.assert_array_equal(run.labels, LABELS)
    if name != "rounded to ties":
        np.testing.assert_array_equal(run.predicted, ANSWERS)


ARCHIVES: dict[str, dict[str, Any]] = {
    "all in one": {"labels": LABELS, "preds": ANSWERS, "probs": SHARES, "logits": LOGITS},
    "numbers besides": {"labels": LABELS, "logits": LOGITS, "loss": 0.3, "top5": 1.0},
    "training besides": {"y_train": np.zeros(7), "y_test": LABELS, "logits": LOGITS},
    "[N, 1, C]": {"labels": LABELS, "logits": LOGITS[:, None]},
    "[N, C, 1, 1]": {"labels": LABELS, "logits": LOGITS[:, :, None, None]},
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_that_people_have_are_read(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "theirs.npz", **ARCHIVES[name])
    run = load_run(tmp_path / "theirs.npz")
    assert run.labels is not None
    np.testing.assert_array_equal(run.labels, LABELS)
    np.testing.assert_array_equal(run.predicted, ANSWERS)
    assert run.logits is not None


ONE_HOT = np.eye(C, dtype=int)
TWO = np.arange(N) % 2
MARGINS = np.random.default_rng(3).normal(size=N) + 6 * (TWO - 0.5)
SIGMOIDS = 1 / (1 + np.exp(-MARGINS))


@pytest.mark.parametrize(
    ("arrays", "are_shares"),
    [
        ({"labels": TWO, "probabilities": SIGMOIDS}, True),
        ({"labels": TWO[:, None], "y_pred": SIGMOIDS[:, None]}, True),
        ({"labels": TWO, "logits": MARGINS}, False),
        ({"labels": TWO, "scores": MARGINS}, False),
        ({"labels": TWO, "pred": (MARGINS > 0).astype(int), "prob": SIGMOIDS}, None),
    ],
)
def test_one_unit_answers_for_the_second_of_two_classes(
    arrays: dict[str, Any], are_shares: bool | None, tmp_path: Path
) -> None:
    np.savez(tmp_path / "theirs.npz", **arrays)
    run = load_run(tmp_path / "theirs.npz")
    np.testing.assert_array_equal(run.predicted, MARGINS > 0)
    if are_shares is not None:
        assert run.probabilities is not None
        assert (run.logits is None) == are_shares
        np.testing.assert_allclose(run.probabilities[:, 1], SIGMOIDS, atol=1e-6)


REFUSED: dict[str, tuple[dict[str, Any] | str, str]] = {
    "a sigmoid without labels": ({"probs": SIGMOIDS}, "of which class?"),
    "one of ten": ({"labels": LABELS, "prob": SHARES.max(axis=1)}, "of which class?"),
    "transposed": ({"labels": LABELS, "logits": LOGITS.T}, "expected [60, C]: transpose them"),
    "a confusion matrix": (
        "," + ",".join(map(str, range(C))) + "\n"
        + "\n".join(f"{n},{','.join(map(str, row))}" for n, row in enumerate(7 * ONE_HOT[:C])),
        "as in a confusion matrix",
    ),
    "a history": ("epoch,accuracy,val_loss\n1,.9,.3\n2,.95,.2\n", "the course of a training"),
    "a missing label": (text("label,pred", [["", "3"], *PAIRS[1:]]), "1 of 60 labels are missing"),
    "NA": (text("label,pred", [*PAIRS[:-1], ["3", "NA"]]), "1 of 60 predictions are missing, the"),
    "a total": (text("label,pred", PAIRS) + "total,60\n", "(row 61, column 1: 'total')"),
    "class_1 to class_10": (
        text("label," + ",".join(f"p{n}" for n in range(1, C + 1)), cells(LABELS, SHARES)),
        "expected 0, 1, ... without a gap",
    ),
    "classes in words": (text("label,pred", [["cat", "dog"]] * N), "none that both name"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_reading_is_refused_for_its_own_reason(name: str, tmp_path: Path) -> None:
    given, said = REFUSED[name]
    if isinstance(given, str):
        (path := tmp_path / "theirs.csv").write_text(given)
    else:
        np.savez(path := tmp_path / "theirs.npz", **given)
    with pytest.raises(RunRecordError) as refusal:
        load_run(path)
    assert said in str(refusal.value)


def test_a_missing_score_is_an_answer_that_is_not_finite(tmp_path: Path) -> None:
    rows = cells(LABELS, SHARES)
    rows[7][1:] = [""] * C
    (tmp_path / "theirs.csv").write_text(text("label," + ",".join(f"p{n}" for n in range(C)), rows))
    run = load_run(tmp_path / "theirs.csv")
    assert run.broken == 1
    assert run.probabilities is not None
    (finding,) = diagnose(Case(run.probabilities, run.labels))
    assert finding.cause.startswith("some images are answered with values that are not finite")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"\x1f\x8b", "damaged: cannot be unpacked"),
        (b"(\xb5/\xfd", "compressed by zstd; unpack it first"),
        (b"ARROW1\0\0", "a Feather file"),
        (b"MATLAB 5.0 MAT-file", "a damaged file of MATLAB"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
    ],
)
def test_what_is_packed_or_of_another_program_is_named(
    head: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / "theirs.csv").write_bytes(head + bytes(50))
    with pytest.raises(RunRecordError, match=said):
        load_run(tmp_path / "theirs.csv")
