"""Competitors in turn, A B C A B C: whatever disturbs the machine disturbs all of them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from benchmarks.competitors import Competitor
from benchmarks.crew import Worker, crew
from benchmarks.figures import compared
from benchmarks.setting import Setting
from benchmarks.work import Work

Measured = TypeVar("Measured")


def alternate(
    setting: Setting, members: Mapping[str, Competitor], works: Mapping[str, Work], label: str
) -> dict[str, dict[str, Any]]:
    """Run each competitor once a round; the first round warms up and is not kept.

    Args:
        setting: How many rounds and threads.
        members: Who takes part, by name; ratios are to the first.
        works: What each of them trains, by the same names.
        label: What progress is called.

    Returns:
        Summary, ratios and notes of each competitor, by name.
    """
    crew_of = {name: (member, works[name]) for name, member in members.items()}
    total, logs = (setting.rounds + 1) * len(members), setting.logs(label)
    with (
        setting.progress(label, total) as advance,
        crew(crew_of, setting.threads, logs) as (workers, notes),
    ):
        seconds = rounds(workers, setting.rounds, advance, seconds_of)
    results = compared(seconds, next(iter(members)))
    return {name: result | notes[name] for name, result in results.items()}


def seconds_of(worker: Worker) -> float:
    """Of an epoch."""
    return float(worker.ask(run=True)["seconds"])


def rounds(
    workers: Mapping[str, Worker],
    count: int,
    advance: Callable[[str], None],
    measure: Callable[[Worker], Measured],
) -> dict[str, list[Measured]]:
    """What is measured of each worker in each round, the warm-up left out."""
    found: dict[str, list[Measured]] = {name: [] for name in workers}
    for number in range(count + 1):
        for name, worker in workers.items():
            advance(name)
            value = measure(worker)
            if number:
                found[name].append(value)
    return found
