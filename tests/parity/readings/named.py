"""What the tests of the readings are made of: arrays of one network, and what a cause must be."""

import numpy as np
import torch

from parity.arrays import Array, Table
from parity.readings.cause import Cause

NAMES = ("ours", "theirs")
RNG = np.random.default_rng(7)


def only(causes: list[Cause], name: str, *said: str, gap: float = 1e-12) -> None:
    """There is one cause, of this name, that says all this and closes the gap."""
    assert [cause.name for cause in causes] == [name], causes
    assert causes[0].gap <= gap
    for words in said:
        assert words in causes[0].text, causes[0].text
    assert "to align them, " in causes[0].text


GIVEN: Table = {
    "dense_1.kernel": RNG.normal(size=(16, 16)),
    "dense_1.bias": RNG.normal(size=16),
    "batch_norm_1.mean": RNG.normal(size=16),
    "batch_norm_1.variance": RNG.random(16) + 0.5,
    "dense_2.kernel": RNG.normal(size=(16, 10)),
    "dense_2.bias": RNG.normal(size=10),
}


def edited(table: Table, **changes: Array) -> Table:
    """A copy in which some tensors are others; ``__`` is written for a dot."""
    return {**table, **{name.replace("__", "."): value for name, value in changes.items()}}


INPUT = RNG.normal(size=(50, 16)) * 2.5  # beyond 6, where relu6 is no relu
NETWORK = {
    **GIVEN,
    "batch_norm_1.scale": RNG.random(16) + 0.5,
    "batch_norm_1.offset": GIVEN["dense_1.bias"],
}
KERNEL, BIAS = GIVEN["dense_1.kernel"], GIVEN["dense_1.bias"]
DENSE = INPUT @ KERNEL + BIAS
LOGITS = INPUT @ GIVEN["dense_2.kernel"] + GIVEN["dense_2.bias"]


def softmax(x: Array) -> Array:
    return torch.tensor(x).softmax(1).numpy()
