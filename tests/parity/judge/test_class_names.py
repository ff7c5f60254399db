"""Classes by name, arrays as they are printed, answers by image: read where one reading is left."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity import CannotCompareError, compare
from parity.judge.class_names import by_number
from parity.judge.loading import load_run
from parity.judge.printed import printed
from parity.judge.shapes import of_eight_bits
from parity.run_record import RunRecordError
from tests.parity.judge.test_foreign_files import ANSWERS, LABELS, LOGITS, SHARES, C, N, cells, text

NAMES = np.array(["bird", "cat", "deer", "dog", "fish", "frog", "horse", "ship", "tram", "truck"])
FILES = [f"img_{n:03d}.png" for n in range(N)]
PAIRS = cells(LABELS, ANSWERS)
RANKS = np.argsort(-SHARES, axis=1)
NAMED = cells(NAMES[LABELS], NAMES[ANSWERS])
PLACED = [f"{n + 1}:{name}" for n, name in enumerate(NAMES)]  # as Weka has them, ten after two


def whole_print(array: np.ndarray) -> str:
    with np.printoptions(threshold=10**6, linewidth=75):
        return str(array)


def likeliest(count: int) -> list[Any]:
    """What a pipeline gives of each image, the likeliest class alone or in a list of several."""
    rows = [
        [{"label": NAMES[k], "score": float(row[k])} for k in ranks[:count]]
        for row, ranks in zip(SHARES, RANKS, strict=True)
    ]
    return [row[0] for row in rows] if count == 1 else rows


READ: dict[str, str] = {
    "classes by name": text("label,prediction", NAMED),
    "yes and no, between others": text("id,actual,predicted,score", [
        [str(n), *row, "0.9"] for n, row in enumerate(NAMED)
    ]),
    "Weka": text("inst#,actual,predicted", [
        [str(n + 1), PLACED[y], PLACED[a]]
        for n, (y, a) in enumerate(zip(LABELS, ANSWERS, strict=True))
    ]),
    "numbered columns, by the alphabet": text(
        "label," + ",".join(f"p{n}" for n in range(C)), cells(NAMES[LABELS], SHARES)
    ),
    "numbers from 1, by the alphabet": text(
        "YPred,TTest," + ",".join(f"scores_{n + 1}" for n in range(C)),
        cells(NAMES[ANSWERS], NAMES[LABELS], SHARES),
    ),
    "answers in numbers": text("label,pred", cells(NAMES[LABELS], ANSWERS)),
    "objects in cells": text("label,probs", [
        [NAMES[y], '"' + repr(dict(zip(NAMES, row, strict=True))).replace('"', '""') + '"']
        for y, row in zip(LABELS, SHARES, strict=True)
    ]),
    "five by rank in a cell": text("label,top5", [
        [NAMES[y], " ".join(NAMES[[a, *(k for k in ranks if k != a)][:5]].tolist())]
        for y, a, ranks in zip(LABELS, ANSWERS, RANKS, strict=True)
    ]),
    "columns by class": text(",".join(NAMES) + ",label", cells(SHARES, NAMES[LABELS])),
    "columns by class, labels in numbers": text(
        "file," + ",".join(NAMES) + ",label", cells(np.array(FILES), SHARES, LABELS)
    ),
    "columns prob_cat": text(
        "label," + ",".join(f"prob_{n}" for n in NAMES), cells(NAMES[LABELS], SHARES)
    ),
    "a class of which none occurs, hashes": text(
        "id," + ",".join([*NAMES, "zebra"]) + ",label",
        cells(np.array([f"{n:032x}" for n in range(N)]), SHARES, np.zeros(N), NAMES[LABELS]),
    ),
    "a share of one class": text(
        "actual,predicted,prob_cat", cells(NAMES[LABELS], NAMES[ANSWERS], SHARES[:, 1])
    ),
    "correct and predicted": text("correct,predicted", PAIRS),
    "German": text("Nr;Wahr;Vorhersage", cells(np.arange(N), LABELS, ANSWERS), ";"),
    "accents": text("Réel,Prédiction", PAIRS),
    "Markdown": text("| label | prediction |\n|---:|:--|", [["", *r, ""] for r in PAIRS], "|"),
    "psql": text(" label | pred \n-------+------", PAIRS, " | ") + f"({N} rows)\n",
    "reStructuredText": text("=====  =====\nlabel  pred\n=====  =====", PAIRS, "  "),
    "a log": "".join(f"Image {n}: predicted {a}, actual {y}\n" for n, (y, a) in enumerate(PAIRS)),
    "a log, by name": "".join(
        f"[{n}/{N}] True: {NAMES[y]} - Predicted: {NAMES[a]} (93.1%)\n"
        for n, (y, a) in enumerate(zip(LABELS, ANSWERS, strict=True))
    ),
    "a log of evaluation": "".join(
        f"2024-05-01 10:00,123 INFO eval - img_{n}.png: target={NAMES[y]} output={NAMES[a]}\n"
        for n, (y, a) in enumerate(zip(LABELS, ANSWERS, strict=True))
    ),
    "training and test": text("split,label,pred", [["test", *row] for row in PAIRS])
    + "train,3,3\nval,2,1\n",
    "whether of the test, in words": text("is_test,label,pred", [["yes", *row] for row in PAIRS])
    + "no,0,1\n" * 9,
    "whether of the training": text("is_train,label,pred", [["False", *row] for row in PAIRS])
    + "True,3,3\n",
    "whether of the test": text("label,pred,test", [[*row, "1"] for row in PAIRS]) + "3,3,0\n",
    "the likeliest two by name": text("file,true,top1,top1_prob,top2,top2_prob", cells(
        np.array(FILES), NAMES[LABELS], NAMES[ANSWERS], SHARES.max(axis=1), NAMES[RANKS[:, 1]],
        SHARES.min(axis=1),
    )),
    "of a language model": text("prompt,completion,expected", cells(
        np.array(["Which?"] * N), NAMES[ANSWERS], NAMES[LABELS]
    )),
    "French": text("Étiquette;Prédiction", PAIRS, ";"),
    "outputs by name": text(
        "input,expected,output", cells(np.array(FILES), NAMES[LABELS], NAMES[ANSWERS])
    ),
    "truth by the names of the scores": text(
        "," + ",".join(f"prob_{n}" for n in NAMES) + ",animal",
        cells(np.arange(N), SHARES, NAMES[LABELS]),
    ),
    "classes from 1, no labels": text(
        "id," + ",".join(f"Class_{n + 1}" for n in range(C)), cells(np.arange(N) + 1, SHARES)
    ),
    "the likeliest, and all by rank": "".join(
        json.dumps({"pred": str(NAMES[a]), "probs": rows, "label": str(NAMES[y])}) + "\n"
        for y, a, rows in zip(LABELS, ANSWERS, likeliest(3), strict=True)
    ),
    "a printed list": whole_print(ANSWERS),
    "a printed matrix": whole_print(SHARES),
    "repr": f"array({whole_print(LOGITS)})",
    "a tensor": f"tensor({json.dumps(LOGITS.tolist())}, grad_fn=<MulBackward0>)",
    "TensorFlow": f"tf.Tensor(\n{whole_print(ANSWERS)}, shape=({N},), dtype=int64)",
    "two by name": f"y_true = np.array({LABELS.tolist()})\ny_pred = np.array({ANSWERS.tolist()})",
    "one line": ",".join(map(str, ANSWERS)),
    "by image": json.dumps(dict(zip(FILES, ANSWERS.tolist(), strict=True))),
    "by image, shares": json.dumps(dict(zip(FILES, SHARES.tolist(), strict=True))),
    "by number, objects": json.dumps(
        {n: {"true": int(y), "pred": int(a)} for n, (y, a) in enumerate(PAIRS)}
    ),
    "objects of classes": json.dumps([
        {"label": NAMES[y], "probabilities": dict(zip(NAMES, row, strict=True))}
        for y, row in zip(LABELS, SHARES.tolist(), strict=True)
    ]),
    "a pipeline": json.dumps([
        [{"label": f"LABEL_{k}", "score": row[k]} for k in np.argsort(row)[::-1]]
        for row in SHARES.tolist()
    ]),
    "a pipeline's likeliest": json.dumps(likeliest(1)),
    "a pipeline's likeliest, in lists": json.dumps([[one] for one in likeliest(1)]),
    "a pipeline's likeliest three": json.dumps(likeliest(3)),
    "fastText": "".join(f"__label__{NAMES[a]} 0.93\n" for a in ANSWERS),
    "a competition's": text("ImageId,Label", cells(np.arange(N) + 1, ANSWERS)),
    "a competition's, by name": text("Id,Species", cells(np.arange(N) + 1, NAMES[ANSWERS])),
    "a competition's, shares": text(
        "PassengerId," + ",".join(NAMES), cells(np.arange(N) + 892, SHARES)
    ),
    "a detector's": text(
        "image,class,confidence", cells(np.array(FILES), NAMES[ANSWERS], SHARES.max(axis=1))
    ),
    "as detectors have it": text(
        "image_id,category_id,score", cells(np.array(FILES), NAMES[ANSWERS], SHARES.max(axis=1))
    ),
    "truth of unknown name": text("quality,prediction", cells(LABELS, ANSWERS)),
    "truth of unknown name, by name": text("Species,pred", cells(NAMES[LABELS], NAMES[ANSWERS])),
    "features, and namesakes": text(
        "age,species,predicted_species",
        cells(np.arange(N), NAMES[LABELS], NAMES[ANSWERS]),
    ),
    "tidymodels": text(
        ",".join(f".pred_{name}" for name in NAMES) + ",.pred_class,Species",
        cells(SHARES, NAMES[ANSWERS], NAMES[LABELS]),
    ),
    "R, by place": text(",".join(f"V{n + 1}" for n in range(C)), cells(SHARES)),
    "R, by place, and the truth": text(
        "truth," + ",".join(f"X{n + 1}" for n in range(C)), cells(LABELS, SHARES)
    ),
    "images of patients": text("patient_id,label,pred", cells(np.arange(N) // 3, LABELS, ANSWERS)),
    "classes by id": text("category_id,prediction", PAIRS),
    "a competition's, images by code": text("id_code,diagnosis", cells(np.array(FILES), ANSWERS)),
    "thousands in ids": text(
        "id;label;pred",
        cells(np.array([f"{n:,}".replace(",", ".") for n in range(970, 970 + N)]), LABELS, ANSWERS),
        ";",
    ),
    "empty columns": text("label,pred,,,", [[*row, "", "", ""] for row in PAIRS]),
    "parts of the data": json.dumps({
        "train": {"y": [1] * 9, "pred": [1] * 9},
        "test": {"y": LABELS.tolist(), "pred": ANSWERS.tolist()},
    }),
    "a row a class, by name": "image,class,prob\n" + "".join(
        f"{n},{NAMES[k]},{SHARES[n, k]}\n" for n in range(N) for k in range(C)
    ),
    "LIBSVM, another order": "labels " + " ".join(str(n) for n in range(C)[::-1]) + "\n" + text(
        "", cells(ANSWERS, SHARES[:, ::-1]), " "
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_has_one_reading_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "theirs.txt").write_text(READ[name])
    run = load_run(tmp_path / "theirs.txt")
    np.testing.assert_array_equal(run.predicted, ANSWERS)
    if run.labels is not None:
        np.testing.assert_array_equal(run.labels, LABELS)
    if run.probabilities is not None:
        np.testing.assert_allclose(run.probabilities[:, :C], SHARES, atol=1e-5)


REFUSED: dict[str, tuple[str, str]] = {
    "names that differ": (text("label,pred", cells(NAMES[LABELS], np.char.upper(NAMES[ANSWERS]))),
                          "none that both name"),
    "one is missing": (text("label,pred", [["cat", ""], *NAMED]), "predictions are missing"),
    "names and numbered columns, mostly wrong": (
        text("label," + ",".join(f"p{n}" for n in range(C)), cells(NAMES[9 - LABELS], SHARES)),
        "labels that are no numbers",
    ),
    "printed in part": ("[[0.1 0.9]\n ...\n [0.2 0.8]]", "rows left out"),
    "a table in part": ("label  pred\n1  2\n..  ..\n3  4\n", "rows left out"),
    "precision and recall": ("  precision recall f1 support\n0 .9 .8 .8 9\n", "a row a class"),
    "counts of classes": (json.dumps({str(n): 980 + n for n in range(C)}), "JSON; save"),
    "sizes of files": (json.dumps(dict.fromkeys(FILES[1:], 900) | {FILES[0]: 1}), "JSON; save"),
    "names of classes": (json.dumps({str(n): name for n, name in enumerate(NAMES)}), "JSON; save"),
    "a confusion matrix": (
        text("," + ",".join(NAMES), [[n, *r] for n, r in zip(NAMES, cells(SHARES), strict=False)]),
        "a row and a column for each of 10 classes",
    ),
    "hits of a batch": ("batch 1: predicted 12 correct 11\nbatch 2: predicted 9 correct 8", "numb"),
    "a label and a score": (
        text("file,label,score", cells(np.array(FILES), LABELS % 2, 0.5 + SHARES.max(axis=1) / 2)),
        "is an answer",
    ),
    "a second choice": (
        text("second,pred", cells(NAMES[(ANSWERS + 1) % C], NAMES[ANSWERS])), "unknown columns seco"
    ),
    "a confidence, and the truth or an answer": (
        text("id,label,confidence", cells(np.arange(N), LABELS, SHARES.max(axis=1))), "no outputs"
    ),
    "boxes": (json.dumps([{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.9}]),
              "objects that were found"),
    "prices": (text("Id,Price", cells(np.arange(N), np.arange(N) * 7)), "unknown columns Price"),
    "a class and its share": (
        text("sex,sex_prob", cells(LABELS % 2, 0.5 + SHARES.max(axis=1) / 2)), "unknown columns sex"
    ),
    "counts of pairs": (
        text("pred,obs,Freq", [[str(n % C), str(n // C), "7"] for n in range(C * C)]),
        "unknown columns Freq",
    ),
    "two annotators": (text("annotator1,annotator2", PAIRS), "unknown columns annotator1, annot"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_reading_is_refused(name: str, tmp_path: Path) -> None:
    content, said = REFUSED[name]
    (tmp_path / "theirs.txt").write_text(content)
    with pytest.raises(RunRecordError, match=said):
        load_run(tmp_path / "theirs.txt")


def test_a_structured_array_has_fields_by_name(tmp_path: Path) -> None:
    rows = np.zeros(N, [("file", "U12"), ("label", "i4"), ("logits", "f4", (C,))])
    rows["file"], rows["label"], rows["logits"] = FILES, LABELS, LOGITS
    np.save(tmp_path / "theirs.npy", rows)
    run = load_run(tmp_path / "theirs.npy")
    np.testing.assert_array_equal(run.labels, LABELS)
    np.testing.assert_array_equal(run.predicted, ANSWERS)
    assert run.sample_names is not None
    np.save(tmp_path / "theirs.npy", np.zeros(N, "V8"))
    with pytest.raises(RunRecordError, match="values of type"):
        load_run(tmp_path / "theirs.npy")


@pytest.mark.parametrize(("dtype", "zero"), [(np.uint8, 0), (np.int8, -128)])
def test_shares_in_eight_bits(dtype: type, zero: int) -> None:
    values = np.clip(np.round(256 * SHARES), 0, 255) + zero
    np.testing.assert_allclose(of_eight_bits(values.astype(dtype)), SHARES, atol=1 / 255)
    pixels: np.ndarray = np.full((N, 784), 3, dtype)
    assert of_eight_bits(pixels) is pixels


def test_embeddings_are_no_scores(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).random((N, 64))
    for arrays in ({"embeddings": vectors}, {"what": vectors}):
        np.savez(tmp_path / "theirs.npz", allow_pickle=False, labels=LABELS, **arrays)
        with pytest.raises(RunRecordError, match="no outputs|unknown arrays what"):
            load_run(tmp_path / "theirs.npz")


def test_labels_in_names_are_left_where_columns_have_numbers() -> None:
    """Two classes, equally often: no long table, and no order of the columns."""
    words = np.array(["cat", "dog"] * 30)
    columns = {"label": np.full(N, np.nan), "probs": SHARES[:, :2]}
    assert by_number(columns, {"label": words})[1] is None


@pytest.mark.parametrize("given", ["[[[1. 2.]]]", "[1 2] and more", "[1 b]", "a = [1]\nb = [x"])
def test_what_is_printed_otherwise_is_no_array(given: str) -> None:
    with pytest.raises(ValueError, match="printed"):
        printed(given)


OTHER = np.where(np.arange(N) % 10 == 0, (ANSWERS + 1) % C, ANSWERS)
ORDER = np.random.default_rng(1).permutation(N)
FIRST = text("file,label,pred", cells(np.array(FILES), LABELS, ANSWERS))
Column = np.ndarray
TOGETHER: dict[str, tuple[str, Callable[[], list[Column]]]] = {
    "names of images, in another order": (
        "image,label,pred",
        lambda: [np.array(FILES)[ORDER], LABELS[ORDER], OTHER[ORDER]],
    ),
    "paths of images": (
        "path,label,pred",
        lambda: [np.char.add("test/", FILES)[ORDER], LABELS[ORDER], OTHER[ORDER]],
    ),
    "no labels": ("pred", lambda: [OTHER]),
    "names of images, no labels": ("file,pred", lambda: [np.array(FILES)[ORDER], OTHER[ORDER]]),
    "classes from 1": ("label,pred", lambda: [LABELS + 1, OTHER + 1]),
    "classes numbered otherwise": ("label,pred", lambda: [9 - LABELS, 9 - OTHER]),
    "images from 1": ("id,label,pred", lambda: [ORDER + 1, LABELS[ORDER], OTHER[ORDER]]),
    "classes by name": ("label,pred", lambda: [NAMES[LABELS], NAMES[OTHER]]),
    "by names in another order": ("y,pred", lambda: [NAMES[::-1][LABELS], NAMES[::-1][OTHER]]),
}


@pytest.mark.parametrize("name", TOGETHER)
@pytest.mark.parametrize("swapped", [False, True])
def test_two_files_are_brought_together(name: str, swapped: bool, tmp_path: Path) -> None:
    header, columns = TOGETHER[name]
    (tmp_path / "a.csv").write_text(FIRST)
    (tmp_path / "b.csv").write_text(text(header, cells(*columns())))
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    a, b = files[::-1] if swapped else files
    evidence = compare(a, b).evidence
    assert evidence.accuracy is not None
    difference = (OTHER == LABELS).mean() - (ANSWERS == LABELS).mean()
    assert evidence.accuracy.difference == pytest.approx(-difference if swapped else difference)
    assert len(evidence.without) > 1  # beside that there is one run on a side


def test_a_comparison_tells_why_answers_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text("label,pred", PAIRS))
    (tmp_path / "b.csv").write_text(text("pred", cells(OTHER + 1)))
    comparison = compare(tmp_path / "a.csv", tmp_path / "b.csv")
    assert "labels are shifted by 1" in comparison.judgement.reasons[0]


def test_labels_alone_that_differ_are_no_other_numbering(tmp_path: Path) -> None:
    """The answers fit the labels of the other side."""
    (tmp_path / "a.csv").write_text(text("label,pred", PAIRS))
    (tmp_path / "b.csv").write_text(text("label,pred", cells(9 - LABELS, ANSWERS)))
    with pytest.raises(CannotCompareError, match="other labels"):
        compare(tmp_path / "a.csv", tmp_path / "b.csv")


def test_a_pipeline_that_names_all_classes_gives_their_shares(tmp_path: Path) -> None:
    (tmp_path / "theirs.json").write_text(json.dumps(likeliest(C)))
    run = load_run(tmp_path / "theirs.json")
    assert run.probabilities is not None
    np.testing.assert_allclose(run.probabilities, SHARES)


def test_numbers_of_images_decide_their_order(tmp_path: Path) -> None:
    ids = np.arange(N) + 500
    (tmp_path / "a.csv").write_text(text("id,pred", cells(ids, ANSWERS)))
    (tmp_path / "b.csv").write_text(text("id,label,pred", cells(ids, LABELS, ANSWERS)[::-1]))
    assert compare(tmp_path / "a.csv", tmp_path / "b.csv").evidence.disagreement.between == 0
    (tmp_path / "b.csv").write_text(text("id,pred", cells(ids + 1, ANSWERS)))
    with pytest.raises(CannotCompareError, match="lacks sample_id 500"):
        compare(tmp_path / "a.csv", tmp_path / "b.csv")


def test_classes_from_1_are_those_of_scores_from_0(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text("label,pred", cells(LABELS + 1, ANSWERS + 1)))
    np.savez(tmp_path / "b.npz", labels=LABELS, logits=LOGITS)
    assert compare(tmp_path / "a.csv", tmp_path / "b.npz").evidence.disagreement.between == 0
