"""The state of a training, from which ``fit --resume`` goes on: after each epoch, and within."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_reference.callbacks import BestModel, is_finite
from keras_reference.errors import InputError
from parity.files import Like, read_npz
from parity.keras import CollapseGuard
from parity.run_record import RunRecord
from parity.seal import seal
from parity.signals import Waiting
from parity.writing import give_another_name, written_whole

STATE, FORMER = "training.npz", "training.previous.npz"
"""The latest state in a run directory, and the one before it."""
EVERY = 8.0
"""Seconds of training after which the state is written anew within an epoch."""
EXPECTED = {"values": Like("u", (None,), 1), "about": Like("u", (None,), 1)}
State = dict[str, Any]


class Kept(keras.callbacks.Callback):
    """Keeps all that what is still to be learned follows from; it comes last.

    Written after every epoch, every few seconds within one, and when a signal asks the training to
    end. Of `best` it keeps the lowest loss, of `watcher` the evidence; the `recipe` cannot change.
    """

    def __init__(
        self,
        run_dir: Path,
        record: RunRecord,
        best: BestModel,
        watcher: CollapseGuard | None,
        recipe: dict[str, Any],
    ) -> None:
        super().__init__()
        self.run_dir, self.record, self.best = run_dir, record, best
        self.watcher, self.recipe = watcher, json.loads(json.dumps(recipe))
        self.position: dict[str, Any] | None = None
        """Where within an epoch the training goes on, until it does."""
        self.measured: list[NDArray[Any]] = []
        """What Keras has measured in that epoch."""
        self._signals = Waiting()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Go on within an epoch: Keras and the guard have just set back what they count in it."""
        self.epoch = epoch
        if self.position is None:
            return
        for variable, value in zip(self.model.metrics_variables, self.measured, strict=True):
            variable.assign(value)
        if self.watcher is not None:
            self.watcher.steps = self.position["batches"]
            self.watcher.mean_accuracy = self.position["mean_accuracy"]
        self.position = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start the clock; from now on a signal waits for the end of a step."""
        self.saved = time.monotonic()
        self._signals.begin()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """From now on a signal ends the program at once."""
        self._signals.end()
        self._signals.obey()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the state if it is time to, or the training is to end; the last ends the epoch."""
        asked = self._signals.asked is not None
        is_time = asked or time.monotonic() - self.saved >= EVERY
        if batch + 1 < self.params["steps"] and is_time:
            mean = None if self.watcher is None else self.watcher.mean_accuracy
            self._save(self.epoch, {"batches": batch + 1, "mean_accuracy": mean})
            self._signals.obey()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the state."""
        self._save(epoch + 1, None)
        self._signals.obey()

    def _save(self, epochs: int, position: dict[str, Any] | None) -> None:
        """Write the state after so many epochs, and keep the one before, should it come to harm."""
        if not is_finite(self.model):
            return
        watched = {} if self.watcher is None else self.watcher.guard.state()
        initial = watched.pop("initial", {})
        measured = self.model.metrics_variables if position else []
        variables = [*_variables(self.model), *measured]
        arrays = [*map(keras.ops.convert_to_numpy, variables), *initial.values()]
        about = {
            "epochs": epochs,
            "position": position,
            "history": self.record.history,
            "best": self.best.best if math.isfinite(self.best.best) else None,
            "recipe": self.recipe,
            "data": self.record.data["sha256"],
            "guard": watched,
            "initial": list(initial),
            "arrays": [[str(array.dtype), array.shape] for array in arrays],
        }
        path = self.run_dir / STATE
        if path.exists():
            give_another_name(path, self.run_dir / FORMER)
        with written_whole(path) as temporary:
            np.savez(
                temporary,
                values=np.frombuffer(b"".join(array.tobytes() for array in arrays), np.uint8),
                about=np.frombuffer(json.dumps(about).encode(), np.uint8),
            )
            seal(temporary)
        self.saved = time.monotonic()

    @property
    def batches(self) -> int:
        """How many of the epoch to go on with are learned."""
        return 0 if self.position is None else int(self.position["batches"])

    def restore(self, training: keras.Model) -> int:
        """Have all of it go on from the latest state; the epochs that are done, 0 without one.

        Keras begins an epoch anew; `on_epoch_begin` then goes on within it.

        Raises:
            InputError: the state is damaged, or of another recipe, other data, another network.
        """
        state = load_state(self.run_dir)
        if state is None:
            return 0
        check_recipe(state["recipe"], self.recipe)
        if state["data"] != self.record.data["sha256"]:
            raise InputError(
                "--data.source: has other images than this training has had so far; give the same "
                "data set, or train anew"
            )
        variables, values = _variables(training), state["values"]
        shapes = [tuple(variable.shape) for variable in variables]
        if [value.shape for value in values[: len(variables)]] != shapes:
            raise InputError("--resume: its weights are of another network; train anew")
        for variable, value in zip(variables, values, strict=False):
            variable.assign(value)
        self.record.history[:] = state["history"]
        self.best.best = math.inf if state["best"] is None else state["best"]
        first = len(values) - len(state["initial"])
        self.position, self.measured = state.get("position"), values[len(variables) : first]
        if self.watcher is not None and state["guard"]:
            initial = dict(zip(state["initial"], values[first:], strict=True))
            self.watcher.guard.restore({**state["guard"], "initial": initial})
            self.watcher.goes_on = True
        return int(state["epochs"])


def load_state(run_dir: Path) -> State | None:
    """The latest state that is whole; None where a run has none yet.

    Raises:
        InputError: what there is, is damaged.
    """
    damaged = []
    for name in (STATE, FORMER):
        if not (run_dir / name).exists():
            continue
        try:
            arrays = read_npz(run_dir / name, EXPECTED)
            state: State = json.loads(arrays["about"].tobytes())
            state["values"] = _split(arrays["values"], state["arrays"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            damaged.append(f"{run_dir / name} cannot be read ({error})")
            continue
        for said in damaged:
            print(f"warning: {said}; going on from {name}, the one before", file=sys.stderr)
        return state
    if damaged:
        raise InputError(f"--resume {run_dir}: {'; '.join(damaged)}; train anew")
    return None


def check_recipe(former: dict[str, Any], recipe: dict[str, Any]) -> None:
    """Refuse to go on with another recipe.

    Raises:
        InputError: something that cannot change on the way is to.
    """
    before, now = _flat(former), _flat(recipe)
    differ = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if differ:
        said = "; ".join(
            f"--{name} {now.get(name)}, and it was trained with {before.get(name)}"
            for name in differ
        )
        raise InputError(f"{said}: cannot change on the way; train anew, or leave it out")


def _variables(training: keras.Model) -> list[Any]:
    return [*training.variables, *training.optimizer.variables]


def _split(values: NDArray[np.uint8], arrays: list[Any]) -> list[NDArray[Any]]:
    found, place = [], 0
    for dtype, shape in arrays:
        size = np.dtype(dtype).itemsize * math.prod(shape)
        found.append(values[place : place + size].view(dtype).reshape(shape))
        place += size
    return found


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}.{key}".lstrip(".")
        flat |= _flat(value, name) if isinstance(value, dict) and value else {name: value}
    return flat
