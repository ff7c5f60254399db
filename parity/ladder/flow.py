"""The order of a side's layers: each behind the one that feeds it, whichever works first."""

import numpy as np

from parity.arrays import Table
from parity.readings.wiring import MERGES
from parity.sides.lockstep import LOGITS, PIXELS


def by_flow(given: Table, fed: Table, owners: list[str]) -> list[str]:
    """The names of a pass, cut into layers with weights and what works on their outputs.

    Branches are worked at one after the other in one program and in turns in another.

    Args:
        given: What each layer gives, in the order of work.
        fed: What each is fed, by the same names.
        owners: Layers with weights.
    """
    blocks: list[list[str]] = []
    for name in given:
        begins = not blocks or _owns(name, owners) or name == LOGITS or name.startswith(MERGES)
        if begins:
            blocks.append([name])
            continue
        feeding = [block for block in blocks if _feeds(block[-1], name, given, fed)]
        (feeding[-1] if feeding else blocks[-1]).append(name)
    return [name for block in blocks for name in block]


def alike(order: list[str], other: list[str], owners: list[str]) -> list[str]:
    """The same order, with the layers that have weights in the order of the other side."""
    blocks: list[list[str]] = []
    for name in order:
        if not blocks or _owns(name, owners) or name == LOGITS or name.startswith(MERGES):
            blocks.append([name])
        else:
            blocks[-1].append(name)
    shared = [n for n, b in enumerate(blocks) if _owns(b[0], owners) and b[0] in other]
    ranked = sorted((blocks[n] for n in shared), key=lambda block: other.index(block[0]))
    for n, block in zip(shared, ranked, strict=True):
        blocks[n] = block
    return [name for block in blocks for name in block]


def _owns(name: str, owners: list[str]) -> bool:
    return name.partition("@")[0] in owners


def _feeds(one: str, other: str, given: Table, fed: Table) -> bool:
    """Whether a layer is fed exactly what another gives; what is fed to all feeds none."""
    known = one != PIXELS and other in fed
    return known and np.array_equal(given[one], fed[other])
