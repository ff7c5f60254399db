"""Memory: what one step has freed the next one uses, and the system is not asked for it again."""

import ctypes
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt")
FAULTS = """
import resource
{prepare}
import torch

def step():
    gradients = [torch.ones(1024, 1024) for _ in range(6)]

for _ in range(5):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""
KEEP = "from lightning_mnist import memory; memory.keep_freed()"
COMMAND = "import sys; sys.argv[1:] = ['fit', '--help']; from lightning_mnist import __main__"


def faults_a_step(prepare: str) -> float:
    """Pages that the system must fill with zeros for a step which frees all that it takes.

    By its environment glibc maps every block of 128 KiB, as it does until it has seen larger ones.
    """
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(prepare=prepare)],
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072"},
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    return float(done.stdout.splitlines()[-1])


@pytest.mark.skipif(not GLIBC, reason="other C libraries have no mallopt")
def test_freed_memory_is_used_again() -> None:
    assert faults_a_step(KEEP) < 10
    assert faults_a_step("") > 5000  # six blocks of 1,024 pages


@pytest.mark.skipif(not GLIBC, reason="other C libraries have no mallopt")
def test_a_command_keeps_what_it_frees() -> None:
    run = f"{COMMAND}\ntry:\n    __main__.main()\nexcept SystemExit:\n    pass"
    assert faults_a_step(run) < 10
