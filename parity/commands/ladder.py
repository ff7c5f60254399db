"""``python -m parity ladder``: climbs, shows each rung, leaves a record and a picture."""

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from parity.commands.parser import OneSentenceParser
from parity.commands.terminal import Terminal
from parity.files import check_npz
from parity.json_text import write_json
from parity.ladder.bundle import BundleError, Replay
from parity.ladder.climb import Climb
from parity.ladder.climber import Climber
from parity.ladder.plan import Plan
from parity.ladder.rung import Rung
from parity.provenance import command_line, versions_of
from parity.report.ladder import document, draw_ladder, show_rung, summary
from parity.sides.entries import Precision
from parity.sides.jobs import ENTRIES, SideFailedError
from parity.sides.lockstep import DIGITS
from parity.sides.recipe import Recipe
from parity.sides.remote import Remote
from parity.sides.runner import SOFTWARE, export_data
from parity.writing import write_file

HELP = "train in lock step: where do they part?"
Sides = tuple[Climber, Climber, Climber | None]
RECORD, PICTURE = "ladder.json", "ladder.png"


def parser() -> OneSentenceParser:
    """The flags."""
    flags = OneSentenceParser(description="Climb in lock step; where do the two sides part?")
    flags.add_argument(
        "sides", nargs="*", type=str, metavar="SIDE", help="A and B: MODULE:FUNCTION, or bundles."
    )
    flags.add_recipe_arguments()
    flags.add_argument("--map", nargs="*", type=str, default=[], help="Layers, as dense_1=dense_2.")
    flags.add_argument("--precision", type=Precision, default="float64", help="Of the arithmetic.")
    flags.add_argument("--keep-going", action="store_true", help="Past the first broken rung.")
    flags.add_argument("--a", default=ENTRIES["lightning"], help="Side A, MODULE:FUNCTION.")
    flags.add_argument("--b", default=ENTRIES["keras"], help="Side B, MODULE:FUNCTION.")
    flags.add_data_arguments()
    flags.add_out_argument("runs/ladder")
    return flags


def run(flags: Namespace, parser: OneSentenceParser) -> int:
    """0 where every rung holds, 1 where one is broken.

    Raises:
        SideFailedError: the data cannot be had, or a side cannot do what it is asked.
    """
    recipe = parser.recipe(flags)
    console = Terminal()
    if flags.sides and len(flags.sides) != 2:
        parser.error(f"{len(flags.sides)} sides; expected two, as A.zip B.zip or M:F M:F")
    flags.a, flags.b = flags.sides or (flags.a, flags.b)
    told = _told(flags, parser)
    bundles = flags.a.endswith(".zip") and flags.b.endswith(".zip")
    data = Path() if bundles else data_of(flags, flags.out / "data")
    if recipe.dropout or recipe.augmentation:
        console.print("dropout and augmentation draw at random: in lock step they are off")
        recipe = dataclasses.replace(recipe, dropout=0.0, augmentation={})
    ours = {entry: side for side, entry in ENTRIES.items()}
    names = ours.get(flags.a, flags.a), ours.get(flags.b, flags.b)
    plan = Plan(data, recipe.batch_size, flags.precision, told=told)
    if bundles:
        opening, names, plan = replayed(Path(flags.a), Path(flags.b), plan)
    else:
        opening = started(recipe, flags.a, flags.b, names, plan)
    flags.out.mkdir(parents=True, exist_ok=True)
    with opening as sides, console.status("") as status:
        climb = Climb(*sides, plan, status.update)
        rungs = _climbed(climb, console, keep_going=flags.keep_going)
    console.say(summary(rungs, names), style="bold")
    about = {
        "command": command_line("parity"),
        "precision": flags.precision,
        "data": data.stem or "of the bundles",
        "recipe": recipe.training(),
        "versions": versions_of(*([] if bundles else SOFTWARE)),
    }
    _write(flags.out, rungs, names, about)
    console.say(f"record and picture: {flags.out}")
    return int(not all(rung.passed for rung in rungs))


def _climbed(climb: Climb, console: Terminal, *, keep_going: bool) -> list[Rung]:
    """Each rung, shown as it is reached, up to the first broken one or to the top."""
    rungs: list[Rung] = []
    for rung in climb.rungs():
        rungs.append(rung)
        show_rung(rung, console)
        if not rung.passed and not keep_going:
            break
    return rungs


def _write(out: Path, rungs: list[Rung], names: tuple[str, str], about: dict[str, Any]) -> None:
    """The record of a climb and its picture, as files in `out`."""
    write_json(out / RECORD, document(rungs, names, about))
    write_file(out / PICTURE, draw_ladder(rungs, names))


def data_of(flags: Namespace, folder: Path) -> Path:
    """The ``.npz`` that is named, or one that is written into `folder`.

    Raises:
        SideFailedError: the data cannot be had.
    """
    named = Path(flags["data.source"])
    if named.suffix == ".npz" and named.exists():
        try:
            check_npz(named, DIGITS)
        except ValueError as error:
            raise SideFailedError(f"{named}: {error}") from None
        return named
    return export_data(folder, flags["data.source"], flags["data.root"])


def _told(flags: Namespace, parser: OneSentenceParser) -> dict[str, str]:
    """Layers of A and of B that are one."""
    pairs = [text.partition("=") for text in flags.map]
    if odd := ["".join(pair) for pair in pairs if not all(pair)]:
        parser.error(f"--map {odd[0]}; expected layers of A and of B, as dense_1=dense_2")
    return {a: b for a, _, b in pairs}


def replayed(
    a: Path, b: Path, plan: Plan
) -> tuple[AbstractContextManager[Sides], tuple[str, str], Plan]:
    """Two bundles as sides, their names, and what they climbed.

    Raises:
        BundleError: they were not recorded beside each other.
    """
    first, second = Replay(a), Replay(b)
    if first.about.beside == second.about.beside:
        raise BundleError(
            f"{a} and {b} were not recorded beside each other: record the second with --beside {a}"
        )
    # The one that was recorded alone comes second: the weights that both got are near its own.
    if second.about.beside:
        first, second = second, first
    plan = dataclasses.replace(plan, batch_size=first.about.batch_size)
    return nullcontext((first, second, None)), (first.name, second.name), plan


@contextmanager
def started(recipe: Recipe, a: str, b: str, names: tuple[str, str], plan: Plan) -> Iterator[Sides]:
    """Processes of the entry points `a`, `b` and, in float32, of `b` once more.

    Each is given the recipe as the command line of our Lightning side (`a`) or Keras side (`b`).
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def start(key: str, name: str, side: str, entry: str) -> Remote:
            flags = recipe.flags(side, str(plan.data), 0, str(folder / "unused"))
            remote = stack.enter_context(Remote(name, folder / key))
            remote.open(entry, flags, plan.precision)
            return remote

        first = start("a", names[0], "lightning", a)
        second = start("b", names[1], "keras", b)
        float32 = plan.precision == "float32"
        echo = start("echo", f"{names[1]}, once more", "keras", b) if float32 else None
        yield first, second, echo
