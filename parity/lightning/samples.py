"""What a Trainer feeds a network: the samples of its loader, or a batch where these are changed."""

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from parity.torch.layouts import Array
from parity.torch.samples import Samples, samples_of
from parity.watch.guard import PROBE


def samples_of_batch(loader: Any, x: Any, y: Array | None, batch: Any) -> Samples | None:
    """Samples of the training, as the network takes them.

    Args:
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
    first = batch[0] if isinstance(batch, tuple | list) else None
    if isinstance(loader, DataLoader) and isinstance(x, Tensor) and isinstance(first, Tensor):
        same = first[: len(x)]
        if same.shape == x.shape and torch.equal(same, x):
            with suppress(Exception):  # a data set is anyone's code
                return samples_of(loader, None, PROBE, "CollapseGuard")
    count = len(x) if isinstance(x, Tensor) else PROBE
    return Samples(x, y[:count], None, None, (), len(y), (x, y[:count]))
