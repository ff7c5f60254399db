"""Where a search keeps its trials: a journal, or any database that Optuna knows."""

import fcntl
import json
import os
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from lightning_mnist.errors import InputError
from lightning_mnist.search.spec import Spec
from parity.files import opened

PATIENCE = 60.0
"""Seconds that a worker waits for the others' lock of a SQLite file."""
MOST_BYTES = 2**30
"""Of a journal: a million trials."""
IDENTITY = "search"
"""The study's attribute that says what is searched."""


def open_study(spec: Spec, where: str) -> optuna.Study:
    """Open the study of a search in a journal or the URL of a database, or begin it.

    Raises:
        InputError: it cannot be opened, or holds another search.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = _storage(where)
        study = _study(spec, storage)
        if study.user_attrs[IDENTITY] != spec.identity() and _empty(study):
            optuna.delete_study(study_name=spec.name, storage=storage)
            study = _study(spec, storage)
        former = study.user_attrs[IDENTITY]
    except Exception as error:  # Optuna believes what it reads: an odd journal is any mistake
        why = " ".join(str(error).split())
        raise InputError(
            f"--storage {where}: cannot be opened ({type(error).__name__}: {why[:300]}); expected "
            "the path of a journal, or the URL of a database that Optuna can use, such as "
            "sqlite:///search.db"
        ) from None
    if former != spec.identity():
        raise InputError(
            f"--storage {where}: holds another search named {spec.name}, with another "
            f"{_differs(str(former), spec.identity())}; rename the search file, or give a new "
            "--out or --storage"
        )
    return study


def _study(spec: Spec, storage: BaseStorage) -> optuna.Study:
    study = optuna.create_study(
        study_name=spec.name,
        storage=storage,
        direction="maximize",
        pruner=spec.pruner(),
        load_if_exists=True,
    )
    if IDENTITY not in study.user_attrs:
        study.set_user_attr(IDENTITY, spec.identity())
    return study


def _empty(study: optuna.Study) -> bool:
    """Whether nothing was trained: the search file was wrong, for instance, and has been mended."""
    return all(trial.state is TrialState.FAIL for trial in study.get_trials(deepcopy=False))


def _storage(where: str) -> BaseStorage:
    if "://" in where:
        waits = {"connect_args": {"timeout": PATIENCE}} if where.startswith("sqlite") else None
        return RDBStorage(where, engine_kwargs=waits)
    path = Path(where).resolve()
    _check_journal(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _Lock(path)
    backend = JournalFileBackend(str(path), lock)
    _mend(path, lock)
    return JournalStorage(backend)


class _Lock(JournalFileOpenLock):
    """Lets one process write at a time, for as long as it lives.

    Optuna's lock is a file, which outlives a process that is killed: the others then wait for half
    a minute. The system's lock on the journal itself ends with its owner, on NFS too.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    def acquire(self) -> bool:
        """Wait for the journal, which is made where there is none."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(file, fcntl.LOCK_EX)
        self._held = file
        return True

    def release(self) -> None:
        """Let the next one have it."""
        os.close(self._held)


def _check_journal(path: Path) -> None:
    """Look at what is there already: half a line of a journal is taken off, so it must be one.

    Raises:
        ValueError: another file.
    """
    if path.exists():
        with opened(path, MOST_BYTES) as file:
            if file.read(1) not in (b"", b"{"):  # Optuna's journals have an object of JSON a line
                raise ValueError("not a journal")


def _mend(path: Path, lock: _Lock) -> None:
    """Take off half a line that a machine has left as it went down; Optuna would add to it."""
    lock.acquire()
    try:
        with path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 2**20))
            tail = file.read()
            if tail and not tail.endswith(b"\n"):
                file.truncate(size - len(tail) + tail.rfind(b"\n") + 1)
    finally:
        lock.release()


def _differs(former: str, now: str) -> str:
    one, other = json.loads(former), json.loads(now)
    return ", ".join(key for key in other if one.get(key) != other[key])
