"""What a network, or a loss, has refused, and the change with which it takes it."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import torch
from torch import Tensor, nn

from parity.torch.behaviour import beyond_table
from parity.torch.layouts import Array, as_array
from parity.torch.losses import Use
from parity.torch.samples import Samples
from parity.torch.state import unchanged
from parity.torch.trace import called, first_tensor
from parity.watch.check.words import beyond
from parity.watch.diagnosis import Finding

SHAPES: tuple[tuple[str, Callable[[Tensor], Tensor]], ...] = (
    ("", lambda x: x),
    (".unsqueeze(1)", lambda x: x.unsqueeze(1)),
    (".unsqueeze(-1)", lambda x: x.unsqueeze(-1)),
    (".movedim(-1, 1)", lambda x: x.movedim(-1, 1)),
    (".flatten(1)", lambda x: x.flatten(1)),
)
"""Changes of shape, in the order in which they are tried."""


def refused_by(module: nn.Module, error: Exception, samples: Samples) -> Finding:
    """Why a network cannot take samples, as far as that is known."""
    found = beyond_table(module, samples.x)
    if found is not None:
        return beyond(*found, "nn.Embedding({}, ...)")
    x = first_tensor(samples.x)
    line = "" if x is None or x is not samples.x else _line(module, x)
    return _refused("network cannot take these samples", error, line, samples=x, targets=samples.y)


def refused_by_loss(use: Use | None, error: Exception, outputs: Tensor, y: Array) -> Finding:
    """Why a loss cannot take what it is given, as far as that is known.

    Args:
        use: The loss at work; None where it is the program's own.
        error: That it has raised.
        outputs: That it was given, [N, ...].
        y: Likewise.
    """
    line = "" if use is None else next((n for n, *pair in _pairs(use) if _takes(use, *pair)), "")
    name = "loss cannot take these outputs and targets"
    return _refused(name, error, line, outputs=outputs, targets=y)


def refused_again(use: Use | None) -> Finding | None:
    """Why a loss cannot take what it was given; None where it can, or is not known."""
    if use is None:
        return None
    given, targets = use.given.detach(), use.targets.detach()
    try:
        use.of(given, targets)
    except Exception as error:  # whatever it says of what it was given
        return refused_by_loss(use, error, given, as_array(targets))
    return None


def _refused(name: str, error: Exception, line: str, **given: Tensor | Array | None) -> Finding:
    """With the change that was found, or else what was given."""
    known = [(n, values) for n, values in given.items() if values is not None]
    what = ", ".join(f"{n} {list(values.shape)} of {values.dtype}" for n, values in known)
    said = " ".join(str(error).split())[:200]
    advice = f"With {line} it takes them" if line else f"Compare with what they are: {what}"
    return Finding(f"the {name}", f"{type(error).__name__}: {said}", advice)


def _line(module: nn.Module, x: Tensor) -> str:
    """The first change of the samples with which the network answers; empty for none."""
    dtype = next((weight.dtype for weight in module.parameters()), torch.float32)
    kinds = [("", x), (f".to({dtype})", x.to(dtype))]
    if not x.is_floating_point() or torch.equal(x, x.round()):
        kinds.append((".long()", x.long()))
    for cast, values in kinds:
        for shape, change in SHAPES:
            with suppress(Exception), unchanged(module), torch.no_grad():
                answers = first_tensor(called(module, change(values)))
                if answers is not None and answers.ndim and len(answers) == len(x):
                    return f"x{cast}{shape}"
    return ""


def _pairs(use: Use) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Other outputs and targets, with the line that makes them."""
    given, targets = use.given.detach(), use.targets.detach()
    shapes = [("y", targets)]
    if targets.ndim > 1 and targets.shape[1] == 1:
        shapes.append(("y.squeeze(1)", targets.squeeze(1)))
    if given.numel() == targets.numel():
        shapes.append(("y.view_as(outputs)", targets.reshape(given.shape)))
    for line, y in shapes:
        yield line, given, y
        if not y.is_floating_point() or torch.equal(y, y.round()):
            yield f"{line}.long()", given, y.long()
        yield f"{line}.float()", given, y.to(given.dtype)
    if given.ndim > 2:
        yield "outputs.movedim(-1, 1)", given.movedim(-1, 1), targets


def _takes(use: Use, given: Tensor, targets: Tensor) -> bool:
    with suppress(Exception), torch.no_grad():
        return bool(torch.isfinite(use.of(given, targets)))
    return False
