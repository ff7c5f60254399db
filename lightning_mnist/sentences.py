"""How a command ends where something is wrong: with a sentence on standard error, and code 1."""

import sys
from collections.abc import Callable
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
