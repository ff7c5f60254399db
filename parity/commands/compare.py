"""``python -m parity compare A B``: what both sides left behind, judged and reported."""

from pathlib import Path
from tempfile import TemporaryDirectory

from jsonargparse import Namespace

from parity.api import Comparison, compare
from parity.commands.parser import OneSentenceParser, any_path
from parity.commands.terminal import Terminal
from parity.judge.verdict import Thresholds
from parity.provenance import command_line
from parity.sides.predicted import as_files

HELP = "compare what has been trained"


def parser() -> OneSentenceParser:
    """The flags."""
    flags = OneSentenceParser(description="Compare two sides that have been trained.")
    flags.add_argument(
        "a",
        type=any_path,
        help="Run directory, folder of them, .npz or .csv; or a model: .keras, .h5, "
        "MODULE:FUNCTION or FILE.py:FUNCTION, with @FILE of weights.",
    )
    flags.add_argument("b", type=any_path, help="The other side.")
    flags.add_argument("--out", type=any_path, help="Folder for the report.")
    flags.add_class_arguments(Thresholds, "margins")
    flags.add_data_arguments()
    flags.add_argument("--views", nargs="+", default=[], help="Views to judge as well.")
    return flags


def run(flags: Namespace, parser: OneSentenceParser) -> int:
    """The verdict.

    Raises:
        CannotCompareError: the sides cannot be compared.
        RunRecordError: a file is missing or breaks the contract.
        SideFailedError: a model cannot be asked.
    """
    flags = parser.instantiated(flags)
    with TemporaryDirectory() as folder:
        data = flags["data.source"], flags["data.root"]
        a, b = as_files([flags.a, flags.b], *data, Path(folder))
        return report(compare(a, b, flags.margins, flags.views), flags.out, Terminal())


def report(comparison: Comparison, out: Path | None, console: Terminal) -> int:
    """Show a comparison and write it to `out`, if given; the verdict as exit code."""
    from parity.report.document import document  # slow to import
    from parity.report.text import show

    command = command_line("parity")
    show(document(comparison, command), console)
    if out is not None:
        comparison.write(out, command)
        console.say(f"report: {out / 'report.html'}")
    return comparison.verdict.value
