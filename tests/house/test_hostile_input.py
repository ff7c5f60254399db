"""Hostile files and numbers, to all three programs: a sentence, an exit code, no traceback."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_mnist.checkpoint import WholeCheckpointIO, read_checkpoint
from lightning_mnist.errors import InputError
from parity.ladder.bundle import BundleError, Replay
from tests.conftest import Done, Here
from tests.parity.judge.test_flags import BOMB

PROGRAMS = {
    "lightning_mnist": ("fit", "--data.source", "digits"),
    "keras_reference": ("fit",),
    "parity": ("run", "--data.source", "digits"),
}


def assert_refused(done: Done, code: int, said: str) -> None:
    assert done.code == code, done.err
    (sentence,) = (line for line in done.err.splitlines() if line.startswith("error: "))
    assert said in sentence
    assert len(sentence) < 1000
    assert "Traceback" not in done.err + done.out


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest, in_process: Here) -> Callable[..., Done]:
    """The command of a program that takes a recipe."""
    name = request.param
    return lambda *flags: in_process(name, *PROGRAMS[name], *flags)


def test_no_program_makes_anything_of_a_hostile_recipe(
    program: Callable[..., Done], tmp_path: Path
) -> None:
    for name, content in (
        ("bomb", BOMB.encode()), ("deep", b"[" * 5000), ("latin", b"a: \xe9"), ("empty", b""),
        ("large", b"#" * 300_000), ("list", b"[1, 2]"), ("number", b"5"), ("NUL", b"a: \0"),
    ):  # fmt: skip
        (tmp_path / f"{name}.yaml").write_bytes(content)
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    for name, said in (
        ("bomb.yaml", "more than 10,000 values"), ("deep.yaml", "nested more than 50"),
        ("latin.yaml", "not text in UTF-8"), ("large.yaml", "expected at most"),
        ("list.yaml", "Unexpected config"), ("number.yaml", "Unexpected config"),
        ("NUL.yaml", "control characters"), ("folder.yaml", "not a file"),
        ("pipe.yaml", "expected a file"), ("/dev/zero", "not a file"), ("gone.yaml", "not exist"),
    ):  # fmt: skip
        assert_refused(program("-c", name), 2, said)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("package", "flag", "value", "code"),
    [
        ("lightning_mnist", "--seed_everything", -1, 2),
        ("lightning_mnist", "--seed_everything", 10**30, 2),
        ("lightning_mnist", "--model.hidden", "[" * 5000, 2),
        ("lightning_mnist", "--model.hidden", "[1000000000]", 1),
        ("lightning_mnist", "--model.hidden", [1] * 1001, 2),
        ("lightning_mnist", "--trainer.max_epochs", 10**12, 2),
        ("lightning_mnist", "--data.batch_size", 10**12, 2),
        ("lightning_mnist", "--threads", 10**6, 2),
        ("lightning_mnist", "--optimizer.lr", ".nan", 2),
        ("lightning_mnist", "--run_dir", "x" * 5000, 1),
        ("keras_reference", "--seed_everything", -1, 2),
        ("keras_reference", "--model.hidden", "[" * 5000, 2),
        ("keras_reference", "--model.hidden", "[1000000000]", 1),
        ("keras_reference", "--trainer.max_epochs", 10**12, 2),
        ("keras_reference", "--data.batch_size", 10**12, 2),
        ("parity", "--seeds", 10**9, 2),
        ("parity", "--most_seeds", 10**9, 2),
        ("parity", "--epochs", 10**12, 2),
        ("parity", "--hidden", "[1000000000]", 2),
        ("parity", "--learning_rate", ".nan", 2),
    ],
)
def test_numbers_beyond_reason(
    package: str, flag: str, value: object, code: int, in_process: Here, tmp_path: Path
) -> None:
    done = in_process(package, *PROGRAMS[package], flag, value)
    assert_refused(done, code, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_archive_is_believed_by_its_headers_alone(
    in_process: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    with np.load(tiny_npz) as file:
        arrays = dict(file)
    np.savez_compressed(tmp_path / "bomb.npz", **arrays | {"x_test": np.zeros(2**26, np.uint8)})
    (tmp_path / "empty.npz").touch()
    os.mkfifo(tmp_path / "pipe.npz")
    no_images = "no images beside y_test: x_train uint8 [400, 28, 28], y_train int64 [400], x_test"
    for name, said in (
        ("bomb.npz", no_images),
        ("empty.npz", "empty; expected images"),
        ("pipe.npz", "expected"),
    ):
        for package in ("lightning_mnist", "keras_reference"):
            done = in_process(package, "fit", "--data.source", name)
            assert_refused(done, 1, said)
        done = in_process("parity", "run", "--data.source", name, "--out", "out")
        assert_refused(done, 5, said)
    for name, said in (("empty.npz", "damaged, or no arrays"), ("pipe.npz", "expected a file")):
        done = in_process("parity", "ladder", "--data.source", name, "--out", "out")
        assert_refused(done, 5, said)


def claim(path: Path, **hyperparameters: Any) -> None:
    """A checkpoint of a few hundred bytes that names a network."""
    WholeCheckpointIO().save_checkpoint(
        {"hyper_parameters": hyperparameters, "state_dict": {"w": torch.zeros(3)}}, path
    )


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        ([10**6, 10**6], "names 1,000,794,000,000 weights and has"),
        ([3000, 3000], "names 11,382,000 weights"),
        ([1] * 10**4, "expected at most 1,000 widths|names 10,793 weights"),
        ("many", "a checkpoint of another model"),
    ],
)
def test_a_checkpoint_holds_the_weights_that_it_names(
    hidden: object, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "claims.ckpt"
    claim(path, hidden=hidden)
    with pytest.raises(InputError, match=said):
        read_checkpoint(path)


def test_a_journal_of_trials_is_one_or_left_alone(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="the extra search is not installed")
    from lightning_mnist.search.spec import read_spec
    from lightning_mnist.search.storage import open_study

    path = tmp_path / "search.yaml"
    path.write_text("space: {model.activation: {choices: [relu, gelu]}}")
    spec = read_spec(path, [])
    (tmp_path / "picture").write_bytes(b"\x89PNG, and no end of line")
    (tmp_path / "odd").write_text('{"op_code": 99, "worker_id": "a", "study_id": 0}\n')
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    for name in ("picture", "odd", "loop", "zeros"):
        with pytest.raises(InputError, match="cannot be opened"):
            open_study(spec, str(tmp_path / name))
    assert (tmp_path / "picture").read_bytes() == b"\x89PNG, and no end of line"


@pytest.mark.parametrize(
    "index",
    [
        {}, {"name": "a", "batch_size": 8}, {"name": "a", "batch_size": "8", "beside": False},
        {"name": "a", "batch_size": -1, "beside": False}, [],
        {"name": "a", "batch_size": 8, "beside": False, "version": 2},
        {"name": "a", "batch_size": 8, "beside": False, "answers": [{"asked": [], "arrays": []}]},
    ],
)  # fmt: skip
def test_a_bundle_says_all_that_a_climb_needs(index: object, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("index.json", json.dumps(index))
    with pytest.raises(BundleError, match="cannot be read as a bundle"):
        Replay(path)


def test_a_name_in_bytes_of_no_text_is_no_recipe(program: Callable[..., Done]) -> None:
    assert_refused(program("-c", "\udcff.yaml"), 2, "not text in UTF-8")
