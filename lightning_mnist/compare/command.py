"""``python -m lightning_mnist compare``: its flags, its workers, its report."""

import argparse
import multiprocessing
from pathlib import Path

from lightning_mnist.compare.runs import Run, kept, named
from lightning_mnist.compare.worker import work
from lightning_mnist.errors import InputError
from lightning_mnist.trainings.flags import at_least_1, make_folder, refuse
from lightning_mnist.trainings.processes import guarded, processes_for, run, threads_each

OUT = Path("runs", "compare")


def main(arguments: list[str]) -> int:
    """Compare; 0, 1 where the input was at fault, 143 and 130 after SIGTERM and SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m lightning_mnist compare",
        description="Train several recipes with several seeds; which differences are real? Runs "
        "that --out has already are kept: where a comparison was interrupted the same command "
        "goes on.",
        epilog="All other flags are those of fit, and apply to every training.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-c", "--config", type=Path, action="append", required=True, help="A recipe, as of fit.")
    add("--seeds", type=at_least_1, default=5, help="Trainings of each recipe.")
    add("--out", type=Path, default=OUT, help=f"Folder to fill (default: {OUT}).")
    add("--workers", type=at_least_1, help="Processes (default: one for each processor).")
    known, flags = parser.parse_known_args(arguments)
    return guarded(_compare, known, flags)


def _compare(known: argparse.Namespace, flags: list[str]) -> int:
    recipes, out, seeds = named(known.config), known.out, known.seeds
    refuse(flags, "seed_everything")
    make_folder(out)
    workers = processes_for(known.workers, len(recipes) * seeds)
    taken = multiprocessing.get_context("spawn").Value("i", 0)
    arguments = (recipes, flags, seeds, out, threads_each(workers), taken)
    if code := run(work, arguments, workers):
        return code
    from lightning_mnist.compare.report import report

    report({name: _runs(out, name, seeds) for name in recipes}, out)
    return 0


def _runs(out: Path, name: str, seeds: int) -> list[Run]:
    runs = [kept(out, name, seed) for seed in range(seeds)]
    found = [run for run in runs if run is not None]
    if len(found) < seeds:
        raise InputError(f"--out {out}: a run of {name} has vanished; run the same command again")
    return found
