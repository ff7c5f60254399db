"""Data sets of anyone's: whatever the file, the same digits come out, or a reason."""

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from parity.data_sets import read_data_set

Array = NDArray[Any]
Write = Callable[[Path], object]
RNG = np.random.default_rng(0)
X, T = (np.pad(RNG.integers(0, 256, (n, 20, 20), np.uint8), ((0, 0), (4, 4), (4, 4)))
        for n in (60, 20))  # fmt: skip
X[:, 14, 14] = T[:, 14, 14] = 255
Y, U = np.arange(60) % 10, np.arange(20) % 10
NAMES = [f"pixel{n}" for n in range(784)]


def npz(change: Callable[[Array], Array] = lambda x: x, y: Callable[[Array], Array] = lambda y: y,
        names: str = "x_train y_train x_test y_test") -> Write:  # fmt: skip
    arrays = dict(zip(names.split(), (change(X), y(Y), change(T), y(U)), strict=True))
    return lambda path: np.savez(path, allow_pickle=False, **arrays)


def rows(x: Array, y: Array, *, header: bool = True, sep: str = ",") -> str:
    lines = [sep.join(map(str, [label, *image.ravel()])) for image, label in zip(x, y, strict=True)]
    return "\n".join([sep.join(["label", *NAMES])] * header + lines)


def in_folder(**files: str | bytes) -> Write:
    def write(path: Path) -> None:
        path.mkdir()
        for name, content in files.items():
            content = content.encode() if isinstance(content, str) else content
            (path / name.replace("__", ".")).write_bytes(content)

    return write


def idx(array: Array) -> bytes:
    shape = np.array(array.shape, ">u4").tobytes()
    return gzip.compress(bytes((0, 0, 8, array.ndim)) + shape + array.astype(np.uint8).tobytes())


def h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for part, x, y in (("train", X, Y), ("test", T, U)):
            file[f"{part}/data"], file[f"{part}/target"] = x.reshape(-1, 784) / 255, y


def pictures(path: Path) -> None:
    for part, x, y in (("train", X, Y), ("test", T, U)):
        for number, (image, label) in enumerate(zip(x, y, strict=True)):
            (path / part / str(label)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path / part / str(label) / f"{number}.png")


def zipped(write: Write, kind: str = "zip") -> Write:
    def packed(path: Path) -> None:
        write(path.with_name("unpacked"))
        made = shutil.make_archive(str(path.with_name("made")), kind, path.with_name("unpacked"))
        Path(made).rename(path)

    return packed


def named_in_a_table(path: Path) -> None:
    """Pictures of two parts, as competitions have them, beside a submission for one."""
    for part, images in (("train", X), ("test", T)):
        (path / part).mkdir(parents=True)
        for number, image in enumerate(images):
            Image.fromarray(image).save(path / part / f"{number:02d}.png")
    lines = [f"{n:02d}.png,{label}" for n, label in enumerate(Y)]
    (path / "train.csv").write_text("\n".join(["filename,label", *lines]))
    lines = [f"{n:02d}.png,{n % 3}" for n in range(20)]
    (path / "submission.csv").write_text("\n".join(["filename,label", *lines]))


def one_folder(path: Path) -> None:
    named_in_a_table(path)
    (path / "train.csv").unlink()


def labels_in_a_text(path: Path) -> None:
    path.mkdir()
    np.save(path / "images.npy", X)
    np.savetxt(path / "labels.txt", Y, "%d")


TWO_PARTS: dict[str, tuple[str, Write, str]] = {
    "other names": ("x.npz", npz(names="train_images train_labels test_images test_labels"), ""),
    "by place": ("x.npz", npz(names="arr_0 arr_1 arr_2 arr_3"), ""),
    "for validation": ("x.npz", npz(names="x_train y_train x_val y_val"), "validation is taken"),
    "a channel": ("x.npz", npz(lambda x: x[:, None]), ""),
    "grey in colour": ("x.npz", npz(lambda x: np.stack([x] * 3, -1)), ""),
    "flat": ("x.npz", npz(lambda x: x.reshape(-1, 784)), ""),
    "images last": ("x.npz", npz(lambda x: x.transpose(1, 2, 0)), ""),
    "floats": ("x.npz", npz(lambda x: x / 255), "from 0 to 1 are read as 0 to 255"),
    "half precision": ("x.npz", npz(lambda x: (x / 255).astype(np.float16)), "from 0 to 1"),
    "signed": ("x.npz", npz(lambda x: x / 127.5 - 1), "from -1 to 1"),
    "standardised": ("x.npz", npz(lambda x: (x / 255 - 0.1307) / 0.3081), "from -0.4242 to 2.821"),
    "a frame": ("x.npz", npz(lambda x: np.pad(x, ((0, 0), (2, 2), (2, 2)))), "their empty frame"),
    "one-hot": ("x.npz", npz(y=lambda y: np.eye(10)[y]), ""),
    "columns of floats": ("x.npz", npz(y=lambda y: y[:, None].astype(float)), ""),
    "words": ("x.npz", npz(y=lambda y: np.array([f"digit {n}" for n in y])), ""),
    "letters": ("x.npz", npz(y=lambda y: np.array([*"abcdefghij"])[y]), "0 a, 1 b"),
    "MATLAB's 10": ("x.npz", npz(y=lambda y: np.where(y, y, 10)), "10 is read as 0"),
    "tensors": ("x.pt", lambda path: torch.save(
        {"train_x": torch.tensor(X), "train_y": Y, "test_x": T, "test_y": torch.tensor(U)}, path
    ), ""),
    "HDF5": ("x.h5", h5, "from 0 to 1"),
    "two tables": ("x", in_folder(train__csv=rows(X, Y), test__csv=rows(T, U)), ""),
    "no header": ("x", in_folder(mnist_train__csv=rows(X, Y, header=False),
                                 mnist_test__csv=rows(T, U, header=False)), ""),
    "IDX": ("x", in_folder(**{"train-images-idx3-ubyte.gz": idx(X), "t10k-labels.gz": idx(U),
                              "train-labels-idx1-ubyte.gz": idx(Y), "t10k-images.gz": idx(T)}), ""),
    "pictures": ("x", pictures, ""),
    "a zip of tables": (
        "x.zip", zipped(in_folder(train__csv=rows(X, Y), test__csv=rows(T, U))), ""
    ),
    "a tar of pictures": ("x.tar.gz", zipped(pictures, "gztar"), ""),
    "each file twice": ("x", in_folder(**{
        name: idx(array) for name, array in
        {"train-images.gz": X, "train-labels.gz": Y, "t10k-images.gz": T, "t10k-labels.gz": U,
         "train-images-idx3": X, "train-labels-idx1": Y}.items()
    }), ""),
    "as of UCI": ("x", in_folder(**{"optdigits.tra": rows(X, Y, header=False),
                                    "optdigits.tes": rows(T, U, header=False)}), ""),
}  # fmt: skip


@pytest.mark.parametrize("kind", TWO_PARTS)
def test_the_same_digits_are_read_from_every_form(kind: str, tmp_path: Path) -> None:
    name, write, remark = TWO_PARTS[kind]
    write(tmp_path / name)
    read, said = read_data_set(tmp_path / name)
    assert (said.startswith("60 images to train and 20 to test"), remark in said) == (True, True)
    for part, images, labels in (("train", X, Y), ("test", T, U)):
        order = np.lexsort((labels,)) if "pictures" in kind else slice(None)
        found, classes = read[f"x_{part}"], read[f"y_{part}"]
        assert (found.dtype.name, classes.dtype.name) == ("uint8", "int64")
        assert classes.tolist() == labels[order].tolist()
        total = found.sum((1, 2), dtype=int)  # of pictures by name: "10.png" before "2.png"
        expected = images[order].sum((1, 2), dtype=int)
        assert (np.sort(total) if "pictures" in kind else total).tolist() == (
            np.sort(expected) if "pictures" in kind else expected
        ).tolist()


ONE_PART: dict[str, tuple[str, Write]] = {
    "a table": ("x.csv", lambda path: path.write_text(rows(X, Y))),
    "packed": ("x.csv.gz", lambda path: path.write_bytes(gzip.compress(rows(X, Y).encode()))),
    "semicolons": ("x.csv", lambda path: path.write_text(
        rows((X / 255).round(4), Y, sep=";").replace(".", ",")
    )),
    "test without labels": ("x", in_folder(train__csv=rows(X, Y), test__csv="\n".join(
        [",".join(NAMES), *(",".join(map(str, image.ravel())) for image in T)]
    ))),
    "a column an image": ("x.mat", lambda path: savemat(
        path, {"data": X.reshape(-1, 784).T, "label": Y[None].astype(float)}
    )),
    "pictures and a table": ("x", named_in_a_table),
    "labels in a text": ("x", labels_in_a_text),
    "two arrays": ("x.npz", lambda path: np.savez(path, X=X, y=Y)),
}  # fmt: skip


@pytest.mark.parametrize("kind", ONE_PART)
def test_of_one_part_every_seventh_image_is_for_testing(kind: str, tmp_path: Path) -> None:
    name, write = ONE_PART[kind]
    write(tmp_path / name)
    read, said = read_data_set(tmp_path / name)
    assert "one image of 7 is kept" in said
    np.testing.assert_array_equal(read["x_test"], X[6::7])
    np.testing.assert_array_equal(read["y_test"], Y[6::7])
    assert len(read["x_train"]) + len(read["x_test"]) == len(X)


REFUSED: dict[str, tuple[str, Write, str]] = {
    "letters": ("x.npz", npz(y=lambda y: np.arange(len(y)) + 1),
                   "expected ten classes"),
    "columns standardised": ("x.npz", npz(lambda x: RNG.normal(size=x.shape)), "not in 256 levels"),
    "scaled once": ("x.npz", lambda path: np.savez(path, x_train=X / 255, y_train=Y, x_test=T,
                    y_test=U), "different ranges for training and for testing: 0 to 1 and 0 to 25"),
    "not finite": ("x.npz", npz(lambda x: np.where(x == x.max(), np.nan, x)), "not finite"),
    "flat images of a test": ("x.npz", lambda path: np.savez(path, x_train=X, y_train=Y,
                    x_test=T.ravel(), y_test=U), "no images beside y_test: x_train uint8 [60, "),
    "a pickle": ("x.pkl", lambda path: path.write_bytes(b"\x80\x04]."), "never opened here"),
    "no labels": ("x.npy", lambda path: np.save(path, X), "no labels beside "),
    "a damaged picture": ("x", in_folder(**{"a.png": b"\x89PNG\r\n"}), "cannot identify image"),
    "pictures of one folder": ("x", one_folder, "no labels beside train/images"),
    "LIBSVM": ("x.txt", lambda path: path.write_text("5 1:0.5 9:1\n3 2:0.25\n"), "LIBSVM"),
    "an empty folder": ("x", in_folder(), "a folder of 0 files"),
    "two of one part": ("x.npz", lambda path: np.savez(path, a=X, b=X, c=X, y=Y), "of one part"),
    "oblong": ("x.npz", npz(lambda x: x[:, 2:]), "images of 26x28 pixels; expected square ones"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_data_set_is_refused_with_the_reason(kind: str, tmp_path: Path) -> None:
    name, write, reason = REFUSED[kind]
    write(tmp_path / name)
    with pytest.raises(ValueError, match="is always read") as refused:
        read_data_set(tmp_path / name)
    assert reason in str(refused.value)


def test_small_digits_are_enlarged(tmp_path: Path) -> None:
    """As of scikit-learn: 8x8 pixels of 0 to 16."""
    small = RNG.integers(0, 17, (14, 64))
    np.savez(tmp_path / "x.npz", data=small, target=np.arange(14) % 10)
    read, said = read_data_set(tmp_path / "x.npz")
    assert read["x_train"].shape == (12, 28, 28)
    assert "0 to 16 are read as 0 to 255; images of 8x8 pixels are read as 28x28, resized" in said


def test_what_is_packed_is_measured_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    TWO_PARTS["a zip of tables"][1](tmp_path / "x.zip")
    monkeypatch.setattr("parity.judge.folders.MOST_EXPECTED_BYTES", 9000)
    with pytest.raises(ValueError, match="an archive of more than 9,000 bytes"):
        read_data_set(tmp_path / "x.zip")


@pytest.mark.parametrize("more", [0, 1])
@pytest.mark.parametrize("lying", [False, True])
def test_the_ink_tells_what_labels_to_10_mean_and_how_digits_lie(
    more: int, lying: bool, tmp_path: Path
) -> None:
    """Ones are thin and upright; sevens have less ink than twos and eights."""
    x = np.zeros((100, 28, 28), np.uint8)
    y = np.arange(100) % 10
    for image, digit in zip(x, y.tolist(), strict=True):
        image[4:24, 13 : 14 + {1: 1, 7: 3}.get(digit, 8)] = 255
    said = y + 1 if more else np.where(y, y, 10)
    np.savez(tmp_path / "x.npz", X=x.transpose(0, 2, 1) if lying else x, y=said)
    read, remarks = read_data_set(tmp_path / "x.npz")
    assert ("each is one more" in remarks, "10 is read as 0" in remarks) == (more == 1, more == 0)
    assert ("lie on their side" in remarks) == lying
    assert read["y_test"].tolist() == y[6::7].tolist()
