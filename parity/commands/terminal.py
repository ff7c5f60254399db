"""The terminal: whatever it can show, and whether anybody still reads, a verdict stays the same."""

import os
import sys
from io import TextIOWrapper

from rich.console import Console


class Terminal(Console):
    """Falls silent where its reader has gone (``| head -1``), in place of ending the program."""

    def on_broken_pipe(self) -> None:
        """Called by Rich on a closed pipe; its own answer is to exit with 1."""
        self.quiet = True
        silence()


def write_anything() -> None:
    """Escape what the terminal's encoding lacks, in place of failing at it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Write what is left; at exit a closed pipe would change the exit code."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        silence()


def silence() -> None:
    """Send all further output nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
