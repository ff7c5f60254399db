"""How the cost of whole processes grows: seeds one after the other, devices side by side."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.competitors import EPOCHS, PLAIN
from benchmarks.crew import crew
from benchmarks.figures import compared
from benchmarks.processes import fit, once
from benchmarks.setting import Setting
from benchmarks.work import Work
from benchmarks.workers.ours import epoch_seconds


def seeds(setting: Setting, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Seconds of so many whole runs, one after the other, start-up included."""
    seconds = {"bare loop": [0.0], "ours": [0.0]}
    points = []
    with setting.progress("seeds", 2 * max(counts)) as advance:
        for seed in range(max(counts)):
            work = replace(setting.work, epochs=EPOCHS, seed=seed)
            advance("bare loop")
            seconds["bare loop"][0] += _bare_process(setting, work)
            advance("ours")
            with tempfile.TemporaryDirectory() as folder:
                seconds["ours"][0] += fit(work, Path(folder) / "run", setting.threads)[0]
            if seed + 1 in counts:
                points.append({"seeds": seed + 1, "competitors": compared(seconds, "bare loop")})
    return points


def devices(setting: Setting, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Seconds of an epoch with the same global batch on so many ranks, start-up not included."""
    points = []
    for count in counts:
        work = replace(setting.work, epochs=EPOCHS, devices=count)
        seconds: dict[str, list[float]] = {"bare loop": [], "ours": []}
        with setting.progress(f"devices {count}", 2 * setting.rounds) as advance:
            for _ in range(setting.rounds):
                advance("bare loop")
                log = setting.logs("devices") / "bare.log"
                result = once("bare_ranks", work, setting.threads, log)
                seconds["bare loop"].append(result["seconds"])
                advance("ours")
                with tempfile.TemporaryDirectory() as folder:
                    record = fit(work, Path(folder) / "run", setting.threads)[1]
                seconds["ours"].append(epoch_seconds(record, work))
        points.append({"devices": count, "competitors": compared(seconds, "bare loop")})
    return points


def _bare_process(setting: Setting, work: Work) -> float:
    started = time.perf_counter()
    member = {"bare loop": (PLAIN["bare loop"], work)}
    with crew(member, setting.threads, setting.logs("seeds")) as (workers, _):
        workers["bare loop"].ask(run=True)
    return time.perf_counter() - started
