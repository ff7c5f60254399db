"""The terminal: whether or not anybody still reads, a verdict stays the same."""

import os
import sys

from rich.console import Console


class Terminal(Console):
    """Falls silent where its reader has gone (``| head -1``), in place of ending the program."""

    def on_broken_pipe(self) -> None:
        """Called by Rich on a closed pipe; its own answer is to exit with 1."""
        self.quiet = True
        silence()

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line as it is, however long; it may hold the name of any file."""
        self.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


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
