"""What a search leaves: the best recipe, all trials as JSON, and a page."""

import textwrap
from pathlib import Path
from typing import Any

import optuna
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lightning_mnist.search.pictures import draw
from lightning_mnist.search.results import Trial, importances, ranked, trials_of
from lightning_mnist.search.spec import Spec
from lightning_mnist.search.worker import DATA
from lightning_mnist.terminal import show
from lightning_mnist.trainings.page import SOFTWARE
from parity.json_text import write_json
from parity.pages import write_page
from parity.provenance import command_line, versions_of
from parity.writing import write_file

BEST, STUDY, PAGE = "best.yaml", "study.json", "search.html"
SHOWN = 10


def report(study: optuna.Study, spec: Spec, out: Path) -> None:
    """Write the files into `out`, and show the ten best."""
    trials = trials_of(study)
    best = ranked(trials)
    shares = importances(study)
    run = {
        "name": spec.name,
        "command": command_line("lightning_mnist"),
        "versions": versions_of(*SOFTWARE, "optuna"),
        "data": study.user_attrs.get(DATA),
    }
    described = {
        **run,
        "search": spec.given,
        "flags": spec.flags,
        "best": best[0].number if best else None,
        "importances": shares,
        "trials": [trial.describe() for trial in trials],
    }
    write_json(out / STUDY, described)
    write_page(out / PAGE, "lightning_mnist", "search/search.html.j2", **run, **{
        "trials": trials,
        "finished": len(best),
        "ten": best[:SHOWN],
        "importances": shares,
        "pictures": draw(trials, shares),
        "seconds": sum(trial.seconds for trial in trials),
        "pruned_seconds": sum(trial.seconds for trial in trials if trial.ended == "pruned"),
    })  # fmt: skip
    if best:
        _write_recipe(best[0], spec, out / BEST)
    _show(best[:SHOWN], out)


def _write_recipe(trial: Trial, spec: Spec, path: Path) -> None:
    said = (
        f"Trial {trial.number} of the search {spec.name}: {trial.value:.2%} of the validation "
        f"images after {len(trial.history)} epochs. The best of many, and so somewhat lucky."
    )
    comment = "".join(f"# {line}\n" for line in textwrap.wrap(said, 96))
    write_file(path, comment + trial.recipe)


def _show(best: list[Trial], out: Path) -> None:
    table = Table(title="the best on the validation images", title_justify="left")
    for column in ("trial", "validation", "training", "epochs", "seconds"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("flags", no_wrap=True)
    for trial in best:
        row: list[Any] = [trial.number, f"{trial.value:.2%}", f"{trial.train_accuracy:.2%}"]
        row += [len(trial.history), f"{trial.seconds:.1f}"]
        flags = " ".join(f"--{flag} {value}" for flag, value in trial.flags.items())
        table.add_row(*map(str, row), Text(flags))
    show(table, Console())
    print(f"{out / PAGE}\nto train it: python -m lightning_mnist fit -c {out / BEST}")
