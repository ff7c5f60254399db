"""Hostile files to every flag that names one, each in a process of its own.

``python -m tests.by_hand.sweep [--few] [WORDS]`` says what does not end in one sentence and the
promised exit code within seconds and a gigabyte: of all doors, or of those whose command line has
all the words; with ``--few`` of a quarter of the files each, in turn.
"""

import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.doors import DOORS, THINGS, WRITES, Door, put
from tests.support.sound import sound_files

SECONDS, BYTES = 5.0, 2**30
PATIENCE = 90.0
"""Seconds until a process is killed: on a loaded machine it gets less than a processor."""
QUARTERS = 4


class Ended(NamedTuple):
    """How a command line ended.

    Attributes:
        code: Exit code; that of a signal is below 0.
        out: What it printed.
        err: What it said.
        seconds: Of the processor, those of its children included.
        peak: Bytes of memory at most.
    """

    code: int
    out: str
    err: str
    seconds: float
    peak: int


def in_child(door: Door, file: str, folder: Path, sound: Path) -> Ended:
    """Run a command line in `folder`, in a child that has imported what this process has."""
    began = time.monotonic()
    out, err = folder / "stdout", folder / "stderr"
    child = os.fork()
    if child == 0:
        os.setsid()
        os.chdir(folder)
        for stream, path in ((1, out), (2, err)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
        os._exit(_run(door, door.words(file, sound)))
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() - began > PATIENCE:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
        time.sleep(0.01)
    printed, said = (path.read_text("utf-8", "replace") for path in (out, err))
    out.unlink()
    err.unlink()
    seconds = usage.ru_utime + usage.ru_stime
    code = os.waitstatus_to_exitcode(status)
    return Ended(code, printed, said, seconds, usage.ru_maxrss * 2**10)


def _run(door: Door, words: list[str]) -> int:
    sys.argv = [f"python -m {door.package}", *words]
    code = 70
    try:
        code = importlib.import_module(f"{door.package}.__main__").main()
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def wrong(door: Door, ended: Ended) -> str | None:
    """What is wrong with how a command line ended; None where nothing is."""
    if ended.peak > BYTES:
        return f"{ended.peak / 2**20:,.0f} MiB"
    if "Traceback" in ended.err + ended.out or ended.code < 0:
        return "a traceback or a signal"
    if ended.code not in door.promised():
        may_be_done = door in WRITES and ended.code in (0, 1, 3, 4)
        return None if may_be_done else f"exit code {ended.code}"
    if ended.seconds > SECONDS * (3 if door.package == "parity" else 1):  # it starts both sides
        return f"{ended.seconds:.1f} s"
    sentences = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    if len(sentences) != 1 or len(sentences[0]) > 1000:
        return f"{len(sentences)} sentences"
    return None


def main() -> int:
    """The number of command lines that ended wrongly."""
    few = "--few" in sys.argv
    words = [word for word in sys.argv[1:] if word != "--few"]
    for name in ("lightning_mnist.command_line.command", "keras_reference.cli", "parity.__main__"):
        importlib.import_module(name)  # once for all children
    number = bad = 0
    with tempfile.TemporaryDirectory() as temporary:
        sound = Path(temporary, "sound")
        sound.mkdir()
        sound_files(sound)
        # In a process of its own: TensorFlow's threads do not live through a fork.
        script = "import lightning_mnist, pathlib, sys; from tests.support.sound import write_keras"
        script += "; write_keras(pathlib.Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", script, str(sound / "model.keras")], check=True)
        for place, door in enumerate(DOORS):
            if not all(word in str(door) for word in words):
                continue
            for thing in list(THINGS)[place % QUARTERS :: QUARTERS] if few else THINGS:
                folder = Path(tempfile.mkdtemp(dir=temporary))
                file = put(thing, door.ending, folder)
                ended = in_child(door, file, folder, sound)
                reason = wrong(door, ended)
                if thing in ("pipe", "zeros", "null") and (folder / file).is_file():
                    reason = "it has been replaced by a file"
                number, bad = number + 1, bad + (reason is not None)
                told = f"{ended.code}, {ended.seconds:.1f} s, {ended.peak >> 20} MiB"
                said = ascii((ended.err.splitlines() or ["-"])[-1][:200])
                word = "right" if reason is None else f"WRONG ({reason})"
                print(f"{word}: {door} {door.ending} {thing}: {told}: {said}", flush=True)
                if reason is not None:
                    print(f"{ended.out}\n{ended.err}".encode("ascii", "backslashreplace").decode())
    print(f"{number} command lines, {bad} wrong")
    return bad


if __name__ == "__main__":
    sys.exit(main())
