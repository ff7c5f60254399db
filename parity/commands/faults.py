"""``python -m parity faults``: makes every known mistake; do the alarms go off?"""

from typing import Literal

from jsonargparse import Namespace

from parity.claims import claimed
from parity.commands.parser import OneSentenceParser
from parity.commands.terminal import Terminal
from parity.faults.runner import make_faults
from parity.provenance import command_line
from parity.report.matrix import show_matrix, tally, write_matrix
from parity.sides.jobs import SIDES
from parity.sides.runner import export_data

HELP = "make known mistakes and test the alarms"


def parser() -> OneSentenceParser:
    """The flags."""
    flags = OneSentenceParser(description="Make every known mistake; do the alarms go off?")
    flags.add_argument("--side", type=Literal["lightning", "keras", "both"], default="both")
    flags.add_data_arguments()
    flags.add_out_argument("runs/faults")
    return flags


def run(flags: Namespace, parser: OneSentenceParser) -> int:
    """1 where an alarm fails, otherwise 0.

    Raises:
        SideFailedError: the data cannot be had, or a run did not finish.
        ClaimedError: another process fills the folder.
    """
    console = Terminal()
    with claimed(flags.out):
        data = export_data(flags.out / "data", flags["data.source"], flags["data.root"])
        sides = list(SIDES) if flags.side == "both" else [flags.side]
        outcomes = make_faults(sides, data, flags.out / "runs", console)
        show_matrix(outcomes, data.stem, console)
        page = flags.out / "faults.html"
        write_matrix(outcomes, data.stem, command_line("parity"), page)
        console.say(f"page: {page}")
    return int(not all(tally(results).passed for results in outcomes.values()))
