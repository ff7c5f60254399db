"""``python -m lightning_mnist runs``: what has been run, and what came of it."""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from lightning_mnist.errors import InputError
from lightning_mnist.runs.columns import in_columns
from lightning_mnist.runs.difference import differences, parting
from lightning_mnist.runs.run import Run, find_run, find_runs
from parity.run_record import RECORD_FILE, RunRecord

SORTS: dict[str, Callable[[Run], tuple[bool, float]]] = {
    "date": lambda run: (True, run.date.timestamp()),
    "accuracy": lambda run: (run.accuracy is not None, run.accuracy or 0.0),
    "seconds": lambda run: (run.seconds is not None, run.seconds or 0.0),
    "epochs": lambda run: (True, run.epochs),
}
COLUMNS = ["run", "date", "recipe", "data", "epochs", "accuracy", "seconds", "state"]
NUMBERS = ("epochs", "accuracy", "seconds")


def main(arguments: list[str]) -> None:
    """Run one of the commands; raises `InputError` where the input was at fault."""
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["list", *arguments]
    flags = _parser().parse_args(arguments)
    flags.run(flags)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lightning_mnist runs",
        description="Runs of both sides: their records, found below a folder.",
    )
    commands = parser.add_subparsers(required=True, metavar="list | show | diff | best | rm")

    def command(
        name: str, run: Callable[[argparse.Namespace], None], help_: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_, description=help_)
        sub.add_argument(
            "--folder", type=Path, default=Path("runs"), help="Where runs are looked for."
        )
        sub.set_defaults(run=run)
        return sub

    listing = command("list", _list, "All runs in a table; the default.")
    listing.add_argument("--sort", choices=SORTS, default="date", help="Last is largest.")
    best = command("best", _best, "The finished training of the highest accuracy on each data set.")
    for sub in (listing, best):
        sub.add_argument(
            "--only", nargs="+", default=[], metavar="WORD", help="Runs whose row has every word."
        )
    command("show", _show, "All about one run.").add_argument("name", help="Path or name.")
    diff = command("diff", _diff, "What differs between two runs, and where their histories part.")
    diff.add_argument("first", help="Path or name.")
    diff.add_argument("second", help="Path or name.")
    remove = command("rm", _remove, "Remove runs, with all files in their folders.")
    remove.add_argument("names", nargs="+", help="Paths or names.")
    remove.add_argument("--yes", action="store_true", help="Remove; else only say what would be.")
    return parser


def _cells(run: Run) -> list[str]:
    return [
        str(run.folder), f"{run.date:%Y-%m-%d %H:%M}", run.recipe, run.data, str(run.epochs),
        "" if run.accuracy is None else f"{run.accuracy:.2%}",
        "" if run.seconds is None else f"{run.seconds:.1f}", run.state,
    ]  # fmt: skip


def _chosen(flags: argparse.Namespace) -> list[Run]:
    rows = [(run, "\n".join(_cells(run)).lower()) for run in find_runs(flags.folder)]
    return [run for run, row in rows if all(word.lower() in row for word in flags.only)]


def _list(flags: argparse.Namespace) -> None:
    runs = _chosen(flags)
    if not runs:
        which = " with every one of these words" if flags.only else ""
        print(f"no runs{which} in {flags.folder}")
        return
    rows = [_cells(run) for run in sorted(runs, key=SORTS[flags.sort])]
    print(in_columns([COLUMNS, *rows], right=[COLUMNS.index(name) for name in NUMBERS]))


def _best(flags: argparse.Namespace) -> None:
    best: dict[str, Run] = {}
    for run in sorted(_chosen(flags), key=SORTS["accuracy"]):
        record = run.record
        if record and record.finished and record.command == "fit" and run.accuracy is not None:
            best[str(record.data.get("sha256"))] = run
    if not best:
        raise InputError(f"{flags.folder}: no finished training in it that was tested")
    for run in best.values():
        print(f"{run.data}: {run.accuracy:.2%} {run.folder}")


def _whole(name: str, folder: Path) -> RunRecord:
    run = find_run(name, folder)
    if run.record is None:
        raise InputError(f"{run.folder / RECORD_FILE}: {run.damage}")
    return run.record


def _show(flags: argparse.Namespace) -> None:
    run = find_run(flags.name, flags.folder)
    facts = dict(zip(COLUMNS, _cells(run), strict=True))
    if run.record:
        record, origin = run.record, run.record.provenance
        facts |= {"framework": record.framework, "seed": str(record.seed)}
        facts["versions"] = ", ".join(f"{name} {v}" for name, v in record.versions.items())
        facts["data sha256"] = str(record.data.get("sha256", ""))
        if origin:
            changed = " with changes" if origin.clean is False else ""
            facts["commit"] = f"{origin.commit}{changed}" if origin.commit else "of no checkout"
            facts["command line"] = " ".join(origin.command_line)
            facts["machine"] = f"{origin.host}, {origin.system}, {origin.cores} cores"
        facts["files"] = ", ".join(sorted(p.name for p in run.folder.iterdir()))
    print(in_columns(list(facts.items())))


def _diff(flags: argparse.Namespace) -> None:
    first, second = (_whole(name, flags.folder) for name in (flags.first, flags.second))
    rows = differences(first, second)
    if rows:
        print(in_columns([("what differs", flags.first, flags.second), *rows]))
    else:
        print("no setting, version or result differs")
    both = min(len(first.history), len(second.history))
    if apart := parting(first, second):
        print(
            f"histories part in epoch {apart.epoch}: {apart.name} "
            f"{apart.first:.6g} and {apart.second:.6g}"
        )
    elif both:
        print(f"the histories are the same in all {both} epochs that both have")
    else:
        print("no epoch that both have: the histories cannot be compared")


def _remove(flags: argparse.Namespace) -> None:
    runs = [find_run(name, flags.folder) for name in flags.names]
    for run in runs:
        if run.state == "running":
            raise InputError(f"{run.folder}: is running; end it first")
        if run.folder.is_symlink() or run.folder.resolve() in Path.cwd().resolve().parents:
            raise InputError(f"{run.folder}: a link, or holds this folder; remove it by hand")
        if len(inside := find_runs(run.folder)) > 1:
            raise InputError(f"{run.folder}: holds other runs too, {inside[1].folder} for one")
    for run in runs:
        print(f"{'removed' if flags.yes else 'would be removed'}: {run.folder}")
        if flags.yes:
            try:
                shutil.rmtree(run.folder)
            except OSError as error:
                raise InputError(f"{run.folder}: cannot be removed ({error})") from error
    if not flags.yes:
        print("nothing is removed without --yes")
