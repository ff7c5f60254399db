"""Hostile files to every flag that names one, each in a process of its own.

``python -m tests.sweep [WORDS]`` says what does not end in one sentence and the promised exit code
within seconds and a gigabyte: of all doors, or of those whose command line has all the words.
"""

import importlib
import os
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.conftest import make_digits, write_npz
from tests.doors import READS, THINGS, WRITES, Door, put, sound_recipes

SECONDS, BYTES = 90.0, 2**30


def sound_files(folder: Path) -> Path:
    """A run, its model in three forms, digits, a picture, recipes."""
    from PIL import Image

    digits = make_digits(20, 4)
    write_npz(digits, folder / "tiny.npz")
    Image.fromarray(255 - digits.train_images[3]).resize((56, 56)).save(folder / "digit.png")
    sound_recipes(folder)
    fit = "fit --data.source tiny.npz --guard off --model.hidden [16] --trainer.max_epochs 1 --run_dir"
    for package, run in (("lightning_mnist", "run"), ("keras_reference", "keras_run")):
        ended = in_child(Door(package, f"{fit} {{file}}", ""), run, folder, folder)
        assert ended.code == 0, (ended.code, ended.err)
        assert (folder / run / "record.json").exists(), ended.err
    os.link(folder / "run/checkpoints/best.ckpt", folder / "model.ckpt")
    os.link(folder / "keras_run/model.keras", folder / "model.keras")
    return folder


class Ended:
    """How a command line ended.

    Attributes:
        code: Exit code; a signal's number below 0.
        out, err: What it printed.
        seconds: Of the processor, children included.
        wall: Seconds.
        peak: Bytes of memory at most.
    """

    code: int
    out: str
    err: str
    seconds: float
    wall: float
    peak: int


def in_child(door: Door, file: str, folder: Path, sound: Path) -> Ended:
    """Run a command line in `folder`, in a child that has imported what this process has."""
    began = time.monotonic()
    out, err = folder / "stdout", folder / "stderr"
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setsid()
            os.chdir(folder)
            for stream, path in ((1, out), (2, err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
            sys.argv = [f"python -m {door.package}", *door.words(file, sound)]
            signal.signal(signal.SIGINT, signal.default_int_handler)
            code = importlib.import_module(f"{door.package}.__main__").main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    ended = Ended()
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() - began > SECONDS:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.01)
    ended.wall = time.monotonic() - began
    ended.code = os.waitstatus_to_exitcode(status)
    ended.seconds = usage.ru_utime + usage.ru_stime
    ended.peak = usage.ru_maxrss * 1024
    ended.out, ended.err = (p.read_text(errors="replace") for p in (out, err))
    out.unlink()
    err.unlink()
    return ended


def wrong(door: Door, ended: Ended) -> str | None:
    """What is wrong with how it ended."""
    said = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    promised = (2, 5) if door.package == "parity" else (1, 2)
    if "Traceback" in ended.err + ended.out:
        return "traceback"
    if ended.code < 0:
        return f"signal {-ended.code}"
    if ended.peak > BYTES:
        return f"{ended.peak / 2**20:,.0f} MiB"
    if ended.code not in promised:
        if door in WRITES and ended.code in (0, 1, 3, 4):
            return None
        return f"exit code {ended.code}"
    if len(said) != 1 or len(said[0].encode(errors="replace")) > 1000:
        return f"{len(said)} sentences, {max(map(len, said), default=0)} characters"
    return None


def main() -> int:
    """The number of command lines that ended wrongly."""
    words = sys.argv[1:]
    import lightning_mnist.command  # noqa: F401
    import parity.__main__  # noqa: F401
    import keras_reference.cli  # noqa: F401

    number = bad = 0
    with tempfile.TemporaryDirectory() as name:
        sound = Path(name, "sound")
        sound.mkdir()
        sound_files(sound)
        for door in (*READS, *WRITES):
            if not all(word in str(door) for word in words):
                continue
            for thing in THINGS:
                folder = Path(tempfile.mkdtemp(dir=name))
                file = put(thing, door.ending, folder)
                ended = in_child(door, file, folder, sound)
                number += 1
                reason = wrong(door, ended)
                if thing in ("null", "zeros", "pipe") and (folder / file).is_file():
                    reason = "the device is gone"
                bad += reason is not None
                word = "WRONG" if reason else "right"
                last = (ended.err.strip().splitlines() or ["-"])[-1][:300]
                print(
                    f"{word} {door} {door.ending} | {thing}: {reason or ended.code}, "
                    f"{ended.seconds:.1f} s ({ended.wall:.1f}), {ended.peak >> 20} MiB | {ascii(last)}",
                    flush=True,
                )
                if reason:
                    Path(f"/tmp/doors/wrong/{number}.txt").write_text(
                        f"{door} | {thing}\n{ended.out}\n---\n{ended.err}"
                    )
    print(f"{number} command lines, {bad} wrong")
    return bad


if __name__ == "__main__":
    sys.exit(main())
