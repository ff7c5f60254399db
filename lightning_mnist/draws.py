"""Random numbers on a device, each a pure function of where in a training it is used."""

import hashlib

import torch
from torch import Generator, Tensor


def seed_at(*place: int) -> int:
    """A seed that belongs to `place`, say (seed, epoch, step, rank), and to no other."""
    digest = hashlib.blake2b(repr(place).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def generator_at(*place: int, device: torch.device) -> Generator:
    """A generator whose draws depend on `place` alone."""
    return Generator(device).manual_seed(seed_at(*place))


def uniform(
    rows: int, count: int, images: Tensor, generator: Generator, low: float = -1.0
) -> Tensor:
    """Draws [rows, count] from [low, 1) on the device of `images`, in their dtype."""
    draws = torch.empty(rows, count, device=images.device, dtype=images.dtype)
    return draws.uniform_(low, 1, generator=generator)
