"""A module and its files: weights from them and into them, and what the module may be fed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from parity.errors import line_of
from parity.torch.kinds import units
from parity.torch.layouts import Array
from parity.torch.network import answered, answers
from parity.torch.state import undrawn

_USUAL = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Under what training scripts keep the weights in a file, where there are several."""
_DEEPEST = 3
"""So many dictionaries may lie in each other."""
_HINT = (
    "save the state_dict() of the module, or give the program that builds it, as MODULE:FUNCTION"
)
GUESSES = ((3, 64, 64), (3, 224, 224), (28, 28), (1, 28, 28), (16,), (16, 8))

CALLED = "path"
"""What the program calls a layer: this attribute of it."""


def read_weights(path: Path, wanted: Set[str] = frozenset()) -> dict[str, Tensor]:
    """The tensors of a file by name; of several dictionaries those with the `wanted` names.

    Raises:
        ValueError: it cannot be read, or holds no tensors by name.
    """
    try:
        if path.stat().st_size == 0:
            raise ValueError(f"{path}: is empty")
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path}: cannot be read ({' '.join(str(error).split())[:200]})") from None
    except ValueError:
        raise
    except Exception as error:  # zipfile and pickle raise a dozen kinds on damaged files
        raise ValueError(f"{path}: {_unread(str(error))}; {_HINT}") from error
    states = dict(_states(found, ""))
    states = {key: s for key, s in states.items() if _bare(s).keys() == wanted} or states
    for key in _USUAL:
        states = {key: states[key]} if key in states else states
    if len(states) > 1:
        raise ValueError(f"{path}: holds weights under {', '.join(states)}; save one of them alone")
    if not states:
        raise ValueError(f"{path}: holds no tensors by name; expected a state_dict()")
    (tensors,) = states.values()
    size = path.stat().st_size
    for name, value in tensors.items():  # a few bytes can be a tensor of any shape
        if value.numel() * value.element_size() > size:
            raise ValueError(
                f"{path}: {name} has shape {tuple(value.shape)}, the file {size:,} bytes"
            )
    return tensors


def _unread(error: str) -> str:
    """Why torch does not read a file as weights only."""
    if "TorchScript" in error:
        return "a program of TorchScript (torch.jit.save), and not weights"
    if "nsupported global" in error or "GLOBAL" in error:
        return "holds whole objects, as of torch.save(model), which run code when they are read"
    return "not a file of torch, or damaged"


def _states(found: Any, name: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Dictionaries that hold tensors by name, by where they lie; an optimiser's are left out."""
    if not isinstance(found, dict) or "param_groups" in found or name.count(".") >= _DEEPEST:
        return
    tensors = {key: v for key, v in found.items() if isinstance(key, str) and isinstance(v, Tensor)}
    if any(values.ndim for values in tensors.values()):  # a number beside weights is no layer
        yield name, tensors
        return
    for key, part in found.items():
        yield from _states(part, f"{name}.{key}" if name else str(key))


def _bare(names: Iterable[str]) -> dict[str, str]:
    """Each name without what is in front of all of them, ``model.module.`` say, to the name."""
    bare = {name: name for name in names}
    while len({name.partition(".")[0] for name in bare}) == 1 and all("." in n for n in bare):
        bare = {name.partition(".")[2]: whole for name, whole in bare.items()}
    return bare


def _part(names: Iterable[str], wanted: Set[str]) -> dict[str, str]:
    """Of a larger module's names those of the one part that is `wanted`, by the bare ones.

    A LightningModule has its loss and its metrics beside the network. Empty where none is, or
    several are.
    """
    last = next(iter(wanted))
    begins = [name.removesuffix(last) for name in names if name.endswith(f".{last}")]
    parts = [{n.removeprefix(b): n for n in names if n.startswith(b)} for b in begins]
    found = [part for part in parts if part.keys() == wanted]
    return found[0] if len(found) == 1 else {}


def load_weights(module: nn.Module, path: Path) -> None:
    """Take the weights of a file; what is in front of its names, ``model.`` say, may differ.

    Raises:
        ValueError: names or shapes are not those of the module.
    """
    own = module.state_dict()
    here = _bare(own)
    tensors = read_weights(path, here.keys())
    there = _bare(tensors)
    if here.keys() != there.keys():
        there = _part(tensors, here.keys()) or there
    if here.keys() == there.keys():
        try:
            module.load_state_dict({here[name]: tensors[there[name]] for name in here})
        except RuntimeError as error:
            raise ValueError(f"{path}: {' '.join(str(error).split())[:300]}") from None
        return
    missing, extra = (
        ", ".join(sorted(names)[:4])
        for names in (here.keys() - there.keys(), there.keys() - here.keys())
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
    kernels = [  # a program may declare first what works last
        weight.shape
        for unit in units(module)
        for weight in unit.module.parameters()
        if weight.ndim > 1
    ]
    embeds = any(isinstance(unit.module, nn.Embedding | nn.EmbeddingBag) for unit in units(module))
    if embeds:
        return (16,), "int64"
    shapes: list[tuple[int, ...]] = []
    for first in kernels:
        shapes += [(first[1],), (16, first[1])] if len(first) == 2 else []
        shapes += [(first[1], 16)] if len(first) == 3 else []
        shapes += [(first[1], side, side) for side in (28, 32, 64, 224)] if len(first) == 4 else []
    for shape in dict.fromkeys([*shapes, *GUESSES]):
        if not complaint(module, np.zeros((2, *shape), np.float32)):
            return shape, "float32"
    return None


def ways(x: Array) -> Iterator[tuple[str, Array]]:
    """How a batch, channels last, may be given to a module, the likeliest first, in words."""
    if x.ndim > 3:
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


def complaint(module: nn.Module, x: Array) -> str:
    """Why the module does not answer a batch; empty where it does."""
    try:
        with undrawn(module):
            answered(module, x)
    except Exception as error:  # a model is anyone's code
        return line_of(error)
    return ""


def fitting(module: nn.Module, x: Array) -> Callable[[Array], Array] | None:
    """What gives a module batches as it takes them, with a channel say; None where they fit."""
    if not complaint(module, x):
        return None
    fit = (way for way, given in ways(x) if not complaint(module, given))
    way = next(fit, None)
    return None if way is None else lambda batch: dict(ways(batch))[way]


def answer(module: nn.Module, x: Array) -> dict[str, Array]:
    """What each layer gives, and last what the module gives, as ``answer``."""
    given = answers(module, x)
    last = answered(module, x)
    return given | {"answer": last.detach().cpu().float().numpy()}
