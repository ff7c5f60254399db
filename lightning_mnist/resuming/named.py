"""``--ckpt_path best`` and ``last``: checkpoints of a run by the names that people know."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_mnist.errors import InputError

if TYPE_CHECKING:
    from jsonargparse import Namespace

NAMES = ("best", "last")
NAMED = "best and last are those of the newest run in runs/."
"""For the help of a command."""


def checkpoint_named(path: Path, run_dir: str | None = None, runs: Path = Path("runs")) -> Path:
    """The file that `path` means, which is said where it is a name; another path is itself.

    `best` and `last` are checkpoints of `run_dir`, or of the newest run below `runs` that has them.

    Raises:
        InputError: there is none; the message says where it was looked for.
    """
    if str(path) not in NAMES:
        return path
    file = Path("checkpoints") / f"{path}.ckpt"
    folders = [Path(run_dir)] if run_dir else list(runs.glob("*"))
    found = [folder / file for folder in folders if (folder / file).is_file()]
    if not found:
        where = f"--run_dir {run_dir}" if run_dir else f"no run in {runs}/"
        raise InputError(
            f"--ckpt_path {path}: {where} has {'no ' if run_dir else ''}{file}; train "
            "with fit first, or name a .ckpt file"
        )
    newest = max(found, key=lambda path: path.stat().st_mtime)
    print(f"--ckpt_path {path}: {newest}", file=sys.stderr)
    return newest


def find_named(config: "Namespace") -> None:
    """Put a path in place of ``--ckpt_path best`` or ``last``.

    `test` then fills a new folder, since that one has its run.

    Raises:
        InputError: as of `checkpoint_named`.
    """
    if config.ckpt_path not in NAMES:
        return
    run_dir = config.get("run_dir")
    config.ckpt_path = str(checkpoint_named(Path(config.ckpt_path), run_dir))
    if run_dir and "guard" not in config:  # not fit, which goes on in its own folder
        config.run_dir = None
