"""Where the figures were measured, so that a file of results explains itself."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

SOFTWARE = (
    "torch", "torchvision", "lightning", "tensorflow", "keras", "jax", "kornia", "numpy",
)  # fmt: skip


def describe(threads: int, accelerator: str) -> dict[str, Any]:
    """Versions, processor, threads and date."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in SOFTWARE},
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)),
        "threads": threads,
        "accelerator": _gpu() if accelerator == "gpu" else accelerator,
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _gpu() -> str:
    import torch

    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else "none"
