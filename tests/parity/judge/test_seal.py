"""What is sealed is as it was written, or refused; what is claimed belongs to one process."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from parity.claims import CLAIM, Claim, ClaimedError, claimed, sweep
from parity.json_text import sealed, unsealed
from parity.seal import ChangedError, check_seal, damage, seal


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "arrays.npz"
    np.savez(path, a=np.arange(100), b=np.zeros(3))
    seal(path)
    return path


def test_whoever_reads_the_format_reads_what_is_sealed(archive: Path, tmp_path: Path) -> None:
    assert damage(archive) is None
    with np.load(archive) as arrays:
        assert arrays["a"].tolist() == list(range(100))
    torch.save({"w": torch.arange(5)}, tmp_path / "w.ckpt")
    seal(tmp_path / "w.ckpt")
    assert torch.load(tmp_path / "w.ckpt", weights_only=True)["w"].tolist() == list(range(5))


def test_no_bit_can_change(archive: Path) -> None:
    content = archive.read_bytes()
    for place in range(0, len(content), 7):
        harmed = bytearray(content)
        harmed[place] ^= 1 << place % 8
        archive.write_bytes(harmed)
        with archive.open("rb") as file:
            try:
                check_seal(file)
            except ChangedError:
                continue
        assert damage(archive) is not None, place


def test_what_was_never_sealed_is_not_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "foreign.npz", a=np.arange(3))
    assert damage(tmp_path / "foreign.npz") is None
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a", "b")
        archive.comment = b"somebody's words"
    assert "other than its SHA-256" in str(damage(tmp_path / "other.zip"))


def test_json_says_where_it_was_changed() -> None:
    text = sealed({"a": 1, "b": [1.5, float("nan")]})
    assert unsealed(json.loads(text)) == {"a": 1, "b": [1.5, None]}
    assert unsealed({"a": 1}) == {"a": 1}
    with pytest.raises(ValueError, match="its SHA-256 is another"):
        unsealed(json.loads(text.replace("1.5", "1.4")))


def test_a_folder_is_filled_by_one_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with claimed(folder):
        with pytest.raises(ClaimedError, match=f"process {os.getpid()} is filling it"):
            Claim(folder).take()
        assert (folder / CLAIM).exists()
    assert not (folder / CLAIM).exists()
    with claimed(folder):
        pass


CLAIMS = "import sys, time; from pathlib import Path; from parity.claims import Claim\n"
CLAIMS += "Claim(Path(sys.argv[1])).take(); print('claimed', flush=True); time.sleep(600)"


def test_the_claim_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIMS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "claimed\n"
    with pytest.raises(ClaimedError, match=f"process {process.pid} "):
        Claim(tmp_path).take()
    process.kill()
    process.communicate()
    assert (tmp_path / CLAIM).exists()
    with claimed(tmp_path):
        assert (tmp_path / CLAIM).read_text() == str(os.getpid())


def test_only_what_the_dead_have_left_is_swept(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name in (f".{gone.pid}-half", f".{os.getppid()}-half", ".hidden", "whole"):
        (tmp_path / name).touch()
    sweep(tmp_path, tmp_path / "nowhere")
    assert {path.name for path in tmp_path.iterdir()} == {
        f".{os.getppid()}-half",
        ".hidden",
        "whole",
    }


PARENT = """
import subprocess, sys
from parity.sides.process import environment
child = "import time; from parity.sides.process import die_with_parent\\n"
child += "die_with_parent(); print('up', flush=True); time.sleep(600)"
command = [sys.executable, "-c", child]
process = subprocess.Popen(command, env=environment(1), stdout=subprocess.PIPE)
process.stdout.readline()
print(process.pid, flush=True)
process.wait()
"""


def test_children_die_with_their_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    for _ in range(6000):
        status = Path(f"/proc/{child}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    pytest.fail(f"process {child} goes on")
