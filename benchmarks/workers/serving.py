"""How a worker is commanded: a JSON object a line on stdin, an answer a line on stdout.

``{"prepare": WORK, "settings": {...}}`` builds, ``{"run": true}`` trains a round, ``{"calls":
true}`` trains one and counts Python calls, ``{"launches": true}`` kernel launches. Whatever a
framework prints goes to stderr, and so to the worker's log.
"""

import json
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.work import Work
from benchmarks.workers.call_counter import count_calls
from parity.sides import process


@dataclass(frozen=True)
class Prepared:
    """A competitor that is ready.

    Attributes:
        run: Trains a round; returns the seconds of an epoch.
        note: What is worth knowing of how it was set up.
        count: Trains a round and returns its calls by kind; None to count all calls of `run`.
    """

    run: Callable[[], float]
    note: dict[str, Any] = field(default_factory=dict)
    count: Callable[[], dict[str, int]] | None = None


def once(measure: Callable[[Work], dict[str, float]]) -> None:
    """The one-shot form of a worker, which is told its work in JSON and prints what it measures."""
    print(json.dumps(measure(Work.from_json(json.loads(sys.argv[1])))))


def serve(prepare: Callable[..., Prepared]) -> None:
    """Answer until stdin ends; `prepare` takes the work, and settings by name."""
    process.serve(answering(prepare))


def answering(prepare: Callable[..., Prepared]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What answers a command; `prepare` takes the work, and settings by name."""
    ready: list[Prepared] = []

    def answer(message: dict[str, Any]) -> dict[str, Any]:
        try:
            if "prepare" in message:
                ready[:] = [prepare(Work.from_json(message["prepare"]), **message["settings"])]
                said: dict[str, Any] = {"note": ready[0].note}
            else:
                assert ready, "expected prepare first"
                said = _answer(message, ready[0])
        except (Exception, SystemExit):
            traceback.print_exc()
            raise
        return said | {"peak_mib": peak_mib()}

    return answer


def _answer(message: dict[str, Any], prepared: Prepared) -> dict[str, Any]:
    if "calls" in message:
        return prepared.count() if prepared.count else count_calls(prepared.run)
    if "launches" in message:
        return count_launches(prepared.run)
    return {"seconds": prepared.run()}


def count_launches(run: Callable[[], object]) -> dict[str, Any]:
    """What the CPU does for the GPU while `run` runs: kernels and graphs launched, and waits."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        run()
    kinds = {
        "launches": ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch"),
        "waits": ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize"),
    }
    events = profiler.key_averages()
    return {
        kind: sum(event.count for event in events if event.key.startswith(names))
        for kind, names in kinds.items()
    }


def peak_mib() -> float:
    """The most memory that this process has held, in MiB.

    Not from `getrusage`: its figure outlives an exec, and so may be the parent's.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmHWM")
