"""Whether a checkpoint holds all that a training needs to go on, each of the right kind.

Lightning and torch load what they are given: moments of another shape are written past their end,
and missing ones are begun anew without a word.
"""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from packaging.version import InvalidVersion, Version
from torch import Tensor
from torch.optim import Optimizer

from lightning_mnist.errors import InputError

ROW = {"epoch": 0, "step": 0}
"""What an epoch's history has at least."""


class UnlikeError(ValueError):
    """Something is of another kind than it should be; the message says what."""


def check_resumable(
    path: str, checkpoint: dict[str, Any], model: LightningModule, trainer: Trainer
) -> None:
    """Compare what a training would load with what it has at its first step.

    Raises:
        InputError: something is missing, or of another kind, shape or length.
    """
    try:
        _check(checkpoint, model, trainer)
    except UnlikeError as error:
        raise InputError(
            f"--ckpt_path {path}: training cannot go on from it: {error}; take another checkpoint, "
            "or train anew"
        ) from None


def _check(checkpoint: dict[str, Any], model: LightningModule, trainer: Trainer) -> None:
    for name, kind in (("global_step", 0), ("epoch", 0), ("pytorch-lightning_version", "")):
        _alike(kind, checkpoint.get(name), name)
    try:
        Version(checkpoint["pytorch-lightning_version"])
    except InvalidVersion as error:
        raise UnlikeError(f"pytorch-lightning_version: {error}") from None
    _alike({"fit_loop": trainer.fit_loop.state_dict()}, checkpoint.get("loops"), "loops")
    _check_callbacks(checkpoint.get("callbacks"))
    configured: Any = model.configure_optimizers()
    (optimizer,), schedulers = configured
    _alike([s.state_dict() for s in schedulers], checkpoint.get("lr_schedulers"), "lr_schedulers")
    expected = _after_a_step(optimizer)
    found = checkpoint.get("optimizer_states")
    _alike([{"param_groups": expected["param_groups"]}], found, "optimizer_states")
    state = found[0].get("state")  # type: ignore[index]
    _alike(expected["state"], state, "optimizer_states.state", grows=True)
    if "position" in checkpoint:
        scores = {"losses": torch.zeros(1), "sizes": [0], "right": torch.tensor(0)}
        own = {"scores": scores, "generator": torch.get_rng_state()}
        position = {"batches": 0, "ranks": [own]}
        _alike(position, checkpoint["position"], "position", grows=True)
        ranks = len(checkpoint["position"]["ranks"])
        if ranks != trainer.world_size:
            raise UnlikeError(
                f"within an epoch it can with the same ranks only: {ranks} have begun this one, "
                f"and here are {trainer.world_size}; give as many --trainer.devices"
            )


def _check_callbacks(callbacks: Any) -> None:
    recorder = {"history": [], "recipe": "", "data": {}}
    _alike({"RunRecorder": recorder}, callbacks, "callbacks", grows=True)
    for row in callbacks["RunRecorder"]["history"]:
        _alike(ROW, row, "callbacks.RunRecorder.history")
        _alike(dict.fromkeys(row, 0.0), row, "callbacks.RunRecorder.history", nan=True)


def _after_a_step(optimizer: Optimizer) -> dict[str, Any]:
    """State of a copy of an optimiser, and of its parameters, after a step."""
    copies: dict[int, Any] = {}
    fresh: Any = copy.deepcopy(optimizer, copies)
    for name, value in vars(optimizer).items():  # torch copies what all optimisers have, and LBFGS
        if not hasattr(fresh, name):  # keeps its parameters in a list of its own
            setattr(fresh, name, copy.deepcopy(value, copies))
    for group in fresh.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones_like(parameter)
    fresh.step(lambda: torch.zeros(()))  # LBFGS asks for a tensor
    state: dict[str, Any] = fresh.state_dict()
    return state


def _alike(
    expected: Any, found: Any, where: str, *, grows: bool = False, nan: bool = False
) -> None:
    """Compare kinds, shapes and keys all the way down; what was None at first may be anything.

    Where it `grows`, lists and vectors may have any length; with `nan` numbers may be anything.
    """
    if expected is None:
        return
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            raise UnlikeError(f"{where} is {_kind(found)}; expected a mapping")
        for key, value in expected.items():
            if key not in found:
                raise UnlikeError(f"{where} has no {key}")
            _alike(value, found[key], f"{where}.{key}", grows=grows, nan=nan)
    elif isinstance(expected, list | tuple):
        if not isinstance(found, list | tuple):
            raise UnlikeError(f"{where} is {_kind(found)}; expected a list")
        if len(found) != len(expected) and not grows:
            raise UnlikeError(f"{where} has {len(found)} entries; expected {len(expected)}")
        like = expected if len(found) == len(expected) else expected[:1] * len(found)
        for value, one in zip(like, found, strict=False):
            _alike(value, one, where, grows=grows, nan=nan)
    elif isinstance(expected, Tensor):
        _tensor_alike(expected, found, where, grows)
    elif isinstance(expected, bool | str):
        if type(found) is not type(expected):
            raise UnlikeError(f"{where} is {_kind(found)}; expected {_kind(expected)}")
    elif isinstance(expected, int | float):
        number = found.item() if isinstance(found, Tensor) and found.ndim == 0 else found
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise UnlikeError(f"{where} is {_kind(found)}; expected a number")
        if math.isnan(number) and not nan:
            raise UnlikeError(f"{where} is not a number")


def _tensor_alike(expected: Tensor, found: Any, where: str, grows: bool) -> None:
    if expected.ndim == 0 and type(found) in (int, float):
        return  # torch takes either for a count or a length; LBFGS keeps both in turn
    if not isinstance(found, Tensor):
        raise UnlikeError(f"{where} is {_kind(found)}; expected a tensor")
    longer = grows and expected.ndim == found.ndim == 1 and len(expected) == 1
    if found.shape != expected.shape and not longer:
        raise UnlikeError(f"{where} is {list(found.shape)}; expected {list(expected.shape)}")
    if found.is_floating_point() != expected.is_floating_point():
        raise UnlikeError(f"{where} is {found.dtype}; expected {expected.dtype}")


def _kind(value: Any) -> str:
    return {"NoneType": "missing", "str": "text"}.get(type(value).__name__, type(value).__name__)


@contextmanager
def restoring(trainer: Trainer, path: str | None) -> Iterator[None]:
    """Say in a sentence what comes up while Lightning takes over a checkpoint.

    Raises:
        InputError: something does.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not trainer._checkpoint_connector._loaded_checkpoint:  # taken over already
            raise
        raise InputError(
            f"--ckpt_path {path}: training cannot go on from it ({type(error).__name__}: {error}); "
            "take another checkpoint, or train anew"
        ) from error
