"""Flags and recipes of anyone's: measured before anything is made of them."""

import math
import os
from pathlib import Path

import pytest
import yaml

from parity import flags
from parity.flags import RecipeError, check_numbers, load, read_text

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{former}'] * 9)}]\n"
    for former, name in zip("abcdefghijkl", "bcdefghijklm", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "more than 10,000 values"),
        ("[" * 5000, "nested more than 50 deep"),
        ("- " * 5000, "nested more than 50 deep"),
        ("a: &a [*a]", "stands for nothing, or for what holds it"),
        ("a: 1\nb: 2\na: 3", "'a' is given twice"),
        ("a: " + "9" * 5000, "a value of 5,000 characters"),
        ("#" * 300_000, "300,000 characters"),
        ("!!timestamp 'x'", "cannot be read as YAML"),
        ("!!python/object/apply:os.system [x]", "could not determine a constructor"),
    ],
)
def test_what_stands_for_too_much_is_not_made(text: str, said: str) -> None:
    with pytest.raises(yaml.YAMLError, match=said):
        load(text)


def test_a_recipe_may_name_things_once_and_use_them_again() -> None:
    text = "a: &net {hidden: [8, 8]}\nb:\n  <<: *net\n  dropout: 1e-1\nc: *net"
    assert load(text)["b"] == {"hidden": [8, 8], "dropout": 0.1}


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"a: \xe9")
    (tmp_path / "large").write_bytes(b"#" * 300_000)
    os.mkfifo(tmp_path / "pipe")
    for path, said in (
        (tmp_path / "latin", "not text in UTF-8"),
        (tmp_path / "large", "300,000 bytes; expected at most"),
        (tmp_path / "pipe", "expected a file"),
        (tmp_path, "expected a file"),
        (Path("/dev/zero"), "expected a file"),
        (tmp_path / "gone", "no such file"),
    ):
        with pytest.raises(RecipeError, match=said):
            read_text(path)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seed_everything": -1}, "seed_everything is -1; expected at least 0"),
        ({"seed_everything": 2**32}, "expected at most 4,294,967,295"),
        ({"seeds": 10**9}, "seeds is 1000000000; expected at most 1,000"),
        ({"trainer": {"max_epochs": 10**9}}, "trainer.max_epochs is 1000000000; expected at most"),
        ({"data": {"batch_size": 10**9}}, "data.batch_size is"),
        ({"model": {"hidden": [1] * 2000}}, "model.hidden has 2,000 values"),
        ({"optimizer": {"settings": {"rho": float("nan")}}}, "rho is not a number"),
        ({"anything": 10**30}, "anything is"),
    ],
)
def test_numbers_beyond_reason_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        check_numbers(given)


def test_numbers_within_reason_pass() -> None:
    check_numbers({"seed_everything": 2**32 - 1, "images": ["a"] * 5000, "lr": 1e30, "n": None})
    check_numbers({"trainer": {"max_epochs": -1}, "seeds": "auto", "flag": True, "clip": math.inf})


def test_there_is_no_other_door_for_recipes_and_pictures() -> None:
    root = Path(flags.__file__).parent.parent
    for package in ("lightning_mnist", "keras_reference", "parity"):
        for path in (root / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert "yaml.load(" not in text, path
            assert "Image.open(" not in text or path.name == "picture_files.py", path
