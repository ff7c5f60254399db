"""Output that arrives whole, whatever the terminal can show (standard library only)."""

import io
import sys


def print_anything() -> None:
    """Have the streams escape what they cannot encode, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
