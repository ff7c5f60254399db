"""Flags of the commands that Lightning does not have."""

from jsonargparse.typing import PositiveInt
from lightning.pytorch.cli import LightningArgumentParser

from parity.watch.guard import Reaction


def add_flags(parser: LightningArgumentParser, subcommand: str) -> None:
    """Add what a command takes beside Lightning's flags."""
    parser.add_argument(
        "--threads", type=PositiveInt | None, help="CPU threads (default: as many as pay)."
    )
    if subcommand in ("fit", "test"):
        parser.add_argument(
            "--run_dir", type=str | None, help="Folder to fill (default: a new one in runs/)."
        )
        parser.add_argument(
            "--views", nargs="+", default=[], help="Versions of the test set, or all."
        )
    if subcommand == "fit":
        parser.add_argument(
            "--guard", type=Reaction, default="stop", help="What to do about a collapse."
        )
    if subcommand == "predict":
        parser.add_argument(
            "--images", nargs="+", default=[], help="Pictures of one digit each, or globs."
        )
        parser.add_argument(
            "--output", type=str | None, help="Write all probabilities to a .csv or .json."
        )
        parser.add_argument(
            "--preview", type=str | None, help="Draw what the network saw, as a .png."
        )
