"""Files that say more than numbers in rows: packed, JSON, ARFF, ranked, with names of classes."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.judge import packed
from parity.judge.loading import load_run
from parity.run_record import RunRecordError

RNG = np.random.default_rng(4)
N, C = 80, 10
LABELS = RNG.integers(0, C, N)
LOGITS = RNG.normal(size=(N, C)) + 3 * np.eye(C)[LABELS]
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
ANSWERS = LOGITS.argmax(axis=1)
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
RANKED = np.argsort(-LOGITS, axis=1)


def table(names: str, row: Callable[[int], str], end: str = "\n") -> str:
    return end.join([names, *(row(n) for n in range(N))]) + end


def joined(values: Any, separator: str = ",", form: str = "{:.6f}") -> str:
    return separator.join(form.format(value) for value in values)


def pair(names: str, form: Callable[[int], str], separator: str = ",") -> str:
    return table(names, lambda n: f"{form(LABELS[n])}{separator}{form(ANSWERS[n])}")


def numbered(form: str, start: int = 0, separator: str = ",") -> str:
    return separator.join(form.format(n) for n in range(start, C + start))


def zipped(*members: tuple[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


PAIRS = pair("label,prediction", str)
RECORDS = [{"label": int(y), "pred": int(a)} for y, a in zip(LABELS, ANSWERS, strict=True)]
FILES: dict[str, str | bytes] = {
    # packed
    "gzip": gzip.compress(PAIRS.encode()),
    "bzip2": bz2.compress(PAIRS.encode()),
    "xz": lzma.compress(PAIRS.encode()),
    "zip, by macOS": zipped(("a/", ""), ("a/preds.csv", PAIRS), ("__MACOSX/a/._preds.csv", "x")),
    "zip of JSON": zipped(("preds.json", json.dumps(RECORDS))),
    # JSON
    "JSON, rows": json.dumps(RECORDS),
    "JSON, columns": json.dumps(
        {"accuracy": 0.9, "label": LABELS.tolist(), "probabilities": SHARES.tolist()}
    ),
    "JSON, columns by row": json.dumps(
        {key: {str(n): row[key] for n, row in enumerate(RECORDS)} for key in ("label", "pred")}
    ),
    "JSON, split": json.dumps(
        {"columns": ["label", "pred"], "data": [list(row.values()) for row in RECORDS]}
    ),
    "JSON, lines": "".join(
        json.dumps({"label": int(y), "logits": row.tolist()}) + "\n"
        for y, row in zip(LABELS, LOGITS, strict=True)
    ),
    "JSON, within more": json.dumps(
        {"model": "mlp", "results": {"labels": LABELS.tolist(), "predictions": ANSWERS.tolist()}}
    ),
    "JSON, rows within more": json.dumps({"model": "mlp", "answers": RECORDS}),
    "JSON, byte order mark": "\ufeff" + json.dumps(RECORDS),
    "JSON, names": json.dumps(
        [{"y_true": f"digit {y}", "y_pred": WORDS[a]} for y, a in zip(LABELS, ANSWERS, strict=True)]
    ),
    # other forms of tables
    "ARFF": "% by Weka\n@relation x\n@attribute label numeric\n@attribute 'prediction' {0,1}\n\n"
    "@data\n" + PAIRS.partition("\n")[2],
    "Weka's answers": table(
        "inst#,actual,predicted,error,prediction",
        lambda n: f"{n + 1},{LABELS[n] + 1}:{LABELS[n]},{ANSWERS[n] + 1}:{ANSWERS[n]},+,0.93",
    ),
    "a title": "Answers of my network, run 3\n\n" + PAIRS,
    "a title in cells": "My network,\n" + PAIRS,
    "numpy's footer": "# y_true y_pred\n" + PAIRS.partition("\n")[2].replace(",", " ") + "# end\n",
    "comments between": table(
        "label,prediction", lambda n: "# batch\n" * (n % 20 == 0) + f"{LABELS[n]},{ANSWERS[n]}"
    ),
    "MATLAB's comments": "% written by hand\n" + PAIRS,
    "an empty column of rows": PAIRS.replace("\n", ",\n").replace("prediction,", "prediction"),
    "an empty name": PAIRS.replace("prediction", "prediction,"),
    # cells
    "digit 3": pair("label,prediction", "digit {}".format),
    "digit_3, quoted": pair('"actual","predicted"', '"digit_{}"'.format),
    "three": pair("truth;estimate", WORDS.__getitem__, ";"),
    "in brackets": pair("label,prediction", "[{}]".format),
    "tensors": pair("label,prediction", "tensor({})".format),
    "single quotes": pair("'label','prediction'", "'{}'".format),
    "a list in a cell": table(
        "label,probs", lambda n: f'{LABELS[n]},"[{joined(SHARES[n], ", ")}]"'
    ),
    "an array in a cell, over lines": table(
        "label,logits", lambda n: f'{LABELS[n]},"{np.array2string(LOGITS[n], max_line_width=40)}"'
    ),
    "NumPy's types in a cell": table(
        "label,probs", lambda n: f'{LABELS[n]},"{[np.float64(p) for p in SHARES[n].tolist()]}"'
    ),
    "a log with a head and a foot": "Loading\nDevice: cuda\n" + "".join(
        f"sample {n}  target={y}  output={a}\n"
        for n, (y, a) in enumerate(zip(LABELS, ANSWERS, strict=True))
    ) + "Accuracy: 90.1%\n",
    "minus of typography": table(
        "label," + numbered("logit_{}"),
        lambda n: f"{LABELS[n]}," + joined(LOGITS[n]).replace("-", "\u2212"),
    ),
    "Fortran": table(
        "label " + numbered("logit_{}", separator=" "),
        lambda n: f"{LABELS[n]} " + joined(LOGITS[n], " ", "{:.8E}").replace("E", "D"),
    ),
    # names of columns
    "from 1, columns and labels": table(
        "label," + numbered("p{:02d}", 1), lambda n: f"{LABELS[n] + 1}," + joined(SHARES[n])
    ),
    "named columns": table(
        "truth,pred," + ",".join(f"prob_{word}" for word in WORDS),
        lambda n: f"{WORDS[LABELS[n]]},{WORDS[ANSWERS[n]]}," + joined(SHARES[n]),
    ),
    "layers of Keras": table(
        "label," + numbered("dense_2_{}"), lambda n: f"{LABELS[n]}," + joined(SHARES[n])
    ),
    "torchvision's names": table(
        "label,pred," + ",".join(f"{n} - {word}" for n, word in enumerate(WORDS)),
        lambda n: f"{LABELS[n]} - {WORDS[LABELS[n]]},{ANSWERS[n]}," + joined(SHARES[n]),
    ),
    "numbers of rows that are text": table(
        "id,label,predict", lambda n: f"#{n},{LABELS[n]},{ANSWERS[n]}"
    ),
    "decimal commas between spaces": table(
        "label " + numbered("p{}", separator=" "),
        lambda n: f"{LABELS[n]} " + joined(SHARES[n], " ").replace(".", ","),
    ),
    "scores as Azure calls them": table(
        "label," + numbered("Scored Probabilities for Class {}") + ",Scored Labels",
        lambda n: f"{LABELS[n]},{joined(SHARES[n])},{ANSWERS[n]}",
    ),
    "vectors of Spark": table(
        "label,rawPrediction,probability,prediction",
        lambda n: f'{LABELS[n]}.0,"[{joined(LOGITS[n])}]","[{joined(SHARES[n])}]",{ANSWERS[n]}.0',
    ),
    "targets of fastai": pair("targs,preds", str),
    "tensors on a device": pair("label,prediction", "\"tensor({}, device='cuda:0')\"".format),
    "bytes": pair("label,prediction", "b'{}'".format),
    # a row for each class
    "by image": "image,label,class,probability\n" + "".join(
        f"{n}.png,{LABELS[n]},{c},{SHARES[n, c]:.6f}\n" for n in range(N) for c in RANKED[n]
    ),
    "by class": "id,label,class,logit\n" + "".join(
        f"{n},{LABELS[n]},{c},{LOGITS[n, c]:.6f}\n" for c in range(C) for n in range(N)
    ),
    # by rank
    "top 3, classes and shares": table(
        "label,top1_class,top1_prob,top2_class,top2_prob,top3_class,top3_prob",
        lambda n: f"{LABELS[n]}," + ",".join(f"{c},{SHARES[n, c]:.4f}" for c in RANKED[n, :3]),
    ),
    "top 5": table(
        "label,top_1,top_2,top_3,top_4,top_5",
        lambda n: f"{LABELS[n]}," + joined(RANKED[n, :5], form="{}"),
    ),
    "three predictions": table(
        "label,pred1,pred2,pred3", lambda n: f"{LABELS[n]}," + joined(RANKED[n, :3], form="{}")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files_with_one_reading_are_read(name: str, tmp_path: Path) -> None:
    content = FILES[name]
    path = tmp_path / "theirs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    run = load_run(path)
    assert run.labels is not None
    np.testing.assert_array_equal(run.predicted, ANSWERS)
    np.testing.assert_array_equal(run.labels, LABELS)
    if run.logits is not None:
        scale = 1
        np.testing.assert_allclose(run.logits / scale, LOGITS, atol=1e-5)
    elif run.probabilities is not None:
        np.testing.assert_allclose(run.probabilities, SHARES, atol=1e-5)


@pytest.mark.parametrize("first", [ANSWERS, LABELS], ids=["answers", "truth"])
def test_libsvm_calls_labels_what_it_answers(first: Any, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    names = "labels " + numbered("{}", separator=" ")
    path.write_text(table(names, lambda n: f"{first[n]} " + joined(SHARES[n], " ")))
    run = load_run(path)
    assert (run.labels is None) == (first is ANSWERS)
    np.testing.assert_array_equal(run.predicted, ANSWERS)


def test_text_in_an_archive_names_classes_or_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "theirs.npz"
    np.savez(path, labels=LABELS.astype("U1"), probs=SHARES, class_names=np.array(WORDS))
    run = load_run(path)
    np.testing.assert_array_equal(run.labels, LABELS)
    np.savez(path, labels=np.array(["cat", "dog"] * (N // 2)), probs=SHARES)
    with pytest.raises(RunRecordError, match="labels that are no numbers"):
        load_run(path)


def test_the_classes_of_scikit_learn_count(tmp_path: Path) -> None:
    np.savez(tmp_path / "theirs.npz", y_test=LABELS, y_proba=SHARES, classes_=np.arange(10))
    run = load_run(tmp_path / "theirs.npz")
    np.testing.assert_array_equal(run.predicted, SHARES.argmax(axis=1))


def test_whole_per_cents_are_probabilities(tmp_path: Path) -> None:
    whole = (100 * SHARES).round().astype(np.int64)
    np.savez(tmp_path / "theirs.npz", labels=LABELS, probabilities=whole)
    run = load_run(tmp_path / "theirs.npz")
    assert run.logits is None
    np.testing.assert_array_equal(run.predicted, whole.argmax(axis=1))


def of_records(head: bytes) -> bytes:
    """As TensorFlow begins a file of records: the length of the first, in eight bytes."""
    return head + bytes(8 - len(head)) + b"\x9c\x01\xf3\xee" + b"\n\x0c\xff" * 20


def packed_array(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


REFUSED: dict[str, tuple[bytes, str]] = {
    "TFRecord": (of_records(b"\x28\x03"), "TFRecord"),
    "events of TensorBoard": (of_records(b"\x18"), "log of TensorBoard"),
    "pickle of the first protocol": (pickle.dumps({"loss": [1.0]}, protocol=0), "a pickle"),
    "batches in JSON": (
        json.dumps(SHARES[:8].reshape(2, 4, 10).tolist()).encode(), "JSON of lists within lists"
    ),
    "transposed, without labels": (packed_array(SHARES.T), "transpose them"),
    "transposed logits, without labels": (packed_array(LOGITS.T), "10 images, or as many classes"),
    "a row a class": (
        ("class," + ",".join(f"image{n}" for n in range(N)) + "\n" + "".join(
            f"{c},{joined(SHARES[:, c])}\n" for c in range(C)
        )).encode(), "a row a class",
    ),
    "file names and no line of names": (
        table("0.png 3 0.9", lambda n: f"{n}.png {LABELS[n]} 0.8").encode(), "no line of names"
    ),
    "cut": (gzip.compress(PAIRS.encode())[:-40], "damaged: cannot be unpacked"),
    "bzip2, damaged": (b"BZh9" + bytes(40), "damaged: cannot be unpacked"),
    "zip, damaged": (
        zipped(("a.csv", PAIRS)).replace(b"a.csvPK", b"a.csvPX"), "damaged|cannot be unpacked"
    ),
    "nothing": (gzip.compress(b""), "empty"),
    "twice": (gzip.compress(gzip.compress(PAIRS.encode())), "packed twice"),
    "two tables": (zipped(("a.csv", PAIRS), ("b.csv", PAIRS)), "unpack it first"),
    "a picture, packed": (gzip.compress(b"\x89PNG\r\n\x1a\n"), "a picture"),
    "JSON, cut": (json.dumps(RECORDS)[:-9].encode(), "JSON, or an array as it is printed"),
    "JSON, settings": (b'{"lr": 0.1, "betas": [0.9, 0.999]}', "such as 0.9: of which class"),
    "JSON, deep": (b"[" * 100_000, "nested too deeply|cannot be read"),
    "JSON, ragged": (b'{"label": [1, 2, 3], "pred": [1]}', "JSON; save"),
    "JSON, by name": (b'{"a.png": {"label": 1}, "b.png": {"label": 2}}', "JSON; save"),
    "JSON, rows not alike": (b'[{"label": 1}, {"pred": 2}]', "rows that are not alike"),
    "pixels": (
        table(
            "label," + ",".join(f"pixel{n}" for n in range(784)),
            lambda n: f"{LABELS[n]}," + ",".join(["0.5"] * 784),
        ).encode(),
        "no outputs",
    ),
    "features": (
        table(
            "label," + numbered("feature{}", 1), lambda n: f"{LABELS[n] + 1}," + joined(LOGITS[n])
        ).encode(),
        "unknown columns feature",
    ),
    "a few rows of three models": (
        b"label,pred1,pred2,pred3\n1,1,2,3\n4,4,3,4\n5,5,4,3\n",
        "numbered 1, 2, 3, expected 0, 1",
    ),
    "ranks or classes": (
        table(
            "label," + numbered("pred_{}"), lambda n: f"{LABELS[n]}," + joined(RANKED[n], form="{}")
        ).encode(),
        "classes by their place, or places of the classes",
    ),
    "OpenDocument": (zipped(("mimetype", "x"), ("content.xml", "y")), "OpenDocument; save the"),
    "SQLite": (b"SQLite format 3\0" + bytes(99), "a database of SQLite"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_reading_is_refused_for_what_it_is(name: str, tmp_path: Path) -> None:
    content, said = REFUSED[name]
    (tmp_path / "theirs.csv").write_bytes(content)
    with pytest.raises(RunRecordError, match=said) as refusal:
        load_run(tmp_path / "theirs.csv")
    assert len(str(refusal.value)) < 700


@pytest.mark.parametrize(  # with names: the bytes hold the time
    "bomb", [gzip.compress(bytes(2000)), zipped(("a.csv", "0" * 2000))], ids=["gzip", "zip"]
)
def test_what_unpacks_to_more_than_is_allowed_is_refused(
    bomb: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed, "MOST_BYTES", 1000)
    (tmp_path / "theirs.csv").write_bytes(bomb)
    with pytest.raises(RunRecordError, match="packed, of more than 1,000 bytes"):
        load_run(tmp_path / "theirs.csv")


def test_answers_with_a_likelihood_are_no_rows_of_classes(tmp_path: Path) -> None:
    """Each class may follow the one before by chance; the label of a row is then its own."""
    path = tmp_path / "theirs.csv"
    path.write_text(
        "label,class,probability\n"
        + "".join(f"{LABELS[n]},{n % C},{SHARES[n].max():.6f}\n" for n in range(N))
    )
    run = load_run(path)
    np.testing.assert_array_equal(run.predicted, np.arange(N) % C)
