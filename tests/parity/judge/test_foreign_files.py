"""Files as spreadsheets and other programs save them: read where there is only one reading."""

import io
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.judge.loading import load_run
from parity.judge.shapes import adds_up, nameless
from parity.run_record import RunRecordError
from tests.conftest import Here

RNG = np.random.default_rng(0)
N, C = 60, 10
LABELS = RNG.integers(0, C, N)
LOGITS = RNG.normal(size=(N, C)) + 4 * np.eye(C)[LABELS]
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
ANSWERS = LOGITS.argmax(axis=1)
Cells = list[list[str]]


def cells(*columns: np.ndarray, form: Callable[[Any], str] = str) -> Cells:
    """Rows of text; `form` writes a number that has decimals."""
    table = [np.atleast_2d(column.T).T for column in columns]
    return [
        [form(v) if isinstance(v, float) else str(v) for part in table for v in part[row].tolist()]
        for row in range(N)
    ]


def text(header: str, rows: Cells, separator: str = ",") -> str:
    lines = [header] if header else []
    return "\n".join(lines + [separator.join(row) for row in rows]) + "\n"


def numbered(prefix: str, separator: str = ",", start: int = 0) -> str:
    return separator.join(f"{prefix}{n}" for n in range(start, C + start))


PAIRS = cells(LABELS, ANSWERS)
BOTH = cells(LABELS, SHARES)
COMMAS = [[cell.replace(".", ",") for cell in row] for row in BOTH]
ONE_HOT = np.eye(C, dtype=int)[LABELS]
TABLES: dict[str, str | bytes] = {
    "a byte order mark": "\ufeff" + text("label,prediction", PAIRS),
    "semicolons": text("label;prediction", PAIRS, ";"),
    "Excel, German": ("\ufeff" + text("label;" + numbered("p", ";"), COMMAS, ";")).replace(
        "\n", "\r\n"
    ),
    "Excel, its own first line": "sep=;\n" + text("label;prediction", PAIRS, ";"),
    "Excel, Unicode text": text("label\tprediction", PAIRS, "\t").encode("utf-16"),
    "old Macintosh": text("label,prediction", PAIRS).replace("\n", "\r"),
    "quoted": text('"label","prediction"', [[f'"{cell}"' for cell in row] for row in PAIRS]),
    "quoted decimal commas": text(
        "label," + numbered("p"), [[f'"{cell}"' for cell in row] for row in COMMAS]
    ),
    "pandas with an index": text(",y_true,y_pred", cells(np.arange(N), LABELS, ANSWERS)),
    "an index from 1": text("Index,Label,Pred", cells(np.arange(1, N + 1), LABELS, ANSWERS)),
    "R": text('"label" "pred"', [[f'"{n}"', *row] for n, row in enumerate(PAIRS, 1)], " "),
    "numpy.savetxt": text("# label prediction", cells(LABELS * 1.0, ANSWERS * 1.0), " "),
    "target and pred": text("Target , Pred", PAIRS),
    "columns 0 to 9": text("label," + numbered(""), BOTH),
    "columns 0 to 9, an index": text("," + numbered(""), cells(np.arange(N), SHARES)),
    "class_0 to class_9": text("y_true," + numbered("class_"), BOTH),
    "columns in another order": text(
        "label," + ",".join(f"p{n}" for n in range(C)[::-1]), cells(LABELS, SHARES[:, ::-1])
    ),
    "one-hot labels": text(numbered("label_") + "," + numbered("p_"), cells(ONE_HOT, SHARES)),
    "logits by name": text("label," + numbered("logit_"), cells(LABELS, LOGITS)),
    "scores": text("label," + numbered("score_"), cells(LABELS, LOGITS)),
    "two decimals": text("label," + numbered("p"), cells(LABELS, SHARES, form="{:.2f}".format)),
    "percent": text("label," + numbered("p"), cells(LABELS, 100 * SHARES, form="{:.1f}".format)),
    "percent signs": text(
        "label," + numbered("p"), cells(LABELS, 100 * SHARES, form="{:.0f}%".format)
    ),
    "names and confidence": text(
        "file,label,prediction,confidence",
        [[f"img_{n}.png", *row, "0.9"] for n, row in enumerate(PAIRS)],
    ),
    "prediction and shares": text(
        "label,prediction," + numbered("p"), cells(LABELS, ANSWERS, SHARES)
    ),
    "trailing separators": text("label,prediction,", [[*row, ""] for row in PAIRS]) + ",,\n",
    "a name that nobody knows": text("label,guess", PAIRS),
    "no names: shares": text("", cells(SHARES)),
    "no names: labels, shares": text("", BOTH),
    "no names: shares, labels": text("", cells(SHARES, LABELS)),
    "no names: index, labels, shares": text("", cells(np.arange(N), LABELS, SHARES)),
    "no names: logits": text("", cells(LOGITS)),
    "no names: classes": text("", cells(ANSWERS)),
    "no names: one-hot labels, shares": text("", cells(ONE_HOT, SHARES)),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_with_one_reading_are_read(name: str, tmp_path: Path) -> None:
    content = TABLES[name]
    path = tmp_path / "theirs.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    run = load_run(path)
    np.testing.assert_array_equal(run.predicted, ANSWERS)
    np.testing.assert_array_equal(run.sample_ids, np.arange(N))
    if run.labels is not None:
        np.testing.assert_array_equal(run.labels, LABELS)
    else:
        assert "label" not in name
    if run.probabilities is not None:
        np.testing.assert_allclose(run.probabilities, SHARES, atol=0.006)
    else:
        assert run.logits is None


ARCHIVES: dict[str, dict[str, Any]] = {
    "y_true and y_pred": {"y_true": LABELS, "y_pred": ANSWERS},
    "one-hot y_test, shares as y_pred": {"y_test": np.eye(C)[LABELS], "y_pred": SHARES},
    "float labels [N, 1]": {"labels": LABELS[:, None] * 1.0, "probs": SHARES},
    "no names": {"arr_0": LABELS, "arr_1": SHARES},
    "logits that are shares": {"labels": LABELS, "logits": SHARES.astype(np.float32)},
    "rounded percent": {"labels": LABELS, "probabilities": (100 * SHARES).round().astype("f4")},
    "float16": {"labels": LABELS, "softmax": SHARES.astype(np.float16)},
    "images besides": {"x_test": np.zeros((N, 4, 4), "u1"), "y_test": LABELS, "preds": ANSWERS},
    "small integers": {"labels": LABELS.astype("u1"), "predictions": ANSWERS.astype("i2")},
    "an unknown name": {"labels": LABELS, "what": LOGITS},
    "a single array": {"what": SHARES},
    "batch by batch": {"labels": LABELS.reshape(4, -1), "logits": LOGITS.reshape(4, -1, C)},
    "parts of the data": {
        "y_train": [1, 2],
        "p_train": SHARES[:2],
        "y_val": LABELS[:9],
        "p_val": SHARES[:9],
        "y_test": LABELS,
        "p_test": SHARES,
    },
    "per cent as logits": {"labels": LABELS, "logits": (100 * SHARES).round(1)},
    "hard answers": {"labels": LABELS, "probabilities": np.eye(C)[ANSWERS]},
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_with_one_reading_are_read(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "theirs.npz", **ARCHIVES[name])
    run = load_run(tmp_path / "theirs.npz")
    np.testing.assert_array_equal(run.predicted, ANSWERS)
    assert (run.labels is None) == (len(ARCHIVES[name]) == 1)
    if run.probabilities is not None and name != "hard answers":
        np.testing.assert_allclose(run.probabilities, SHARES, atol=0.006)


@pytest.mark.parametrize("named", [True, False])
def test_some_of_ten_classes_are_read_by_the_order_of_their_columns(
    named: bool, tmp_path: Path
) -> None:
    kept = np.isin(LABELS, (3, 5, 8))
    labels, shares = LABELS[kept], SHARES[kept][:, [3, 5, 8]]
    shares /= shares.sum(axis=1, keepdims=True)
    if named:
        columns = np.column_stack([labels, shares])
        np.savetxt(tmp_path / "x", columns, header="label,p3,p5,p8", delimiter=",")
    else:
        with (tmp_path / "x").open("wb") as file:
            np.savez(file, labels=labels, probabilities=shares)
    run = load_run(tmp_path / "x")
    assert run.labels is not None
    assert run.class_names == ("3", "5", "8")
    assert np.array([3, 5, 8])[run.labels].tolist() == labels.tolist()
    with (tmp_path / "y").open("wb") as file:  # labels of other images
        np.savez(file, labels=np.roll(np.sort(labels), 5), probabilities=shares)
    with pytest.raises(RunRecordError, match="labels up to 8; expected 0 to 2"):
        load_run(tmp_path / "y")


@pytest.mark.parametrize("array", [ANSWERS, LOGITS, SHARES, np.column_stack([LABELS, SHARES])])
@pytest.mark.parametrize("name", ["theirs.npy", "renamed.npz", "no_suffix"])
def test_a_single_array_is_read_whatever_it_is_called(
    array: np.ndarray, name: str, tmp_path: Path
) -> None:
    with (tmp_path / name).open("wb") as file:
        np.save(file, array)
    np.testing.assert_array_equal(load_run(tmp_path / name).predicted, ANSWERS)


def test_shares_that_are_called_logits_stay_logits_where_the_training_was_watched(
    tmp_path: Path,
) -> None:
    """There the loss is known to have taken them for logits, which is a mistake to be named."""
    np.savez(tmp_path / "predictions.npz", labels=LABELS, logits=SHARES)
    assert load_run(tmp_path / "predictions.npz").logits is None
    (tmp_path / "symptoms.json").write_text("{}")
    assert load_run(tmp_path / "predictions.npz").logits is not None


AMBIGUOUS: dict[str, tuple[str, str]] = {
    "two columns without names": (text("", PAIRS), "2 columns without names"),
    "two unknown names": (text("a,b", PAIRS), "unknown columns a, b"),
    "labels only": (text("index,Label", PAIRS), "no outputs"),
    "two answers": (text("label,pred,prediction", cells(LABELS, ANSWERS, LABELS)), "pred and pred"),
    "answers at odds": (
        text("prediction," + numbered("p"), cells((ANSWERS + 1) % C, SHARES)),
        "p and prediction; expected one",
    ),
    "classes from 1": (text("label," + numbered("class_", start=1), BOTH), "expected 0, 1, ..."),
    "a name twice": (text("label,label", PAIRS), "label occurs more than once"),
    "names of classes": (text("label,prediction", [["cat", "3"]] * N), "labels that are no number"),
    "logits called shares": (
        text("label," + numbered("prob_"), cells(LABELS, LOGITS)), "before a softmax are called",
    ),
    "cut to integers": (
        text("label," + numbered("p"), cells(LABELS, np.floor(SHARES))), "had been cut to integers",
    ),
    "a model's name beside class": (text("class,MLP", PAIRS), "unknown columns MLP beside class"),
    "both commas": (text("label," + numbered("p"), COMMAS), "rows of"),
    "ragged": ("label,prediction\n1,2\n1,2,3\n1,2\n", "rows of 2 and of 3 values"),
    "a comment": ("label,prediction\n3,3\n3,3#1\n", "cannot be read as CSV of numbers"),
    "epochs": ("epoch,label,pred\n" + "".join(
        f"{e},{','.join(row)}\n" for e in range(3) for row in PAIRS
    ), "the same 60 labels 3 times, one after the other"),
    "two parts": ("split,label,pred\n" + "train,1,1\nval,0,0\n" * 9, "split is train, val; keep"),
    "too many classes": ("label,prediction\n3,3000000000\n", "up to 3000000000"),
    "infinite": ("label,prediction\ninf,3\n", "labels that are not whole, such as inf"),
    "a text without spaces": ("label,note\n1," + "x" * 250_000 + "\n", "field limit"),
    "a line of dashes": ("-" * 250_000 + "x\n1,2\n", "field limit"),
    "counts beside classes": (
        text("Actual," + numbered(""), [[str(n), *map(str, range(C))] for n in range(C)]),
        "as in a confusion matrix",
    ),
    "shares beside classes": (
        text("Actual," + numbered(""), [[str(n), *["0.1"] * C] for n in range(C)]),
        "as in a confusion matrix",
    ),
    "a name of 10 MB": ("a" * 10_000_000 + ",b\n1,2\n", "a line of 10,000,002 characters"),
    "a number of 200 kB": ("label,prediction\n" + "1" * 200_000 + ",2\n", "field limit"),
    "too many rows": ("p\n" + "1\n" * 11_000_000, "rows; expected at most"),
    "no text": ("a\0b,c\n1,2\n", "neither arrays nor text"),
}  # fmt: skip


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_table_with_no_reading_or_several_is_refused_for_its_own_reason(
    name: str, tmp_path: Path
) -> None:
    content, said = AMBIGUOUS[name]
    (tmp_path / "theirs.csv").write_text(content)
    with pytest.raises(RunRecordError) as refusal:
        load_run(tmp_path / "theirs.csv")
    assert said in str(refusal.value)
    assert len(str(refusal.value)) < 600


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(shape: str, dtype: str = "<f8") -> bytes:
    """The beginning of an array that says more than it holds."""
    said = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    said += b" " * (-(len(said) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


GOOD = archive(("predictions.npy", npy(ANSWERS)))


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def unknown_method(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[8] = changed[content.index(b"PK\x01\x02") + 10] = 99
    return bytes(changed)


def twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate"):
        return archive(("predictions.npy", npy(ANSWERS)), ("predictions.npy", npy(LABELS)))


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a shape of 2**70": (lambda: archive(("logits.npy", header(f"({2**70},)"))), "an array of sha"),
    "no elements, long": (lambda: header(f"({2**70}, 0)"), "an array of shape"),
    "a negative shape": (lambda: header("(-5,)"), "an array of shape (-5,)"),
    "a header of brackets": (lambda: header("(" * 4000 + ")" * 4000), "damaged"),
    "3 GiB of zeros": (
        lambda: archive(("logits.npy", header(f"({3 * 2**30 // 80}, 10)") + bytes(2**26)),
                        method=zipfile.ZIP_DEFLATED), "expected at most 268,435,456 bytes",
    ),
    "more than it says": (
        lambda: archive(("logits.npy", header("(6, 10)") + bytes(2**26)),
                        method=zipfile.ZIP_DEFLATED), "do not hold an array of shape (6, 10)",
    ),
    "LZMA": (
        lambda: archive(("logits.npy", npy(LOGITS)), method=zipfile.ZIP_LZMA), "compressed in a way"
    ),
    "unknown compression": (lambda: unknown_method(GOOD), "compressed in a way"),
    "an entry twice": (twice, "predictions occurs more than once"),
    "a flipped bit": (lambda: flipped(GOOD, 300), "damaged"),
    "cut off": (lambda: GOOD[:-30], "damaged"),
    "text": (lambda: archive(("labels.npy", npy(np.array(["a"])))), "no outputs"),
    "many entries": (
        lambda: archive(*((f"{n}.npy", b"") for n in range(200))), "200 arrays; expected at most"
    ),
    "a pickled array": (
        lambda: archive(("logits.npy", npy(np.array([{}], object)))), "pickled objects"
    ),
    "nothing": (lambda: b"", "empty; save what the model answers"),
    "HDF5 named .keras": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(99), "a damaged HDF5 file"),
    ".keras": (
        lambda: archive(("config.json", b"{}"), ("model.weights.h5", b"")), "a model that Keras has"
    ),
    ".pt": (
        lambda: archive(("m/data.pkl", b""), ("m/version", b"3")), "tensors that cannot be read"
    ),
    ".xlsx": (lambda: archive(("xl/workbook.xml", b"")), "an Excel workbook"),
    ".pkl": (lambda: pickle.dumps(ANSWERS), "a pickle, which is never opened"),
    ".json": (lambda: b'{"a": 1}', "JSON; save"),
    ".safetensors": (lambda: struct.pack("<Q", 20) + b'{"a": 1}', "tensors that cannot be read"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(9), "a picture; save"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_what_is_damaged_hostile_or_no_predictions_gets_a_sentence(
    name: str, suffix: str, tmp_path: Path
) -> None:
    write, said = HOSTILE[name]
    path = tmp_path / f"theirs{suffix}"
    path.write_bytes(write())
    with pytest.raises(RunRecordError) as refusal:
        load_run(path)
    assert said in str(refusal.value)
    assert len(str(refusal.value)) < 600


def test_a_pipe_and_a_missing_file_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("pipe", "expected a file"), ("gone.npz", "no such file")):
        with pytest.raises(RunRecordError, match=said):
            load_run(tmp_path / name)


@pytest.mark.parametrize("command", ["compare", "diagnose"])
def test_classes_alone_show_a_collapse(command: str, tmp_path: Path, parity_here: Here) -> None:
    truth = np.arange(1000) % 10
    for name, answers in (("ones", truth * 0 + 1), ("good", truth)):
        (tmp_path / f"{name}.csv").write_text(
            "label,prediction\n"
            + "".join(f"{t},{a}\n" for t, a in zip(truth, answers, strict=True))
        )
    files = ("good.csv", "ones.csv") if command == "compare" else ("ones.csv",)
    done = parity_here(command, *files)
    assert "100.00% of the predictions are class 1" in done.out
    assert "the probabilities" not in done.out  # nobody has given any
    assert done.code == (1 if command == "diagnose" else 3)


def test_one_answer_that_is_not_finite_is_no_divergence(tmp_path: Path, parity_here: Here) -> None:
    truth = np.arange(10_000) % 10
    logits = RNG.normal(size=(10_000, 10)) + 6 * np.eye(10)[truth]
    np.savez(tmp_path / "a.npz", labels=truth, logits=logits)
    logits[17] = np.nan
    np.savez(tmp_path / "b.npz", labels=truth, logits=logits)
    done = parity_here("compare", "a.npz", "b.npz")
    assert done.code == 0, done.out
    assert "b.npz: 1 of 10,000 answers is not finite" in " ".join(done.out.split())
    logits[:200] = np.nan
    np.savez(tmp_path / "b.npz", labels=truth, logits=logits)
    done = parity_here("compare", "a.npz", "b.npz")
    assert done.code == 3
    assert "logits of 200 of 10,000 images are not finite" in " ".join(done.out.split())


@pytest.mark.filterwarnings("error")
def test_bytes_count_no_further_than_they_reach() -> None:
    """255 and 1 are 256, whatever the array holds."""
    table = np.stack([np.arange(6), np.full(6, 255)], axis=1).astype(np.uint8)
    with pytest.raises(ValueError, match="2 columns without names"):
        nameless(table)


def test_shares_of_one_decimal_are_shares_and_sigmoids_are_none() -> None:
    assert abs(SHARES.round(1).sum(axis=1) - 1).max() > 0.1
    assert adds_up(SHARES.round(1)) == 1
    assert adds_up((1 / (1 + np.exp(-LOGITS))).round(1)) is None
