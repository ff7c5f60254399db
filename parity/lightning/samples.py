"""What a Trainer feeds a network: the samples of its loader, or a batch where these are changed."""

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, SequentialSampler

from parity.torch.layouts import Array
from parity.torch.samples import Samples, parted, samples_of
from parity.watch.guard import PROBE


def samples_of_batch(
    part: nn.Module, loader: Any, x: Any, y: Array | None, batch: Any
) -> Samples | None:
    """Samples of the training, as the network takes them.

    Args:
        part: The network.
        loader: Of the training.
        x: What the network is fed of the first batch, or some of it.
        y: The batch's targets, [B, ...].
        batch: As the loader gives it.

    Returns:
        Those of the loader where the step hands them on as they are, else those of the batch; None
        where targets are not known.
    """
    x = x[0] if isinstance(x, tuple) and len(x) == 1 else x
    if y is None:
        return None
    given = parted(batch, part)[0]
    if isinstance(given, Tensor) and isinstance(x, Tensor) and given[: len(x)].numel() == x.numel():
        given = given.reshape(len(given), *x.shape[1:])
    if isinstance(loader, DataLoader) and _same(given, x):
        with suppress(Exception):  # a data set is anyone's code
            samples = samples_of(loader, None, PROBE, "CollapseGuard", part)
            return samples.given_as(x) or samples
    count = len(x) if isinstance(x, Tensor) else PROBE
    mixed = not isinstance(getattr(loader, "sampler", None), SequentialSampler)
    return Samples(x, y[:count], None, None, (), len(y), (x, y[:count]), mixed)


def _same(given: Any, x: Any) -> bool:
    """Whether `x` is the first samples of what was given, in the same structure."""
    if isinstance(given, tuple) and isinstance(x, tuple) and len(given) == len(x):
        return all(map(_same, given, x))
    if not isinstance(given, Tensor) or not isinstance(x, Tensor):
        return False
    return given[: len(x)].shape == x.shape and torch.equal(given[: len(x)], x)
