"""What the commands of many trainings have in common on the command line."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from lightning_mnist.errors import InputError
from lightning_mnist.sentences import writing

OF_A_RUN = ("resume", "ckpt_path", "run_dir", "views")
"""Flags of `fit` that are about its run directory, and no part of what is trained."""


def at_least_1(text: str) -> int:
    """A whole number from 1 on, for `argparse`."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number, at least 1")
    return int(text)


def names_of(words: Iterable[str]) -> set[str]:
    """The flags among the words of a command line, without dashes and values."""
    return {word.partition("=")[0].lstrip("-") for word in words if word.startswith("-")}


def without(words: Sequence[str], names: Iterable[str]) -> list[str]:
    """The words of a command line without some flags and their values."""
    left: list[str] = []
    left_out = False
    for word in words:
        if word.startswith("--"):
            left_out = word.partition("=")[0].lstrip("-") in names
        if not left_out:
            left.append(word)
    return left


def refuse(words: Iterable[str], *others: str) -> None:
    """Refuse flags of `fit` that mean nothing to many trainings.

    Raises:
        InputError: one of them is there.
    """
    for name in sorted(names_of(words) & {*OF_A_RUN, *others}):
        raise InputError(f"--{name}: every training decides that for itself here; leave it out")


def make_folder(out: Path) -> None:
    """Make the folder to fill.

    Raises:
        InputError: it cannot be made.
    """
    with writing(f"--out {out}"):
        out.mkdir(parents=True, exist_ok=True)
