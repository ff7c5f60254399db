"""The same work in several processes at once, each of which pays for its imports once."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import SimpleQueue
from typing import Any

from lightning_mnist.errors import InputError
from lightning_mnist.sentences import in_a_sentence
from lightning_mnist.threads import allowed_cpus
from parity.files import said_of
from parity.signals import StoppedError, ending_at_once
from parity.streams import print_anything

Work = Callable[..., None]


def processes_for(asked: int | None, jobs: int) -> int:
    """How many processes: as many as asked, else one a processor, and none without a job."""
    return min(asked or allowed_cpus(), max(1, jobs))


def threads_each(processes: int) -> int:
    """How many threads each of them may compute with."""
    return max(1, allowed_cpus() // processes)


def run(work: Work, arguments: tuple[Any, ...], count: int) -> int:
    """Do `work` in `count` processes; in this one where it is one.

    Args:
        work: A function of a module; imports that take long are its own, so that only the
            processes that work pay for them.
        arguments: For each of them, to be pickled.
        count: 1 or more.

    Returns:
        0, 1 where the input was at fault or a process was killed, 143 and 130 after SIGTERM and
        SIGINT. An error has been printed.
    """
    if count == 1:
        return guarded(work, *arguments)
    context = multiprocessing.get_context("spawn")
    errors = context.SimpleQueue()
    processes = [
        context.Process(target=_in_a_child, args=(errors, work, *arguments), daemon=True)
        for _ in range(count)
    ]
    return guarded(_watch, processes, errors)


def guarded(work: Callable[..., int | None], *arguments: Any) -> int:
    """Do something; say in a sentence what was wrong with the input, or what asked it to end."""
    try:
        with ending_at_once():
            return in_a_sentence(work, *arguments)
    except StoppedError as error:
        print(f"\n{error}; the same command goes on", file=sys.stderr, flush=True)
        return error.exit_code


def _watch(processes: list[SpawnProcess], errors: SimpleQueue[str]) -> None:
    """Wait for all; where one fails, end the others."""
    for process in processes:
        process.start()
    try:
        waiting = list(processes)
        while waiting:
            connection.wait([process.sentinel for process in waiting])
            for process in [p for p in waiting if p.exitcode is not None]:
                waiting.remove(process)
                if process.exitcode:
                    raise _failure(process.exitcode, errors)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _failure(code: int, errors: SimpleQueue[str]) -> InputError | StoppedError:
    """Why a process has ended with `code`; of several that say the same one is heard."""
    if code > 128:
        return StoppedError(code - 128)
    if code < 0:
        return InputError(
            f"a worker was ended by {signal.Signals(-code).name}, by the system where memory ran "
            "out; the same command goes on, with fewer --workers if need be"
        )
    said = "a worker has failed; what it said is above"
    return InputError(said if errors.empty() else errors.get())


def _in_a_child(errors: SimpleQueue[str], work: Work, *arguments: Any) -> None:
    print_anything()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with ending_at_once():
            work(*arguments)
    except InputError as error:
        errors.put(str(error))
        sys.exit(1)
    except OSError as error:
        errors.put(said_of(error))
        sys.exit(1)
    except StoppedError as error:
        sys.exit(error.exit_code)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its processes."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
