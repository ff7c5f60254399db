"""``python -m parity run``: trains both sides, then compares them."""

import dataclasses
import sys
from typing import Any

from jsonargparse import Namespace

from parity.api import Comparison, compare
from parity.claims import claimed
from parity.commands.compare import report
from parity.commands.parser import OneSentenceParser
from parity.commands.terminal import Terminal
from parity.judge.answers import Side
from parity.judge.loading import load_run
from parity.judge.looks import until_decided
from parity.judge.verdict import Thresholds
from parity.sides.jobs import SIDES
from parity.sides.recipe import RECIPES, Recipe
from parity.sides.runner import export_data, train_both

HELP = "train both sides and compare them"


def parser() -> OneSentenceParser:
    """The flags."""
    flags = OneSentenceParser(description="Train both sides and compare them.")
    flags.add_recipe_arguments()
    flags.add_data_arguments()
    flags.add_out_argument("runs/parity")
    return flags


def run(flags: Namespace, parser: OneSentenceParser) -> int:
    """The verdict.

    Raises:
        SideFailedError: the data cannot be had, or a side did not finish.
        CannotCompareError: the sides cannot be compared.
        ClaimedError: another process fills the folder.
    """
    parser.recipe(flags)  # what is wrong with it is said before anything is done
    with claimed(flags.out):
        return _run(flags, parser)


def _run(flags: Namespace, parser: OneSentenceParser) -> int:
    console = Terminal()
    data = export_data(flags.out / "data", flags["data.source"], flags["data.root"])
    if flags.config is None and data.stem in RECIPES:
        # The recipe that suits what the data turned out to be; flags still have the last word.
        parser.set_defaults(_flat(RECIPES[data.stem]))
        flags = parser.parse_args(sys.argv[2:])
    recipe = parser.recipe(flags)

    def judged(seeds: int, thresholds: Thresholds) -> Comparison:
        folder = train_both(recipe, seeds, data, flags.out, console)
        a, b = (
            Side(side, [load_run(folder / side / f"seed{seed}") for seed in range(seeds)])
            for side in SIDES
        )
        comparison = compare(a, b, thresholds, recipe.views)
        if recipe.seeds == "auto":
            console.print(
                f"{seeds} seeds a side, tested at {thresholds.alpha:.2g} so that all looks "
                f"together keep {recipe.margins.alpha:g}: {comparison.verdict.name}",
                highlight=False,
            )
        return comparison

    if recipe.seeds == "auto":
        comparison = until_decided(judged, recipe.margins, recipe.most_seeds)
    else:
        comparison = judged(recipe.seeds, recipe.margins)
    return report(comparison, flags.out, console)


def _flat(recipe: Recipe) -> dict[str, Any]:
    """Flags of a recipe, the margins by their own names."""
    values = dataclasses.asdict(recipe)
    margins = values.pop("margins")
    del margins["collapse"]
    return values | {f"margins.{name}": value for name, value in margins.items()}
