"""``.ckpt`` to ``.safetensors`` and back: ``python -m``, this module, IN, OUT."""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from lightning import __version__ as lightning_version

from lightning_mnist.checkpoint import WholeCheckpointIO, model_of, read_checkpoint
from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from lightning_mnist.network import BatchNorm
from parity.mlp_file import BATCH_NORMS, MLPFileError, Plan, Weights, load, save
from parity.torch import set_weights, weights

CHECKPOINT, SAFETENSORS = ".ckpt", ".safetensors"
_BATCH_NORM: dict[BatchNorm, dict[str, float] | None] = {
    False: None,
    True: BATCH_NORMS[0],
    "keras": BATCH_NORMS[1],
}
"""What batch norm computes, by what ``--model.batch_norm`` calls it."""


def convert(source: Path, target: Path) -> str:
    """Write what `source` holds as `target`; one of them is a ``.ckpt``, one a ``.safetensors``.

    A checkpoint that was converted holds no optimiser, no split and no augmentation: it can be
    tested, not trained further.

    Returns:
        How large the network is, in words.

    Raises:
        InputError: `source` cannot be read, or holds what the interchange format cannot say.
        OSError: `target` cannot be written.
    """
    try:
        if source.suffix == CHECKPOINT:
            plan, tensors = read_module(source)
            save(target, plan, tensors)
        else:
            plan, tensors = load(source)
            write_module(target, plan, tensors)
    except MLPFileError as error:
        raise InputError(f"{source}: {error}") from None
    return plan.size(tensors)


def read_module(path: Path) -> tuple[Plan, Weights]:
    """What a checkpoint of a `DigitClassifier` says and holds.

    Raises:
        InputError: it is missing, damaged, of another model, or not in float32.
        MLPFileError: the interchange cannot say it.
    """
    try:
        checkpoint = read_checkpoint(path)
    except InputError as error:
        raise InputError(str(error).removeprefix("--ckpt_path ")) from error
    for name, tensor in checkpoint["state_dict"].items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise InputError(
                f"{path}: {name} is {str(tensor.dtype).removeprefix('torch.')}; expected float32: "
                "weights are exchanged in float32 only"
            )
    module = model_of(checkpoint)
    return _plan(module), weights(module.network, _example(module))


def module_of(plan: Plan, tensors: Weights) -> DigitClassifier:
    """The model of a plan and its weights."""
    names = {repr(value): name for name, value in _BATCH_NORM.items()}
    module = DigitClassifier(
        hidden=plan.hidden,
        activation=plan.activation,
        dropout=plan.dropout,
        batch_norm=names[repr(plan.batch_norm)],
        invert=plan.invert,
        standardize=plan.standardize,
    )
    with torch.no_grad():
        module.preprocessing.mean.fill_(plan.mean)
        module.preprocessing.std.fill_(plan.std)
    set_weights(module.network, _example(module), tensors)
    return module


def write_module(path: Path, plan: Plan, tensors: Weights) -> None:
    """Write a checkpoint that ``test``, ``validate`` and ``predict`` take; whole or not at all."""
    module = module_of(plan, tensors)
    checkpoint = {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": lightning_version,
        "hparams_name": "kwargs",
        "hyper_parameters": dict(module.hparams),
        "state_dict": module.state_dict(),
    }
    WholeCheckpointIO().save_checkpoint(checkpoint, path)


def _plan(module: DigitClassifier) -> Plan:
    """What a module was built from; without hidden layers most of it says nothing."""
    flags = module.hparams
    hidden = list(flags["hidden"])
    measured = flags["standardize"] == "dataset"
    return Plan(
        hidden=hidden,
        activation=_activation(flags["activation"]) if hidden else "relu",
        dropout=float(flags["dropout"]) if hidden else 0.0,
        batch_norm=_batch_norm(flags["batch_norm"]) if hidden else None,
        invert=flags["invert"],
        standardize=flags["standardize"],
        mean=module.preprocessing.mean.item() if measured else 0.0,
        std=module.preprocessing.std.item() if measured else 1.0,
    )


def _activation(flag: Any) -> Any:
    """One name, or a list of several that differ."""
    return flag if isinstance(flag, str) or len(set(flag)) > 1 else flag[0]


def _batch_norm(flag: Any) -> Any:
    """What the interchange calls it; what it does not know is for `Plan` to refuse."""
    return next((said for name, said in _BATCH_NORM.items() if name == flag), flag)


def _example(module: DigitClassifier) -> torch.Tensor:
    """Pixels that the network takes."""
    pixels: torch.Tensor = module.preprocessing(module.example_input_array)
    return pixels


def main(arguments: list[str] | None = None) -> int:
    """0, 1 where a file was at fault; flags that cannot be understood exit with 2."""
    parser = argparse.ArgumentParser(prog="python -m lightning_mnist.instruments.interchange")
    parser.add_argument("source", metavar="IN", type=Path, help="A .ckpt or a .safetensors.")
    parser.add_argument("target", metavar="OUT", type=Path, help="The other of the two.")
    flags = parser.parse_args(arguments)
    if {flags.source.suffix, flags.target.suffix} != {CHECKPOINT, SAFETENSORS}:
        parser.error(f"expected names that end in {CHECKPOINT} and {SAFETENSORS}, in either order")
    try:
        print(convert(flags.source, flags.target))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {flags.target}: cannot be written ({error})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
