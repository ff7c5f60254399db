"""How cost grows with images, width, batch, seeds and devices, beside the bare loop."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.competitors import PLAIN, chosen
from benchmarks.measures.growth_of_processes import devices, seeds
from benchmarks.rounds import alternate
from benchmarks.setting import Setting
from benchmarks.work import Work

FEW_IMAGES = 12_000
"""In an epoch where the width grows: the widest network is slow."""

COUNTED = ("bare loop", "ours", "jax")
"""JAX where seeds and devices do not grow: what starts and joins processes is not its."""


@dataclass(frozen=True)
class Grids:
    """The values along which each quantity grows."""

    images: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    width: Sequence[int] = (32, 128, 512, 1024, 4096)
    batch_size: Sequence[int] = (16, 64, 256, 1024, 8192)
    seeds: Sequence[int] = (1, 2, 4, 8, 16)
    devices: Sequence[int] = tuple(range(1, min(4, os.cpu_count() or 1) + 1))


def measure(setting: Setting, grids: Grids | None = None) -> dict[str, list[dict[str, Any]]]:
    """For each quantity, a point for each of its values, with seconds by competitor."""
    grids = grids or Grids()
    with tempfile.TemporaryDirectory(dir=setting.out) as folder:
        few = tiled(setting.work, min(FEW_IMAGES, setting.work.images), Path(folder))
        points: dict[str, list[dict[str, Any]]] = {"images": [], "width": [], "batch_size": []}
        for count in grids.images:
            work = tiled(setting.work, count, Path(folder))
            points["images"].append(_point(setting, work, "images", count))
            Path(work.data).unlink()
        for width in grids.width:
            work = replace(few, hidden=(width,))
            points["width"].append(_point(setting, work, "width", width))
        for size in grids.batch_size:
            work = replace(setting.work, batch_size=size)
            points["batch_size"].append(_point(setting, work, "batch_size", size))
        return points | {
            "seeds": seeds(setting, grids.seeds),
            "devices": devices(setting, grids.devices),
        }


def tiled(work: Work, count: int, folder: Path) -> Work:
    """The same with `count` training images and a tenth of that for validation, repeated."""
    val_images = max(10, count // 10)
    path = folder / f"{count}.npz"
    with np.load(work.data, allow_pickle=False) as arrays:
        which = np.arange(count + val_images) % len(arrays["y_train"])
        np.savez(
            path,
            x_train=arrays["x_train"][which],
            y_train=arrays["y_train"][which],
            x_test=arrays["x_test"],
            y_test=arrays["y_test"],
        )
    return replace(work, data=str(path), images=count, val_images=val_images)


def _point(setting: Setting, work: Work, quantity: str, value: int) -> dict[str, Any]:
    members, _ = chosen({name: PLAIN[name] for name in COUNTED}, ())
    works = {name: member.work(work) for name, member in members.items()}
    results = alternate(setting, members, works, f"{quantity} {value}")
    return {quantity: value, "steps": work.steps, "competitors": results}
