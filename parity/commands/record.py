"""``python -m parity record MODULE:FUNCTION --out A.zip``: a side for a ladder elsewhere."""

import tempfile
from pathlib import Path

from jsonargparse import Namespace

from parity.commands.ladder import data_of
from parity.commands.parser import OneSentenceParser, any_path
from parity.ladder.bundle import Recorder, Replay, Shadow
from parity.ladder.climb import Climb
from parity.ladder.climber import Climber
from parity.ladder.plan import Plan
from parity.sides.jobs import ENTRIES
from parity.sides.remote import Remote

HELP = "one side of a ladder into a file, for a machine that has neither framework"


def parser() -> OneSentenceParser:
    """The flags."""
    flags = OneSentenceParser(description="Record what a side answers on the ladder, in float64.")
    flags.add_argument("entry", metavar="ENTRY", type=str, help="MODULE:FUNCTION or FILE.py:...")
    flags.add_argument("--out", type=any_path, required=True, help="The bundle to write.")
    flags.add_argument("--beside", type=any_path, help="The bundle of the other side.")
    flags.add_recipe_arguments()
    flags.add_data_arguments()
    return flags


def run(flags: Namespace, parser: OneSentenceParser) -> int:
    """0 where the bundle was written.

    Raises:
        SideFailedError: the data cannot be had, or the side cannot do what it is asked.
        BundleError: what `beside` names is no bundle.
    """
    recipe = parser.recipe(flags)
    other = Replay(flags.beside) if flags.beside else None
    size = other.about.batch_size if other else recipe.batch_size
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = data_of(flags, folder)
        with Remote(flags.entry, folder / "side") as remote:
            side = "lightning" if flags.entry == ENTRIES["lightning"] else "keras"
            given = recipe.flags(side, str(data), 0, str(folder / "unused"))
            remote.open(flags.entry, given, "float64")
            recorder = Recorder(remote)
            # The weights that both are given are near those of the second side.
            a: Climber = recorder if other else Shadow(recorder)
            b: Climber = other or recorder
            rungs = list(Climb(a, b, None, Plan(data, size), lambda _: None).rungs())
            recorder.save(flags.out, size, beside=other is not None)
    print(f"{flags.out}: {len(recorder.answers)} answers of {flags.entry}, {len(rungs)} rungs")
    return 0
