"""``python -m parity convert IN OUT``: a model in another file format, proven on a test set."""

import sys
import tempfile
from pathlib import Path

from jsonargparse import Namespace

from parity.commands.parser import COULD_NOT_COMPARE, DIFFERENT, OneSentenceParser
from parity.convert.conversion import ENDINGS, DifferentError, convert
from parity.sides.jobs import SideFailedError
from parity.sides.runner import export_data
from parity.writing import check_place

HELP = "Keras to Lightning and back"


def parser() -> OneSentenceParser:
    """The flags."""
    flags = OneSentenceParser(description="Convert a model and prove that it is the same.")
    flags.add_argument("source", metavar="IN", type=Path, help=f"A {', '.join(ENDINGS)} file.")
    flags.add_argument("target", metavar="OUT", type=Path, help="What to write, by its ending.")
    flags.add_data_arguments()
    return flags


def run(flags: Namespace, parser: OneSentenceParser) -> int:
    """0 where OUT was written, 1 where it would answer otherwise, 5 where it cannot be had.

    Raises:
        SideFailedError: the model or the data cannot be read, or not be converted.
    """
    source, target = flags.source, flags.target
    if not {source.suffix, target.suffix} <= set(ENDINGS) or source.suffix == target.suffix:
        parser.error(
            f"{source} to {target}: expected names with two different endings of "
            f"{', '.join(ENDINGS)}"
        )
    if not source.is_file():
        raise SideFailedError(f"{source}: no such file; expected a {source.suffix} to convert")
    try:
        if target.is_dir():
            raise IsADirectoryError("a folder")
        check_place(target)
        with tempfile.TemporaryFile(dir=target.parent):
            pass  # said now rather than after the proof
        with tempfile.TemporaryDirectory() as folder:
            data = export_data(Path(folder) / "data", flags["data.source"], flags["data.root"])
            done = convert(source, target, data, Path(folder))
    except DifferentError as error:
        print(f"error: {error}", file=sys.stderr)
        return DIFFERENT
    except OSError as error:
        print(f"error: {target}: cannot be written ({error})", file=sys.stderr)
        return COULD_NOT_COMPARE
    print(
        f"{source} -> {target}: {done.size}; the logits of {done.images:,} test images of "
        f"{data.stem} differ by at most {done.gap:.1e}"
    )
    return 0
