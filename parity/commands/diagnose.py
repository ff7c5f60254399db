"""``python -m parity diagnose RUN``: why is this model wrong, or what it is fed?"""

from jsonargparse import Namespace

from parity.commands.parser import OneSentenceParser, any_path
from parity.commands.terminal import Terminal
from parity.judge.case_files import load_case
from parity.report.findings import show_findings
from parity.watch.diagnosis import diagnose

HELP = "say why a model is wrong"


def parser() -> OneSentenceParser:
    """The flags."""
    flags = OneSentenceParser(description="Name the cause of what is wrong with a model.")
    flags.add_argument("run", type=any_path, help="Run directory, or predictions in .npz.")
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
        RunRecordError: a file is missing, unreadable or breaks the contract.
    """
    case = load_case(flags.run, flags.images)
    findings = diagnose(case)
    show_findings(flags.run.name, case, findings, Terminal())
    return int(case.wrong or bool(findings))
