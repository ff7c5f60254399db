"""A module and its files: weights from them and into them, and what the module may be fed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from parity.torch.kinds import units
from parity.torch.layouts import Array
from parity.torch.network import answered, answers
from parity.torch.state import undrawn

ENDINGS = (".pt", ".pth", ".ckpt", ".safetensors")
"""Of files of weights; those of torch are read as weights only."""
_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Under what training scripts keep the weights in a file."""
GUESSES = ((3, 64, 64), (3, 224, 224), (28, 28), (1, 28, 28), (16,), (16, 8))

CALLED = "path"
"""What the program calls a layer: this attribute of it."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name.

    Raises:
        ValueError: it cannot be read, or holds no tensors by name.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: cannot be read ({' '.join(str(error).split())[:200]})") from None
    except Exception as error:  # zipfile and pickle raise a dozen kinds on damaged files
        first = (str(error).strip().splitlines() or [type(error).__name__])[0].split(". ")[0]
        raise ValueError(
            f"{path}: not a file of weights and plain values ({first[:200]}); save the "
            "state_dict() of the module, or give the program that builds it, as MODULE:FUNCTION"
        ) from error
    nested = (found[key] for key in _NESTED if isinstance(found, dict) and key in found)
    found = next((part for part in nested if isinstance(part, dict)), found)
    if not isinstance(found, dict) or not any(isinstance(v, Tensor) for v in found.values()):
        raise ValueError(f"{path}: holds no tensors by name; expected a state_dict()")
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    size = path.stat().st_size
    for name, value in tensors.items():  # a few bytes can be a tensor of any shape
        if value.numel() * value.element_size() > size:
            raise ValueError(
                f"{path}: {name} has shape {tuple(value.shape)}, the file {size:,} bytes"
            )
    return tensors


def load_weights(module: nn.Module, path: Path) -> None:
    """Take the weights of a file; what is in front of every name there, ``model.`` say, may go.

    Raises:
        ValueError: names or shapes are not those of the module.
    """
    tensors = read_weights(path)
    own = module.state_dict()
    for prefix in ("", *(f"{name.partition('.')[0]}." for name in list(tensors)[:1])):
        renamed = {name.removeprefix(prefix): values for name, values in tensors.items()}
        if set(renamed) == set(own):
            try:
                module.load_state_dict(renamed)
            except RuntimeError as error:
                raise ValueError(f"{path}: {' '.join(str(error).split())[:300]}") from None
            return
    missing, extra = (
        ", ".join(sorted(names)[:4])
        for names in (own.keys() - tensors.keys(), tensors.keys() - own.keys())
    )
    raise ValueError(
        f"{path}: is of another module: lacks {missing or 'nothing'}, also has {extra or 'nothing'}"
    )


def write(module: nn.Module, path: Path) -> None:
    """Write the weights, under the module's own names, as the ending says."""
    write_tensors(module.state_dict(), path)


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors by name, as the ending says."""
    state = {name: values.detach().contiguous().clone() for name, values in tensors.items()}
    if path.suffix == ".safetensors":
        path.write_bytes(to_bytes(state))
    else:
        torch.save({"state_dict": state} if path.suffix == ".ckpt" else state, path)


def takes(module: nn.Module) -> tuple[tuple[int, ...], str] | None:
    """Shape of one sample, and "float32" or "int64"; tried, since a module does not tell."""
    example = getattr(module, "example_input_array", None)
    if isinstance(example, Tensor):
        return tuple(example.shape[1:]), "float32" if example.is_floating_point() else "int64"
    kernels = [
        weight for unit in units(module) for weight in unit.module.parameters() if weight.ndim > 1
    ]
    first = kernels[0].shape if kernels else ()
    embeds = any(isinstance(unit.module, nn.Embedding | nn.EmbeddingBag) for unit in units(module))
    if embeds:
        return (16,), "int64"
    shapes = [(first[1],), (16, first[1])] if len(first) == 2 else []
    shapes += [(first[1], 16)] if len(first) == 3 else []
    shapes += [(first[1], side, side) for side in (28, 32, 64, 224)] if len(first) == 4 else []
    for shape in [*shapes, *GUESSES]:
        if accepts(module, np.zeros((2, *shape), np.float32)):
            return shape, "float32"
    return None


def ways(x: Array) -> Iterator[tuple[str, Array]]:
    """How a batch, channels last, may be given to a module, the likeliest first, in words."""
    if x.ndim == 4:
        yield "channels first", np.moveaxis(x, -1, 1).copy()
    if x.ndim == 4 and x.shape[-1] == 1:
        yield "without the channel", x[..., 0]
    if x.ndim == 3 and x.shape[1] == x.shape[2]:
        yield "with a channel", x[:, None]
    yield "as it is", x
    if x.ndim == 3:
        yield "channels first", x.swapaxes(1, 2).copy()
        yield "times first", x.swapaxes(0, 1).copy()
    if x.ndim > 2:
        yield "flattened", x.reshape(len(x), -1)
    side = round(x.shape[-1] ** 0.5) if x.ndim == 2 else 0
    if side > 1 and side * side == x.shape[-1]:
        yield "as images with a channel", x.reshape(len(x), 1, side, side)
        yield "as images", x.reshape(len(x), side, side)


def accepts(module: nn.Module, x: Array) -> bool:
    """Whether the module answers a batch."""
    try:
        with undrawn(module):
            answered(module, x)
    except Exception:  # a model is anyone's code
        return False
    return True


def answer(module: nn.Module, x: Array) -> dict[str, Array]:
    """What each layer gives, and last what the module gives, as ``answer``."""
    given = answers(module, x)
    last = answered(module, x)
    return given | {"answer": last.detach().cpu().float().numpy()}
