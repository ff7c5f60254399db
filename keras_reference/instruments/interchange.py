"""``.keras`` to ``.safetensors`` and back: ``python -m``, this module, IN, OUT."""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np

from keras_reference.config import ModelConfig
from keras_reference.errors import InputError
from keras_reference.instruments.layers import Described, described
from keras_reference.model_file import fed_raw, load_model
from keras_reference.network import build
from parity.keras import set_weights
from parity.mlp_file import MLPFileError, Plan, Weights, load, save
from parity.seal import seal
from parity.writing import written_whole

ENDINGS = [".keras", ".safetensors"]


def convert(source: Path, target: Path, data: Path | None = None) -> str:
    """Write the network in one of the files as the other; one is a ``.keras``.

    Where no layer scales the pixels, what the network is fed is tried on `data`, an ``.npz`` of
    digits; without one it is taken to be 0 to 1.

    Optimiser, loss and training history are not exchanged.

    Returns:
        Layers and parameters, counted in words.

    Raises:
        InputError: `source` cannot be read, or is a network that the interchange cannot say.
        OSError: `target` cannot be written.
    """
    try:
        if source.suffix == ".keras":
            plan, tensors, notes = read_model(source, data)
            for note in notes:
                print(f"note: {note}", file=sys.stderr)
            save(target, plan, tensors)
        else:
            plan, tensors = load(source)
            with written_whole(target) as temporary:
                network_of(plan, tensors).save(temporary)
                seal(temporary)
    except MLPFileError as error:
        raise InputError(f"{source}: {error}") from None
    return plan.size(tensors)


def read_model(path: Path, data: Path | None = None) -> Described:
    """What a ``.keras`` file says and holds, read in safe mode.

    Raises:
        InputError: it is missing, damaged, unsafe, or has a layer that the interchange cannot say.
        MLPFileError: the interchange cannot say it.
    """
    try:
        network = load_model(path)
    except InputError as error:
        raise InputError(str(error).removeprefix("--model_file ")) from error
    digits = None
    if data is not None:
        with np.load(data, allow_pickle=False) as arrays:
            digits = arrays["x_train"], arrays["y_train"].astype(np.int64)
    try:
        return described(fed_raw(network, digits))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def network_of(plan: Plan, tensors: Weights) -> keras.Sequential:
    """The network that a plan describes, with these weights."""
    functions = plan.activation
    model = ModelConfig(
        hidden=tuple(plan.hidden),
        activation=functions if isinstance(functions, str) else tuple(functions),
        dropout=plan.dropout,
        batch_norm=plan.batch_norm is not None,
        invert=plan.invert,
        standardize=plan.standardize,
    )
    built = build(model, np.zeros((1, 28, 28), np.uint8)).get_config()
    for layer in built["layers"]:
        if layer["class_name"] == "BatchNormalization":
            layer["config"] |= plan.batch_norm
        elif layer["class_name"] == "Normalization":
            # The root of a float32's square, in float32, is that float32.
            layer["config"] |= {"mean": plan.mean, "variance": plan.std**2}
    network = keras.Sequential.from_config(built)
    set_weights(network, tensors)
    return network


def main(arguments: list[str] | None = None) -> int:
    """0, or 1 where the input was at fault; 2 for flags that mean nothing."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_reference.instruments.interchange",
        description="Convert a network from .keras to .safetensors, or back.",
    )
    parser.add_argument("source", metavar="IN", type=Path, help="The file to read.")
    parser.add_argument("target", metavar="OUT", type=Path, help="The file to write.")
    parser.add_argument("--data", type=Path, help="Digits, to tell how pixels are scaled.")
    flags = parser.parse_args(arguments)
    if sorted((flags.source.suffix, flags.target.suffix)) != ENDINGS:
        parser.error("expected a .keras and a .safetensors, in either order")
    try:
        print(convert(flags.source, flags.target, flags.data))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {flags.target}: cannot be written ({error})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
