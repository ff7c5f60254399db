"""``python -m parity audit``: asks both sides for their settings and shows what differs."""

import dataclasses
import json
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal, get_args

from jsonargparse import Namespace

from parity.audit.readings import read
from parity.audit.rows import rows
from parity.commands.parser import OneSentenceParser
from parity.commands.terminal import Terminal
from parity.json_text import write_json
from parity.provenance import command_line, versions_of
from parity.report.audit import document, show
from parity.sides.entries import Precision
from parity.sides.jobs import ENTRIES, SIDES
from parity.sides.recipe import Recipe
from parity.sides.remote import Remote
from parity.sides.runner import SOFTWARE, export_data

HELP = "show the effective settings of both sides"
RECORD = "audit.json"
PRECISION: Precision = "float32"
"""What a training computes in."""
Defaults = Literal["none", "all", "adam", "adamw", "sgd", "rmsprop", "adagrad", "nadam"]
Asked = dict[str, dict[str, Any]]


def parser() -> OneSentenceParser:
    """The flags."""
    flags = OneSentenceParser(description="Show the effective settings of both sides.")
    flags.add_recipe_arguments()
    flags.add_argument(
        "--defaults",
        type=Defaults,
        nargs="?",
        const="all",
        default="none",
        help="Instead of the recipe, both frameworks' own defaults: of this optimiser, or of all.",
    )
    flags.add_argument("--all", action="store_true", help="Show equal settings too.")
    flags.add_data_arguments()
    flags.add_out_argument("runs/audit")
    return flags


def run(flags: Namespace, parser: OneSentenceParser) -> int:
    """0 where every difference is explained, otherwise 1.

    Raises:
        SideFailedError: the data cannot be had, or a side cannot be built.
    """
    recipe = parser.recipe(flags)
    console = Terminal()
    data = export_data(flags.out / "data", flags["data.source"], flags["data.root"])
    recipes = audited(recipe, flags.defaults)
    with console.status("asking both sides"):
        measured = ask(recipes, data)
    found = rows(*(_joined(read(asked[side]) for asked in measured) for side in SIDES))
    show(found, list(SIDES), console, everything=flags.all)
    about = {
        "command": command_line("parity"),
        "data": data.stem,
        "recipes": [each.training() for each in recipes],
        "versions": versions_of(*SOFTWARE),
        "measured": measured,
    }
    write_json(flags.out / RECORD, document(found, list(SIDES), about))
    console.say(f"record: {flags.out / RECORD}")
    return int(any(row.status == "unexplained" for row in found))


def audited(recipe: Recipe, defaults: Defaults) -> list[Recipe]:
    """The recipe, or it with both frameworks' own defaults of one optimiser or of each."""
    if defaults == "none":
        return [recipe]
    plain = dataclasses.replace(
        recipe, port="torch", learning_rate=None, optimizer_settings={}, batch_norm=True
    )
    both = [name for name in get_args(Defaults) if name not in ("none", "all")]
    names: Iterable[Any] = both if defaults == "all" else (defaults,)
    return [dataclasses.replace(plain, optimizer=name) for name in names]


def ask(recipes: Sequence[Recipe], data: Path) -> list[Asked]:
    """What either side, in a process of its own, says of itself for each recipe."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sides = {side: stack.enter_context(Remote(side, folder / side)) for side in SIDES}
        asked = []
        for recipe in recipes:
            for side, remote in sides.items():
                flags = recipe.flags(side, str(data), 0, str(folder / "unused"))
                remote.open(ENTRIES[side], flags, PRECISION)
            for remote in sides.values():
                remote.receive()
            asked.append(_answers(sides))
        return asked


def _answers(sides: dict[str, Remote]) -> Asked:
    for remote in sides.values():
        remote.send("settings")
    texts = {side: str(remote.receive()["settings"]) for side, remote in sides.items()}
    return {side: json.loads(text) for side, text in texts.items()}


def _joined(settings: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Settings of the first, and of each its optimiser's."""
    joined: dict[str, Any] = {}
    for each in settings:
        joined |= {key: value for key, value in each.items() if key not in joined}
    return joined
