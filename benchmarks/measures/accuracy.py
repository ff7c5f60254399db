"""Seconds from the start of a process to its end with a test accuracy that was asked for.

For each seed and side the recipe is run for one epoch, for two, and so on, until the run tests at
the target or better: that whole run counts, with its start-up, reading, training and testing.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from benchmarks.figures import against, summary
from benchmarks.processes import fit, once
from benchmarks.setting import Setting
from benchmarks.work import Work

TARGETS = (0.97, 0.98)
MOST_EPOCHS = 12
RECIPE: dict[str, Any] = {
    "hidden": (512,), "batch_size": 128, "learning_rate": 3e-3, "decay": 0.5,
}  # fmt: skip
"""Of both sides: the bare loop reaches 98 % of MNIST's test set with it in four epochs."""
Run = Callable[[Work, int], tuple[float, float]]


def measure(setting: Setting) -> dict[str, Any]:
    """Seconds, epochs and accuracies by target and competitor; a round is a seed."""
    work = replace(setting.work, **RECIPE)
    runs = {"keras tuned": _script("keras", setting), "ours": _ours(setting)}
    if find_spec("jax"):
        runs["jax"] = _script("jax", setting)
    found: dict[float, dict[str, list[dict[str, Any]]]] = {
        target: {name: [] for name in runs} for target in TARGETS
    }
    with setting.progress("accuracy", setting.rounds * len(runs)) as advance:
        for seed in range(setting.rounds):
            for name, run in runs.items():
                advance(name)
                for target, shortest in _shortest(run, work, seed).items():
                    found[target][name].append(shortest)
    targets = [{"target": target, "competitors": _results(found[target])} for target in TARGETS]
    return {"recipe": RECIPE, "targets": targets}


def _results(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    reached = all(run["reached"] for runs in found.values() for run in runs)
    seconds = {name: [run["seconds"] for run in runs] for name, runs in found.items()}
    results: dict[str, Any] = {}
    for name, runs in found.items():
        results[name] = {"runs": runs, **summary(seconds[name])}
        if reached:
            results[name] |= against(seconds[name], seconds["keras tuned"])
    return results


def _shortest(run: Run, work: Work, seed: int) -> dict[float, dict[str, Any]]:
    """By target the first run of 1, 2, ... epochs that reaches it, or else the longest tried."""
    found: dict[float, dict[str, Any]] = {}
    for epochs in range(1, MOST_EPOCHS + 1):
        seconds, accuracy = run(replace(work, epochs=epochs), seed)
        values = {"seconds": seconds, "epochs": epochs, "accuracy": accuracy}
        for target in TARGETS:
            if accuracy >= target or epochs == MOST_EPOCHS:
                found.setdefault(target, values | {"reached": accuracy >= target})
        if len(found) == len(TARGETS):
            break
    return found


def _ours(setting: Setting) -> Run:
    def run(work: Work, seed: int) -> tuple[float, float]:
        run_dir = setting.logs("accuracy") / "ours"
        shutil.rmtree(run_dir, ignore_errors=True)
        seconds, record = fit(replace(work, seed=seed), run_dir, setting.threads)
        return seconds, record.metrics["accuracy"]

    return run


def _script(name: str, setting: Setting) -> Run:
    def run(work: Work, seed: int) -> tuple[float, float]:
        log = setting.logs("accuracy") / f"{name}.log"
        result = once(f"{name}_script", replace(work, seed=seed), setting.threads, log)
        return result["process_seconds"], result["accuracy"]

    return run
