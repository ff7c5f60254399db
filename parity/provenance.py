"""Where a run comes from: the code, the command line and the machine (standard library only)."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from parity.claims import lives


def versions_of(*distributions: str) -> dict[str, str]:
    """The versions of Python and of the named installed distributions."""
    return {"python": platform.python_version()} | {
        name: metadata.version(name) for name in distributions
    }


def command_line(package: str) -> str:
    """What was typed to run a command of a package."""
    return shlex.join(["python", "-m", package, *sys.argv[1:]])


@dataclass(frozen=True)
class Provenance:
    """What a result cannot be repeated without.

    Attributes:
        started: when the run began, ISO 8601 with the offset from UTC.
        command_line: as the process was started, interpreter included.
        process: its id on `host`.
        host: name of the machine.
        system: operating system and architecture.
        cores: logical processors of the machine.
        commit: of the checkout that the code ran from; None where it was installed.
        clean: whether that checkout held just what the commit holds; None without one.
    """

    started: str
    command_line: list[str]
    process: int
    host: str
    system: str
    cores: int | None
    commit: str | None = None
    clean: bool | None = None

    @classmethod
    def here(cls) -> "Provenance":
        """Of this process."""
        commit, clean = checkout_of(Path(__file__))
        return cls(
            started=datetime.now(UTC).astimezone().isoformat(timespec="seconds"),
            command_line=list(sys.orig_argv),
            process=os.getpid(),
            host=platform.node(),
            system=f"{platform.system()} {platform.machine()}",
            cores=os.cpu_count(),
            commit=commit,
            clean=clean,
        )

    @property
    def lives(self) -> bool | None:
        """Whether its process still runs; None on another machine, where that is not to be known.

        Linux says how a process was started: another that has got the same id since does not count.
        """
        if self.host != platform.node():
            return None
        called = Path("/proc", str(self.process), "cmdline")
        if Path("/proc/self/cmdline").exists():
            try:
                return called.read_bytes().split(b"\0")[:-1] == [
                    os.fsencode(word) for word in self.command_line
                ]
            except OSError:
                return False
        return lives(self.process)


def checkout_of(file: Path) -> tuple[str | None, bool | None]:
    """The commit of the Git checkout that a file is tracked in, and whether nothing was changed.

    None and None where Git is missing or does not track the file: an environment may lie within a
    checkout of something else.
    """
    git = shutil.which("git")
    if git is None:
        return None, None

    def said(*words: str) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603
                [git, "-C", str(file.parent), "--no-optional-locks", *words],
                capture_output=True, text=True, timeout=10, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if said("ls-files", "--error-unmatch", file.name) is None:
        return None, None
    commit = said("rev-parse", "HEAD")
    changes = said("status", "--porcelain")
    return commit, None if commit is None or changes is None else not changes
