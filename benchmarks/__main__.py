"""``python -m benchmarks [MEASURE] --data.source FILE.npz --out DIR``: speed, side by side."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Literal

from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt
from rich.console import Console

from benchmarks import competitors, results, tables
from benchmarks.errors import InputError, WorkerFailedError
from benchmarks.setting import Setting
from benchmarks.work import NETWORKS, work_on
from parity.commands.parser import OneSentenceParser
from parity.sides.jobs import SideFailedError
from parity.sides.runner import export_data

GPU = "gpu"
MEASURES = ("epoch", "accuracy", "busy", "growth", "calls", "memory")


def _parser() -> OneSentenceParser:
    parser = OneSentenceParser(
        prog="python -m benchmarks",
        description="Ours against a bare loop, Lightning, Keras and JAX.",
    )
    parser.add_argument(
        "measure", nargs="?", type=Literal[(*MEASURES, GPU, "all")], default="epoch",
        help="What to measure; all takes hours, gpu four minutes on one, and is not in all.",
    )  # fmt: skip
    parser.add_argument("--data.source", default="auto", help="auto, mnist, digits or FILE.npz.")
    parser.add_argument("--data.root", type=str | None, help="Folder of the MNIST files.")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"), help="To fill.")
    parser.add_argument("--rounds", type=PositiveInt, default=5, help="After one to warm up.")
    parser.add_argument("--threads", type=PositiveInt, default=1, help="Of every competitor.")
    parser.add_argument("--accelerator", type=Literal["cpu", "gpu"], default="cpu", help="Which.")
    parser.add_argument(
        "--networks", nargs="+", type=Literal[tuple(NETWORKS)], default=list(NETWORKS),
        help="Of epoch, busy, calls and memory.",
    )  # fmt: skip
    parser.add_argument(
        "--competitors", nargs="+", type=Literal[tuple(competitors.NAMES)], default=[],
        help="Those to run beside the bare loop; all by default.",
    )  # fmt: skip
    return parser


def main() -> int:
    """Measure, write and show; 1 where the input was at fault or a competitor failed, 2 a flag."""
    flags = _parser().parse_args()
    console = Console()
    try:
        setting = _setting(flags, console)
        file = results.Results.of(setting, sys.argv[1:])
        for name in MEASURES if flags.measure == "all" else (flags.measure,):
            file.measures[name] = import_module(f"benchmarks.measures.{name}").measure(setting)
            file.save(setting.out)
    except (InputError, WorkerFailedError, SideFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; measures that were finished are kept", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: --out cannot be written ({error}); choose another", file=sys.stderr)
        return 1
    tables.show(file.measures, console)
    console.print(f"results: {setting.out}", highlight=False, soft_wrap=True)
    return 0


def _setting(flags: Namespace, console: Console) -> Setting:
    flags.out.mkdir(parents=True, exist_ok=True)
    data = export_data(flags.out / "data", flags["data.source"], flags["data.root"]).resolve()
    return Setting(
        work=work_on(data, "gpu" if flags.measure == GPU else flags.accelerator),
        networks={name: NETWORKS[name] for name in flags.networks},
        competitors=tuple(flags.competitors),
        rounds=flags.rounds,
        threads=flags.threads,
        out=flags.out,
        console=console,
    )


if __name__ == "__main__":
    sys.exit(main())
