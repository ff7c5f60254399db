"""Trains both sides, each in a process of its own, side by side, and keeps what is finished."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
from rich.console import Console

from parity.run_record import sha256_of_digits
from parity.sides import jobs
from parity.sides.jobs import SIDES, SideFailedError
from parity.sides.process import environment
from parity.sides.recipe import Recipe

SOFTWARE = ("torch", "lightning", "tensorflow", "keras", "numpy")


def export_data(folder: Path, source: str, root: str | None) -> Path:
    """Have `lightning_mnist` write the raw arrays that both sides will read.

    Raises:
        SideFailedError: the data cannot be had; the message says why.
    """
    flags = ["export", str(folder), "--data.source", source]
    flags += ["--data.root", root] if root else []
    command = jobs.in_one_process("lightning_mnist", [flags], folder / "export.json")
    done = subprocess.run(  # noqa: S603
        command, env=environment(1), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SideFailedError(done.stderr.strip().removeprefix("error: "))
    sys.stderr.write(done.stderr)  # the loud word that these are not MNIST
    # Of what is printed only what "auto" came to: bytes of a path that are no text are escaped.
    named = source if source.endswith(".npz") else Path(done.stdout.strip()).name
    return folder / f"{Path(named).stem}.npz"


def train_both(recipe: Recipe, seeds: int, data: Path, out: Path, console: Console) -> Path:
    """Train every seed of both sides that is not there yet.

    Runs of one recipe, data and software share a folder below `out`.

    Returns:
        The folder with ``lightning`` and ``keras`` below it.

    Raises:
        SideFailedError: a side failed; finished runs are kept and reused.
    """
    with np.load(data, allow_pickle=False) as arrays:
        sha256 = sha256_of_digits(*(arrays[k] for k in ("x_train", "y_train", "x_test", "y_test")))
    versions = {name: metadata.version(name) for name in SOFTWARE}
    folder = out / "runs" / recipe.digest(sha256, versions)
    started = []
    for side, package in SIDES.items():
        run_dirs = [folder / side / f"seed{seed}" for seed in range(seeds)]
        commands = {
            path: [*recipe.flags(side, str(data), seed, str(path)), "--views", "all"]
            for seed, path in enumerate(run_dirs)
        }
        epochs = seeds * recipe.epochs
        started.append(jobs.start(side, package, commands, epochs, folder))
    jobs.finish(started, console)
    return folder
