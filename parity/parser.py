"""The argument parser of all commands: says what is wrong in one sentence."""

import sys
from typing import NoReturn

from jsonargparse import ArgumentParser, Namespace

USAGE = 2


class OneSentenceParser(ArgumentParser):
    """Says what is wrong with a flag, and nothing else."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exit with 2, except where a caller wants the exception."""
        if not self.exit_on_error:
            super().error(message, ex)
        print(f"error: {' '.join(message.split())}; see --help", file=sys.stderr)
        sys.exit(USAGE)

    def instantiated(self, config: Namespace) -> Namespace:
        """Flags as objects; what these refuse is a usage error."""
        try:
            flags: Namespace = self.instantiate(config)
        except ValueError as error:
            self.error(str(error))
        return flags
