"""How a command ends where something is wrong: with a sentence on standard error, and code 1."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning_mnist.errors import InputError
from parity.files import said_of


def in_a_sentence(work: Callable[..., int | None], *arguments: Any) -> int:
    """Do something; gives its exit code, and 1 where the input or the machine was at fault."""
    try:
        return work(*arguments) or 0
    except InputError as error:
        said = str(error)
    except OSError as error:  # of the machine: a full disk, a folder that is gone
        said = said_of(error)
    print(f"error: {said}", file=sys.stderr, flush=True)
    return 1


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Name what is written within.

    Raises:
        InputError: it cannot be.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{what}: cannot be written ({error})") from error


def check_ending(flag: str, path: Path, *endings: str) -> None:
    """Raise `InputError` where a file to write has another ending than its forms have."""
    if path.suffix not in endings:
        raise InputError(f"{flag} {path}: expected a name ending in {' or '.join(endings)}")


def check_installed(what: str, extra: str, *modules: str) -> None:
    """Raise `InputError` where a module of an extra is not there, by which `what` is done."""
    for module in modules:
        if find_spec(module) is None:
            package = module.replace("_", "-")
            raise InputError(
                f"{what} takes {package}, which is not installed; "
                f"pip install 'lightning-mnist[{extra}]'"
            )
