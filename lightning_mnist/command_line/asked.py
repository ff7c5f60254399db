"""A command line of which only the command that is asked for gets its flags."""

import sys
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from lightning_mnist.command_line.own_flags import add_flags


class AskedCLI(LightningCLI):
    """`LightningCLI`, which reads signatures for the flags of every command: 0.1 s for nothing."""

    def __init__(
        self,
        model: type[LightningModule],
        data: type[LightningDataModule],
        *,
        args: ArgsType = None,
        **settings: Any,
    ) -> None:
        """Read and run `args`, by default those of the process."""
        self.words = sys.argv[1:] if args is None else args
        super().__init__(model, data, args=args, **settings)

    def _prepare_subcommand_parser(
        self, klass: type, subcommand: str, **kwargs: Any
    ) -> LightningArgumentParser:
        asked = self.words[0] if isinstance(self.words, list) and self.words else subcommand
        if asked != subcommand and asked in self.subcommands():
            return self.init_parser(**kwargs)
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        add_flags(parser, subcommand)
        return parser
