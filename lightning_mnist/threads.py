"""How many threads torch computes with: one for small networks, all that are allowed for large."""

import math
import os
from pathlib import Path

LARGE = 1e9
"""Multiplications and additions of a step from which on a second thread pays. Measured with waiting
threads: 0.5e9 is 1.3 times slower with two, 2.2e9 1.5 times faster."""
CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def wait_passively() -> None:
    """Have idle threads sleep; must be called before torch is imported.

    By default they spin, which makes a step twenty times as slow while another process computes.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def chosen_threads(asked: int | None, work: float, processes: int) -> int | None:
    """Threads for each process, at most those that it may use; None leaves them as they are.

    Where nobody has `asked`, OMP_NUM_THREADS decides, or `threads_for`.
    """
    if asked is None:
        if "OMP_NUM_THREADS" in os.environ:
            return None
        asked = threads_for(work, processes)
    return min(asked, allowed_cpus())


def threads_for(work: float, processes: int) -> int:
    """Threads for each process on this machine; `work` is multiplications and additions a step."""
    return max(1, allowed_cpus() // processes) if work >= LARGE else 1


def allowed_cpus() -> int:
    """CPUs that this process may use: of its affinity, and no more than its container's quota."""
    mine = getattr(os, "sched_getaffinity", None)  # Linux has it
    cpus = len(mine(0)) if mine else os.cpu_count() or 1
    return max(1, math.floor(min(cpus, _quota())))


def _quota() -> float:
    """CPUs' worth of time that the process' control groups grant it, version 2 or 1."""
    quotas = [math.inf]
    for folder in _control_groups():
        for name in ("cpu.max", "cpu.cfs_quota_us"):
            try:
                quota, *period = (folder / name).read_text(encoding="ascii").split()
                microseconds = period or (folder / "cpu.cfs_period_us").read_text("ascii").split()
            except (OSError, ValueError):
                continue
            if quota.isdecimal():  # otherwise "max" or -1
                quotas.append(int(quota) / int(microseconds[0]))
    return min(quotas)


def _control_groups() -> list[Path]:
    """Folders of the process' groups and of all that those lie in."""
    try:
        lines = MEMBERSHIP.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    folders: dict[Path, None] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CGROUPS / "cpu" if controllers else CGROUPS
        group = root / path.lstrip("/")
        folders |= dict.fromkeys(f for f in (group, *group.parents) if f.is_relative_to(root))
        folders[root] = None  # inside a container the path is the host's
    return list(folders)
