"""Rounds the weights of a layer so that what it answers changes least."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FINEST = 127
"""Steps on either side of 0 in one byte."""
DAMPING = 0.01
"""Of the mean variance: by so much at least every input is taken to vary."""
Floats = NDArray[np.float32]
Exact = NDArray[np.float64]


@dataclass(frozen=True)
class Dense:
    """A layer: weights float32 [out, in] and biases float32 [out]."""

    weights: Floats
    biases: Floats

    def __call__(self, values: Tensor) -> Tensor:
        """Of values float32 [N, in], as [N, out]."""
        return values @ torch.from_numpy(self.weights).T + torch.from_numpy(self.biases)


@dataclass(frozen=True)
class Inputs:
    """What a layer is fed.

    Attributes:
        mean: float64 [in].
        shares: float64 [in, in]. Where input i counts for one too little, each later input has to
            count for so much more, as in row i; the row has a 1 at i.
    """

    mean: Exact
    shares: Exact

    @classmethod
    def of(cls, values: Tensor) -> "Inputs":
        """Measured on values float32 [N, in]."""
        given = values.double().numpy()
        products = np.atleast_2d(np.cov(given, rowvar=False, bias=True))
        least = DAMPING * products.trace() / len(products)
        products += (least or 1) * np.eye(len(products))  # all 0 is what dead units give
        upper = np.linalg.cholesky(np.linalg.inv(products)).T
        return cls(given.mean(axis=0), upper / upper.diagonal()[:, None])


@dataclass(frozen=True)
class Rounded:
    """A layer whose weights are whole steps.

    Attributes:
        whole: The steps, int8 [out, in].
        size: Of a step in each row, float32 [out].
        biases: float32 [out].
    """

    whole: NDArray[np.int8]
    size: Floats
    biases: Floats

    @classmethod
    def of(cls, layer: Dense, steps: int, inputs: Inputs) -> "Rounded":
        """Round to `steps` steps at most on either side of 0: 2 * steps + 1 levels in each row.

        `steps` are those of the largest weight of each row.

        Weights are rounded one column after the other; what an output loses by one is made up for
        by those that come after it, as far as their inputs go together (Frantar et al., GPTQ,
        2023). What is lost on average is added to the biases.
        """
        size = np.abs(layer.weights).max(axis=1) / steps
        size = np.where(size > 0, size, 1).astype(np.float32)
        rest = layer.weights / size[:, None].astype(np.float64)
        whole = np.zeros_like(rest)
        for column, shares in enumerate(inputs.shares):
            whole[:, column] = np.clip(np.round(rest[:, column]), -steps, steps)
            rest[:, column:] -= np.outer(rest[:, column] - whole[:, column], shares[column:])
        lost = (layer.weights - whole * size[:, None]) @ inputs.mean
        return cls(whole.astype(np.int8), size, (layer.biases + lost).astype(np.float32))

    @property
    def layer(self) -> Dense:
        """What a page computes with."""
        return Dense(self.whole * self.size[:, None], self.biases)

    @property
    def content(self) -> bytes:
        """Biases, sizes and steps, little-endian."""
        floats = self.biases.astype("<f4").tobytes() + self.size.astype("<f4").tobytes()
        return floats + self.whole.tobytes()
