"""The folder of a run: which one, and what is said where it cannot be filled."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from jsonargparse import Namespace
from lightning.pytorch.utilities import rank_zero_only

from lightning_mnist.errors import InputError
from lightning_mnist.resuming.resume import RUNS, resume_command
from parity.claims import Claim
from parity.files import said_of
from parity.run_record import CONFIG_FILE, RECORD_FILE
from parity.signals import StoppedError, ending_at_once


def choose(config: Namespace, command: str) -> Path:
    """The folder that a `fit` or `test` fills; a new one by default.

    Raises:
        InputError: it holds another run.
    """
    if config.run_dir is None:
        stamp = f"{datetime.now():%Y%m%d-%H%M%S}"
        config.run_dir = str(RUNS / f"{stamp}-{command}-seed{config.seed_everything}")
    run = Path(config.run_dir)
    goes_on = command == "fit" and bool(
        config.resume
        or (config.ckpt_path and Path(config.ckpt_path).resolve().is_relative_to(run.resolve()))
    )
    if (run / RECORD_FILE).exists() and not goes_on and getattr(rank_zero_only, "rank", 0) == 0:
        raise InputError(
            f"--run_dir {run}: holds another run; choose a new folder, or go on with a training: "
            f"{resume_command(run)}"
        )
    return run


@contextmanager
def filling(claim: Claim | None, command: str) -> Iterator[None]:
    """Let go of a folder in the end, and say how to go on where a signal or the machine ends `fit`.

    Without a claim no folder is filled.

    Raises:
        InputError: the machine has refused something, a full disk for one.
    """
    try:
        with ending_at_once():
            yield
    except (StoppedError, OSError) as error:
        if claim is None or command != "fit" or not (claim.folder / CONFIG_FILE).exists():
            raise
        advice = f"; to go on: {resume_command(claim.folder)}"
        if isinstance(error, StoppedError):
            error.advice = advice
            raise
        mended = "what was written before is whole, and the rest can be once that is mended"
        raise InputError(f"{said_of(error)}; {mended}{advice}") from error
    finally:
        if claim is not None:
            claim.release()
