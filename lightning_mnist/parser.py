"""The argument parser of Lightning's commands: says what is wrong in one sentence."""

import sys
from typing import NoReturn

from lightning.pytorch.cli import LightningArgumentParser


class OneSentenceParser(LightningArgumentParser):
    """Says what is wrong with a flag in one line; the usage of `fit` alone is sixty."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exit with 2, except where a caller wants the exception."""
        if not self.exit_on_error:
            super().error(message, ex)
        prog = self.prog.replace(" [options]", "")
        print(f"error: {' '.join(message.split())}; see {prog} --help", file=sys.stderr)
        sys.exit(2)
