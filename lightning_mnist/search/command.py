"""``python -m lightning_mnist search``: its flags, its workers, its report."""

import argparse
from pathlib import Path

from lightning_mnist.sentences import check_installed
from lightning_mnist.trainings.flags import at_least_1, make_folder, refuse
from lightning_mnist.trainings.processes import guarded, processes_for, run, threads_each

RUNS = Path("runs")


def main(arguments: list[str]) -> int:
    """Search; 0, 1 where the input was at fault, 143 and 130 after SIGTERM and SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m lightning_mnist search",
        description="Find a better recipe on the validation images. Where a search was "
        "interrupted the same command goes on, and on several machines at once it shares the work.",
        epilog="All other flags are those of fit, and apply to every trial.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-c", "--config", type=Path, required=True, help="What to search: configs/search.yaml.")
    add("--out", type=Path, help="Folder to fill (default: runs/ and the search file's name).")
    add("--storage", help="A journal's path or a database's URL (default: journal.log in --out).")
    add("--workers", type=at_least_1, help="Processes (default: one for each processor).")
    known, flags = parser.parse_known_args(arguments)
    return guarded(_search, known, flags)


def _search(known: argparse.Namespace, flags: list[str]) -> int:
    check_installed("search", "search", "optuna")
    from lightning_mnist.search.asking import ENDED
    from lightning_mnist.search.spec import read_spec
    from lightning_mnist.search.storage import open_study
    from lightning_mnist.search.worker import work

    refuse(flags)
    spec = read_spec(known.config, flags)
    out: Path = known.out or RUNS / spec.name
    where = known.storage or str(out / "journal.log")
    make_folder(out)
    study = open_study(spec, where)
    left = spec.trials - len(study.get_trials(deepcopy=False, states=ENDED))
    if left > 0:
        print(f"{left} of {spec.trials} trials to go; all are kept in {where}", flush=True)
        workers = processes_for(known.workers, left)
        if code := run(work, (spec, where, threads_each(workers)), workers):
            return code
    from lightning_mnist.search.report import report

    report(open_study(spec, where), spec, out)
    return 0
