"""Makes every mistake of the catalogue on both sides, and reads what came of it."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from parity.faults.catalogue import CATALOGUE, Fault, Outcome, outcome, recipes
from parity.sides import jobs
from parity.sides.jobs import SIDES
from parity.sides.recipe import Recipe


def make_faults(
    sides: Sequence[str],
    data: Path,
    out: Path,
    console: Console,
    catalogue: Sequence[Fault] = CATALOGUE,
) -> dict[str, list[Outcome]]:
    """Train and predict with every mistake, and without.

    All read the ``.npz`` `data`; runs below `out` are made anew.

    Returns:
        What came of each mistake, by side, in the order of the catalogue.

    Raises:
        SideFailedError: a run did not finish.
    """
    shutil.rmtree(out, ignore_errors=True)
    known = recipes(digits=data.stem == "digits")
    started = []
    for side in sides:
        commands, epochs = _commands(side, data, out / side, known, catalogue)
        started.append(jobs.start(side, f"{SIDES[side]}.instruments.faults", commands, epochs, out))
    jobs.finish(started, console)
    return {
        side: [
            outcome(fault, out / side / str(number), out / side / f"healthy-{fault.recipe}")
            for number, fault in enumerate(catalogue)
        ]
        for side in sides
    }


def _commands(
    side: str, data: Path, out: Path, known: dict[str, Recipe], catalogue: Sequence[Fault]
) -> tuple[dict[Path, list[str]], int]:
    """Command lines by run directory below `out`, healthy ones first, and the epochs of all."""
    commands = {}
    epochs = sum(recipe.epochs for recipe in known.values())
    for name, recipe in known.items():
        run_dir = out / f"healthy-{name}"
        commands[run_dir] = ["none", *recipe.flags(side, str(data), 0, str(run_dir))]
    for number, fault in enumerate(catalogue):
        recipe = known[fault.recipe]
        run_dir = out / str(number)
        if fault.at_test:
            flags = _test(side, out / f"healthy-{fault.recipe}", data, run_dir)
        else:
            if fault.learning_rate is not None:
                recipe = replace(recipe, learning_rate=fault.learning_rate)
            flags = recipe.flags(side, str(data), 0, str(run_dir))
            epochs += recipe.epochs
        commands[run_dir] = [fault.made, *flags]
    return commands, epochs


def _test(side: str, healthy: Path, data: Path, run_dir: Path) -> list[str]:
    """The command line that has a trained model answer the test set."""
    where = ["--data.source", str(data), "--run_dir", str(run_dir)]
    if side == "lightning":
        return ["test", "--ckpt_path", str(healthy / "checkpoints" / "best.ckpt"), *where]
    return ["predict", "--model_file", str(healthy / "model.keras"), *where]
