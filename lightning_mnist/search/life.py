"""Which trials are being trained: each gives a sign of life, and those of the dead are redone."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import optuna
from optuna.trial import FrozenTrial, TrialState

from parity.claims import lives

INTERVAL = 10.0
"""Seconds between two signs of life."""
DEAD = 60.0
"""Seconds without one after which a trial is given up."""
WORKER, CHOSEN, ASKED = "worker", "flags", "asked to end"
"""Attributes of a trial: who trains it, what was chosen, whether its worker was asked to end."""
MADE_UP = 1 << 40
"""Set in a network address that Python has drawn, since it has found none."""
ADDRESS = uuid.getnode()
HOST = f"{socket.gethostname()} {0 if ADDRESS & MADE_UP else ADDRESS:x}"
"""This machine: clones have the same name, but another network address."""


@contextmanager
def signs_of_life(trial: optuna.Trial) -> Iterator[None]:
    """While within, say every few seconds that this process trains `trial`."""
    ended = threading.Event()

    def sign() -> None:
        worker = {"host": HOST, "pid": os.getpid(), "seen": time.time()}
        trial.set_user_attr(WORKER, worker)

    def go_on() -> None:
        while not ended.wait(INTERVAL):
            try:
                sign()
            except Exception:  # noqa: S112 - of any kind: the next sign may get through
                continue

    sign()
    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def fail_dead(study: optuna.Study) -> None:
    """Fail the trials whose worker lives no more; their recipes are then tried again."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _lives(trial):
            with suppress(ValueError, RuntimeError):  # another worker has just done so
                study.tell(trial.number, state=TrialState.FAIL)


def _lives(trial: FrozenTrial) -> bool:
    worker = trial.user_attrs.get(WORKER)
    if worker is None:  # just begun
        assert trial.datetime_start is not None
        return (datetime.now() - trial.datetime_start).total_seconds() < DEAD
    if worker["host"] == HOST and not lives(worker["pid"]):
        return False
    return bool(time.time() - worker["seen"] < DEAD)
