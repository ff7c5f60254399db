"""Calls of Python functions for each optimiser step: overhead, almost without noise.

On a GPU the same is counted of kernel launches. An epoch's worth is the difference between a run
of three epochs and a run of one, so that start-up is not in it; what happens once an epoch is.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.competitors import PLAIN, Competitor, chosen
from benchmarks.crew import Worker, crew
from benchmarks.setting import Setting
from benchmarks.work import Work

STEPS_PER_EXECUTION = (1, 8, 32)
SHORT, LONG = 1, 3
COUNTED = ("bare loop", "lightning, 0 workers")
"""Beside ours; in Keras the steps are TensorFlow's, in JAX an epoch is one call."""


def measure(setting: Setting) -> list[dict[str, Any]]:
    """Calls an optimiser step, by network, competitor and kind."""
    members, _ = chosen({name: PLAIN[name] for name in COUNTED}, setting.competitors)
    ways: dict[str, tuple[Competitor, int | None]] = {
        name: (member, None) for name, member in members.items()
    }
    for count in STEPS_PER_EXECUTION:
        ways[f"ours, {count} steps an execution"] = (PLAIN["ours"], count)
    kinds = ["calls"] + (["launches"] if setting.work.accelerator == "gpu" else [])
    groups = []
    for size, network in setting.networks.items():
        counts = {}
        with setting.progress(f"calls {size}", len(ways)) as advance:
            for name, (member, steps) in ways.items():
                advance(name)
                work = replace(setting.work.on(network), steps_per_execution=steps)
                one = {name: (member, replace(work, epochs=SHORT))}
                with crew(one, setting.threads, setting.logs(f"calls {size}")) as (workers, _):
                    counts[name] = a_step(workers[name], member, work, kinds)
        groups.append({"network": network.name, "size": size, "calls_a_step": counts})
    return groups


def a_step(
    worker: Worker, member: Competitor, work: Work, kinds: Sequence[str]
) -> dict[str, float]:
    """Counts of each kind divided by the optimiser steps of the additional epochs."""
    worker.ask(run=True)  # imports, and whatever else is done but once
    totals: list[dict[str, Any]] = []
    for epochs in (SHORT, LONG):
        values = replace(work, epochs=epochs).to_json()
        worker.ask(prepare=values, settings=member.settings)
        totals.append({})
        for kind in kinds:
            totals[-1] |= worker.ask(**{kind: True})
    short, long = totals
    steps = (LONG - SHORT) * work.steps
    return {name: (long[name] - short[name]) / steps for name in long if name != "peak_mib"}
