"""What the collapse guard costs: ``python -m benchmarks.guard lightning|keras FILE.npz``.

Trains with the guard and without it in turn, in one process, and also adds up the time spent
inside the guard, which a noisy machine disturbs less.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from parity.run_record import RunRecord

EPOCHS = 5
PACKAGES = {"lightning": "lightning_mnist", "keras": "keras_reference"}
SETTINGS = {
    "lightning": ["--trainer.enable_progress_bar", "false", "--model.batch_norm", "false"],
    "keras": [],
}
NETWORKS = {"784-128-10": "[128]", "784-512-512-10": "[512, 512]"}


class Stopwatch:
    """Adds up the seconds spent in the functions that it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.running = False

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, timed; a call inside a timed call is not counted twice."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            if self.running:
                return function(*args, **kwargs)
            self.running, started = True, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - started
                self.running = False

        return timed


def seconds(side: str, hidden: str, data: Path, guard: str) -> tuple[float, float]:
    """One training: seconds of the whole fit, and inside the guard."""
    package = PACKAGES[side]
    callback = import_module(f"{package}.guard").CollapseGuard
    stopwatch = Stopwatch()
    timed: dict[str, Any] = {
        name: stopwatch.wrap(getattr(callback, name))
        for name in vars(callback)
        if name.startswith("on_")
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.multiple(callback, **timed),
    ):
        run_dir = Path(folder) / "run"
        flags = ["fit", "--data.source", data, "--run_dir", run_dir, "--guard", guard]
        flags += ["--model.hidden", hidden, "--trainer.max_epochs", EPOCHS, *SETTINGS[side]]
        with mock.patch("sys.argv", [package, *map(str, flags)]):
            code = import_module(f"{package}.__main__").main()
        assert code == 0
        return RunRecord.load(run_dir / "record.json").durations["fit"], stopwatch.seconds


def main() -> None:
    """Print a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=PACKAGES)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    lines = []
    for name, hidden in NETWORKS.items():
        seconds(args.side, hidden, args.data, "stop")  # warms up
        with_guard, without, inside = [], [], []
        for _ in range(args.rounds):
            total, part = seconds(args.side, hidden, args.data, "stop")
            with_guard.append(total)
            inside.append(part / total)
            without.append(seconds(args.side, hidden, args.data, "off")[0])
        on, off = statistics.median(with_guard), statistics.median(without)
        lines.append(
            f"{args.side} {name}, {EPOCHS} epochs, {args.rounds} rounds: {on:.2f} s with, "
            f"{off:.2f} s without, ratio {on / off:.3f}; inside the guard "
            f"{statistics.median(inside):.2%} (largest {max(inside):.2%})"
        )
    print("\n".join(lines), file=sys.stderr)


if __name__ == "__main__":
    main()
