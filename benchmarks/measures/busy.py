"""What an epoch costs while another process keeps one core busy, against an idle machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.competitors import PLAIN, chosen
from benchmarks.crew import Worker, crew
from benchmarks.figures import against, summary
from benchmarks.rounds import rounds, seconds_of
from benchmarks.setting import Setting

SPIN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])})\nwhile True: pass"
COUNTED = ("bare loop", "ours", "keras tuned", "jax")


@contextmanager
def one_core_busy() -> Iterator[subprocess.Popen[bytes]]:
    """Another process computes on the first usable core for as long as the block runs."""
    core = min(os.sched_getaffinity(0))
    process = subprocess.Popen([sys.executable, "-c", SPIN, str(core)])  # noqa: S603
    try:
        while process.poll() is None and os.sched_getaffinity(process.pid) != {core}:
            time.sleep(0.01)  # it is still starting
        yield process
    finally:
        process.kill()
        process.wait()


def measure(setting: Setting) -> list[dict[str, Any]]:
    """Seconds idle and busy in turn, and the ratio of busy to idle, by network and competitor."""
    members, skipped = chosen({name: PLAIN[name] for name in COUNTED}, setting.competitors)
    groups = []
    for size, network in setting.networks.items():
        label, work = f"busy {size}", setting.work.on(network)
        crew_of = {name: (member, member.work(work)) for name, member in members.items()}
        with (
            setting.progress(label, (setting.rounds + 1) * len(members)) as advance,
            crew(crew_of, setting.threads, setting.logs(label)) as (workers, _),
        ):
            both = rounds(workers, setting.rounds, advance, _both)
        results = {}
        for name, pairs in both.items():
            idle, busy = zip(*pairs, strict=True)
            results[name] = {"idle": summary(idle), "busy": summary(busy)} | against(busy, idle)
        groups.append(
            {"network": network.name, "size": size, "competitors": results, "skipped": skipped}
        )
    return groups


def _both(worker: Worker) -> tuple[float, float]:
    """Seconds of an epoch, first idle, then beside a busy process."""
    idle = seconds_of(worker)
    with one_core_busy():
        return idle, seconds_of(worker)
