"""``python -m parity diagnose RUN``: why is this model wrong, or what it is fed?"""

from pathlib import Path
from tempfile import TemporaryDirectory

from jsonargparse import Namespace

from parity.commands.parser import OneSentenceParser, any_path
from parity.commands.terminal import Terminal
from parity.judge.case_files import load_case
from parity.report.findings import show_findings
from parity.sides.predicted import as_files, is_model
from parity.watch.diagnosis import diagnose

HELP = "say why a model is wrong"


def parser() -> OneSentenceParser:
    """The flags."""
    flags = OneSentenceParser(description="Name the cause of what is wrong with a model.")
    flags.add_argument("run", type=any_path, help="Run directory, predictions, or a model.")
    flags.add_data_arguments()
    flags.add_argument(
        "--images",
        type=any_path,
        nargs="+",
        default=[],
        help="What it is fed: .npz, .npy, IDX, .csv, pictures or folders.",
    )
    return flags


def run(flags: Namespace, parser: OneSentenceParser) -> int:
    """1 where something is wrong, with or without a known cause, otherwise 0.

    Raises:
        SideFailedError: a model cannot be asked.
        RunRecordError: a file is missing, unreadable or breaks the contract.
    """
    if flags.images and is_model(flags.run):
        parser.error("--images needs a run, which has kept what its model was trained on")
    with TemporaryDirectory() as folder:
        data = flags["data.source"], flags["data.root"]
        (run,) = as_files([flags.run], *data, Path(folder))
        case = load_case(run, flags.images)
    findings = diagnose(case)
    show_findings(flags.run.name, case, findings, Terminal())
    return int(case.wrong or bool(findings))
