"""Threads: few for small networks, never more than the process may use, and none that spins."""

import os
import sys
from pathlib import Path

import pytest
import torch

from lightning_mnist import threads
from lightning_mnist.command_line.command import BuiltCLI, open_cli
from lightning_mnist.threads import allowed_cpus, threads_for, wait_passively
from tests.conftest import Command, Here


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight CPUs, and control groups in a folder."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "CGROUPS", tmp_path)
    monkeypatch.setattr(threads, "MEMBERSHIP", tmp_path / "cgroup")
    (tmp_path / "cgroup").write_text("3:cpu,cpuacct:/box\n2:memory:/other\n0::/box/inner\n")
    return tmp_path


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def test_without_a_quota_it_is_the_affinity(machine: Path) -> None:
    assert allowed_cpus() == 8
    write(machine / "box" / "inner", cpu__max="max 100000")
    write(machine / "cpu" / "box", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    assert allowed_cpus() == 8


def test_without_control_groups_it_is_the_affinity(machine: Path) -> None:
    (machine / "cgroup").unlink()
    assert allowed_cpus() == 8


@pytest.mark.parametrize(("quota", "cpus"), [(300_000, 3), (250_000, 2), (50_000, 1), (10**7, 8)])
@pytest.mark.parametrize("group", ["box/inner", "box", ""])
def test_a_quota_of_any_group_around_it_counts(
    quota: int, cpus: int, group: str, machine: Path
) -> None:
    write(machine / group, cpu__max=f"{quota} 100000")
    assert allowed_cpus() == cpus


def test_a_quota_of_the_first_version_counts(machine: Path) -> None:
    write(machine / "cpu" / "box", cpu__cfs_quota_us="200000", cpu__cfs_period_us="50000")
    assert allowed_cpus() == 4


def test_a_quota_of_memory_does_not(machine: Path) -> None:
    write(machine / "cpu" / "other", cpu__cfs_quota_us="200000", cpu__cfs_period_us="50000")
    assert allowed_cpus() == 8


def test_small_networks_have_one_thread_and_large_ones_share_the_cpus(machine: Path) -> None:
    assert threads_for(6 * 101_770 * 128, processes=1) == 1
    assert threads_for(6 * 2_900_000 * 500, processes=1) == 8
    assert threads_for(6 * 2_900_000 * 500, processes=3) == 2
    assert threads_for(6 * 2_900_000 * 500, processes=20) == 1


def test_waiting_is_passive_unless_the_user_has_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "active"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    wait_passively()
    assert os.environ.pop("OMP_WAIT_POLICY") == "passive"


@pytest.mark.parametrize(
    ("flags", "environment", "expected"),
    [
        (("--model.hidden", "[8]"), None, 1),
        (("--model.hidden", "[4000]", "--data.batch_size", "400"), None, 8),
        (("--model.hidden", "[8]", "--threads", "3"), None, 3),
        (("--model.hidden", "[8]", "--threads", "99"), None, 8),
        (("--model.hidden", "[8]", "--threads", "3"), "2", 3),
        (("--model.hidden", "[8]"), "2", None),
    ],
)
def test_the_command_line_chooses(
    flags: tuple[str, ...],
    environment: str | None,
    expected: int | None,
    machine: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.delenv("OMP_NUM_THREADS")
    if environment:
        monkeypatch.setenv("OMP_NUM_THREADS", environment)
    monkeypatch.setattr(sys, "argv", ["lightning_mnist"])
    open_cli(BuiltCLI, ["fit", *flags])
    assert chosen == ([] if expected is None else [expected])


def test_no_threads_are_refused(here: Here) -> None:
    assert here("fit", "--threads", 0).code == 2


def test_the_wait_policy_is_set_before_torch_is_imported(
    lightning_mnist_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text("import os; print(os.environ['OMP_WAIT_POLICY'])")
    done = lightning_mnist_command("fit", "--help", PYTHONPATH=str(tmp_path))
    assert done.stdout.splitlines()[0] == "passive"
