"""Processes that are started here: their threads, their JSON lines, what they said last."""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

Message = dict[str, Any]
LAST_LINES = 8
LONGEST_ERROR = 500
SECONDS_TO_END = 10
PARENT = "PARITY_PARENT"
"""The variable that tells a process who has started it."""
PR_SET_PDEATHSIG = 1


class ProcessFailedError(RuntimeError):
    """A process failed at what it was told, or has died; the message has its reason."""


def environment(threads: int) -> dict[str, str]:
    """The environment in which every framework computes with so many threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    own = {"TF_NUM_INTEROP_THREADS": "1", PARENT: str(os.getpid())}
    return {**os.environ, **dict.fromkeys(names, str(threads)), **own}


def die_with_parent() -> None:
    """Have the system kill this process when the one that started it dies, however it does.

    Linux only (``prctl``, PR_SET_PDEATHSIG); elsewhere the process goes on to its end.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.environ.get(PARENT) not in (None, str(os.getppid())):  # it has died already
            os.kill(os.getpid(), signal.SIGKILL)


def threads_of_each(processes: int) -> int:
    """Threads for each of so many processes that compute at the same time."""
    return max(1, (os.cpu_count() or processes) // processes)


def last_lines(log: Path, count: int = LAST_LINES) -> list[str]:
    """The end of a log; empty where there is none."""
    if not log.exists():
        return []
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]


class Conversation:
    """A module in a process of its own, that answers a line of JSON with a line of JSON.

    The module calls `serve`; whatever else its process prints goes to `log`.
    """

    def __init__(self, module: str, log: Path, variables: Mapping[str, str]) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(variables),
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def tell(self, **message: Any) -> None:
        """Send a message; `hear` has the answer, in the same order."""
        with suppress(BrokenPipeError):  # it has died: `hear` says why
            print(json.dumps(message), file=_pipe(self.process.stdin), flush=True)

    def hear(self) -> Message:
        """Wait for the answer to the oldest message.

        Raises:
            ProcessFailedError: the process says that it failed, or has died.
        """
        line = _pipe(self.process.stdout).readline()
        if not line:
            said = " | ".join(last_lines(self.log))
            code = self.process.wait()
            raise ProcessFailedError(f"its process has ended with code {code}; it said: {said}")
        answer: Message = json.loads(line)
        if "error" in answer:
            raise ProcessFailedError(answer["error"])
        return answer

    def ask(self, **message: Any) -> Message:
        """Send a message and wait for its answer."""
        self.tell(**message)
        return self.hear()

    def close(self) -> None:
        """End the process, politely at first."""
        with suppress(BrokenPipeError):  # it was gone before it had read all
            _pipe(self.process.stdin).close()
        try:
            self.process.wait(timeout=SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _pipe(self.process.stdout).close()


def serve(answer: Callable[[Message], Message]) -> None:
    """Answer every message on the standard input; failures are answers too.

    Frameworks print: only answers may reach the pipe, all else goes to the standard error.
    """
    die_with_parent()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except (Exception, SystemExit) as error:  # what answers is anyone's code
            text = " ".join(str(error).split())[:LONGEST_ERROR]
            reply = {"error": f"{type(error).__name__}: {text}"}
        print(json.dumps(reply), file=answers, flush=True)


def answered(server: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Have a server do what a request says, whose tables lie in the files that it names."""
    call, source, target = (request.pop(key) for key in ("call", "from", "to"))
    if source is not None:
        with np.load(source, allow_pickle=False) as arrays:
            request["table"] = dict(arrays)
    result = getattr(server, call)(**request)
    if target is not None:
        np.savez(target, **result)
    return {}


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
