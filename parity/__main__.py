"""``python -m parity COMMAND``: the exit code is the verdict."""

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ActionConfigFile, Namespace  # type: ignore[attr-defined]
from rich.console import Console

from parity import convert
from parity.audit import command as audit
from parity.case_files import load_case
from parity.comparison import Comparison, compare
from parity.diagnosis import diagnose
from parity.evidence import CannotCompareError
from parity.jobs import SIDES, SideFailedError
from parity.ladder import command as ladder
from parity.loading import Side, load_run
from parity.parser import OneSentenceParser
from parity.recipe import RECIPES, Recipe
from parity.run_record import RunRecordError
from parity.runner import export_data, train_both
from parity.verdict import Thresholds

COULD_NOT_COMPARE = 5


def main() -> int:
    """0 equivalent, 1 different, 2 usage, 3 collapsed, 4 inconclusive, 5 could not compare."""
    parser, run, lockstep, audited = _parsers()
    config = parser.parse_args()
    try:
        if config.subcommand == "run":
            return _run(config.run, run)
        if config.subcommand == "ladder":
            return ladder.run(config.ladder, _recipe(lockstep, config.ladder))
        if config.subcommand == "audit":
            return audit.run(config.audit, _recipe(audited, config.audit))
        flags = parser.instantiated(config)[config.subcommand]
        if config.subcommand == "convert":
            return convert.run(flags)
        if config.subcommand == "diagnose":
            return _diagnose(flags.run, flags.images)
        if config.subcommand == "faults":
            return _faults(flags)
        comparison = compare(flags.a, flags.b, flags.margins, flags.views)
        return _report(comparison, flags.out, Console())
    except (CannotCompareError, RunRecordError, SideFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped; finished seeds are kept and will be reused", file=sys.stderr)
    except OSError as error:
        print(f"error: --out cannot be written ({error}); choose another", file=sys.stderr)
    return COULD_NOT_COMPARE


def _parsers() -> tuple[OneSentenceParser, ...]:
    run = OneSentenceParser(description="Train both sides and compare them.")
    run.add_argument("-c", "--config", action=ActionConfigFile, help="A recipe in YAML.")
    run.add_class_arguments(Recipe)
    run.add_argument("--data.source", default="auto", help="auto, mnist, digits or FILE.npz.")
    run.add_argument("--data.root", type=str | None, help="Folder of the MNIST files.")
    run.add_argument("--out", type=Path, default=Path("runs/parity"), help="Folder to fill.")
    run.add_argument("--fresh", action="store_true", help="Train again what is there.")
    compare_ = OneSentenceParser(description="Compare two sides that have been trained.")
    compare_.add_argument("a", type=Path, help="Run directory, folder of them, .npz or .csv.")
    compare_.add_argument("b", type=Path, help="The other side.")
    compare_.add_argument("--out", type=Path | None, help="Folder for the report.")
    compare_.add_class_arguments(Thresholds, "margins")
    compare_.add_argument("--views", nargs="+", default=[], help="Views to judge as well.")
    diagnose_ = OneSentenceParser(description="Name the cause of what is wrong with a model.")
    diagnose_.add_argument("run", type=Path, help="Run directory, or predictions in .npz.")
    diagnose_.add_argument(
        "--images", type=Path, nargs="+", default=[], help="What it is fed: .npz, .npy or pictures."
    )
    faults_ = OneSentenceParser(description="Make every known mistake; do the alarms go off?")
    faults_.add_argument("--side", type=Literal["lightning", "keras", "both"], default="both")
    faults_.add_argument("--data.source", default="auto", help="auto, mnist, digits or FILE.npz.")
    faults_.add_argument("--data.root", type=str | None, help="Folder of the MNIST files.")
    faults_.add_argument("--out", type=Path, default=Path("runs/faults"), help="Folder to fill.")
    lockstep, audited = ladder.parser(), audit.parser()
    parser = OneSentenceParser(
        prog="python -m parity",
        description="Are two separately trained models the same model?",
        epilog="exit codes: 0 equivalent, 1 different, 2 usage, 3 collapsed, 4 inconclusive, "
        "5 could not compare; diagnose: 1 where a cause is named; faults: 1 where an alarm fails; "
        "ladder: 1 where the sides part; audit: 1 where a difference is unexplained; "
        "convert: 1 where the converted model answers otherwise",
    )
    commands = parser.add_subcommands()
    commands.add_subcommand("run", run, help="train both sides and compare them")
    commands.add_subcommand("compare", compare_, help="compare what has been trained")
    commands.add_subcommand("diagnose", diagnose_, help="say why a model is wrong")
    commands.add_subcommand("faults", faults_, help="make known mistakes and test the alarms")
    commands.add_subcommand("ladder", lockstep, help="train in lock step: where do they part?")
    commands.add_subcommand("convert", convert.parser(), help="Keras to Lightning and back")
    commands.add_subcommand("audit", audited, help="show the effective settings of both sides")
    return parser, run, lockstep, audited


def _run(config: Namespace, parser: OneSentenceParser) -> int:
    _recipe(parser, config)  # what is wrong with it is said before anything is done
    console = Console()
    data = export_data(config.out / "data", config["data.source"], config["data.root"])
    if config.config is None and data.stem in RECIPES:
        # The recipe that suits what the data turned out to be; flags still have the last word.
        parser.set_defaults(_flat(RECIPES[data.stem]))
        config = parser.parse_args(sys.argv[2:])
    recipe = _recipe(parser, config)
    folder = train_both(recipe, data, config.out, fresh=config.fresh, console=console)
    a, b = (
        Side(side, [load_run(folder / side / f"seed{seed}") for seed in range(recipe.seeds)])
        for side in SIDES
    )
    return _report(compare(a, b, recipe.margins, recipe.views), config.out, console)


def _diagnose(path: Path, images: list[Path]) -> int:
    from parity.report.findings import show_findings

    case = load_case(path, images)
    findings = diagnose(case)
    show_findings(path.name, case, findings, Console())
    return int(bool(findings))


def _faults(flags: Namespace) -> int:
    from parity.fault_runner import make_faults
    from parity.report.matrix import show_matrix, tally, write_page

    console = Console()
    data = export_data(flags.out / "data", flags["data.source"], flags["data.root"])
    sides = list(SIDES) if flags.side == "both" else [flags.side]
    outcomes = make_faults(sides, data, flags.out / "runs", console)
    show_matrix(outcomes, data.stem, console)
    page = flags.out / "faults.html"
    write_page(outcomes, data.stem, shlex.join(["python", "-m", "parity", *sys.argv[1:]]), page)
    console.print(f"page: {page}", highlight=False, soft_wrap=True)
    return int(not all(tally(results).passed for results in outcomes.values()))


def _recipe(parser: OneSentenceParser, config: Namespace) -> Recipe:
    """The recipe that the flags spell; what it refuses is a usage error."""
    flags = parser.instantiated(config)
    try:
        return Recipe(**{item.name: flags[item.name] for item in dataclasses.fields(Recipe)})
    except ValueError as error:
        parser.error(str(error))


def _flat(recipe: Recipe) -> dict[str, Any]:
    """Flags of a recipe, the margins by their own names."""
    values = dataclasses.asdict(recipe)
    margins = values.pop("margins")
    del margins["collapse"]
    return values | {f"margins.{name}": value for name, value in margins.items()}


def _report(comparison: Comparison, out: Path | None, console: Console) -> int:
    from parity.report.document import document
    from parity.report.files import write_report
    from parity.report.images import test_images
    from parity.report.text import show

    values = document(comparison, shlex.join(["python", "-m", "parity", *sys.argv[1:]]))
    show(values, console)
    if out is not None:
        write_report(comparison, values, test_images(comparison), out)
        console.print(f"report: {out / 'report.html'}", highlight=False, soft_wrap=True)
    return comparison.verdict.value


if __name__ == "__main__":
    sys.exit(main())
