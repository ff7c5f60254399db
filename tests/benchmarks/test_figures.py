"""Rounds, ratios and the work that is shared, before anything is timed."""

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.competitors import PLAIN, Competitor, chosen
from benchmarks.figures import against, compared, summary
from benchmarks.measures import accuracy, busy, growth
from benchmarks.rounds import rounds, seconds_of
from benchmarks.work import NETWORKS, Work, work_on
from benchmarks.workers.call_counter import count_calls


def test_ratios_of_medians_and_of_pairs() -> None:
    """A machine that is ten times slower in one round changes neither much."""
    reference, own = [1.0, 10.0, 1.2], [2.0, 20.0, 2.4]
    assert against(own, reference) == {"ratio": 2.0, "paired": 2.0}
    assert against([3.0, 1.0, 1.0], [1.0, 1.0, 3.0]) == {"ratio": 1.0, "paired": 1.0}
    assert against([2.0, 4.0, 9.0], [1.0, 4.0, 3.0]) == {"ratio": 4 / 3, "paired": 2.0}
    with pytest.raises(ValueError, match="longer than"):
        against([1.0], [1.0, 2.0])


def test_summary_keeps_what_was_measured() -> None:
    assert summary([3.0, 1.0, 2.0]) == {"seconds": [3.0, 1.0, 2.0], "min": 1, "median": 2, "max": 3}
    assert compared({"a": [1.0], "b": [3.0]}, "a")["b"]["ratio"] == 3.0


def test_a_twelfth_is_kept_for_validation_as_fit_does(tiny_npz: Path) -> None:
    work = work_on(tiny_npz, "cpu")
    assert (work.images, work.val_images) == (367, 33)
    assert work.on(NETWORKS["large"]).steps == 1
    assert replace(work, batch_size=100).steps == 4
    assert replace(work, batch_size=100, devices=3).steps == 4  # 99 images a step
    assert Work.from_json(json.loads(json.dumps(work.to_json()))) == work


class Told:
    """A worker that notes when it is asked."""

    def __init__(self, name: str, asked: list[str]) -> None:
        self.name, self.asked = name, asked

    def ask(self, **message: bool) -> dict[str, float]:
        assert message == {"run": True}
        self.asked.append(self.name)
        return {"seconds": float(len(self.asked))}


def test_rounds_alternate_and_the_first_is_not_kept() -> None:
    asked: list[str] = []
    workers: Any = {name: Told(name, asked) for name in "abc"}
    found = rounds(workers, 2, lambda what: None, seconds_of)
    assert found == {"a": [4, 7], "b": [5, 8], "c": [6, 9]}
    assert "".join(asked) == "abc" * 3


def test_what_is_not_installed_is_skipped_by_name() -> None:
    odd = {"bare loop": PLAIN["bare loop"], "odd": Competitor("bare", needs="no_such_package")}
    members, skipped = chosen(odd, [])
    assert list(members) == ["bare loop"]
    assert skipped == {"odd": "no_such_package is not installed"}


def test_the_bare_loop_always_takes_part() -> None:
    assert list(chosen(PLAIN, ["ours"])[0]) == ["bare loop", "ours"]


def test_tiled_digits_have_as_many_images_as_asked_for(work: Work, tmp_path: Path) -> None:
    more = growth.tiled(work, 1000, tmp_path)
    assert (more.images, more.val_images) == (1000, 100)
    assert work_on(Path(more.data), "cpu").images == 1100 - round(1100 / 12)


def test_the_shortest_run_that_reaches_the_target_counts(work: Work) -> None:
    asked: list[tuple[float, int]] = []

    def run(work: Work, seed: int) -> tuple[float, float]:
        asked.append((work.epochs, seed))
        return 10 * work.epochs, 0.9 + 0.025 * work.epochs

    found = accuracy._shortest(run, work, 4)
    assert {target: (run["epochs"], run["seconds"]) for target, run in found.items()} == {
        0.97: (3, 30),
        0.98: (4, 40),
    }
    assert asked == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_target_that_is_not_reached_gives_no_ratio(work: Work) -> None:
    never = accuracy._shortest(lambda work, seed: (1.0, 0.975), work, 0)
    assert (never[0.97]["epochs"], never[0.97]["reached"]) == (1, True)
    assert (never[0.98]["epochs"], never[0.98]["reached"]) == (accuracy.MOST_EPOCHS, False)
    results = accuracy._results({"keras tuned": [never[0.98]], "ours": [never[0.98]]})
    assert "ratio" not in results["ours"]


def test_python_calls_are_counted_exactly() -> None:
    def called() -> None:
        pass

    def run(times: int) -> None:
        for _ in range(times):
            called()
            len("")

    few, many = (count_calls(partial(run, n)) for n in (10, 30))
    assert {kind: many[kind] - few[kind] for kind in few} == {"python": 20, "c": 20}


def test_a_busy_core_is_busy_and_let_go() -> None:
    with busy.one_core_busy() as process:
        (core,) = os.sched_getaffinity(process.pid)
        assert core in os.sched_getaffinity(0)
        assert process.poll() is None
    assert process.poll() is not None
