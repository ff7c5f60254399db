"""What a run leaves behind that must be the same however often it was killed."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from parity.claims import CLAIM

CLOCKS = ("durations", "provenance", "sha256")
"""What a record says of when and where it was run, and the sum over it."""
LEARNED = ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch")
"""What of a checkpoint must be the same."""


def outcome(folder: Path) -> dict[str, Any]:
    """Names of all files, and weights, history, answers, symptoms and record of all runs."""
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.name != CLAIM)
    found: dict[str, Any] = {"files": names}  # a claim says nothing once its process is dead
    for record in folder.rglob("record.json"):
        run = record.parent
        found |= {f"{run.relative_to(folder)}/{name}": said for name, said in _run(run).items()}
    return found


def _run(run: Path) -> dict[str, Any]:
    record = json.loads((run / "record.json").read_text())
    history = [{k: v for k, v in row.items() if k != "seconds"} for row in record.pop("history")]
    record = {key: value for key, value in record.items() if key not in CLOCKS}
    said = {"history": history, "record": record}
    for name in ("symptoms.json", "config.yaml"):
        said[name] = (run / name).read_text()
    for path in [run / "predictions.npz", *run.glob("views/*.npz")]:
        with np.load(path) as arrays:
            said[path.name] = {name: arrays[name].tobytes() for name in arrays}
    for path in run.glob("checkpoints/*.ckpt"):
        said[path.name] = _checkpoint(path)
    if (path := run / "model.keras").exists():
        with zipfile.ZipFile(path) as archive:
            said[path.name] = archive.read("model.weights.h5")
        with np.load(run / "training.npz") as arrays:  # weights, optimiser, guard
            said["training.npz"] = arrays["values"].tobytes()
    return said


def _checkpoint(path: Path) -> Any:
    import torch

    def plain(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.numpy().tobytes()
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, list | tuple) else value

    if path.name == "previous.ckpt":  # where it was killed decides which moment that is
        return None
    checkpoint = torch.load(path, weights_only=True)
    return {name: plain(checkpoint[name]) for name in LEARNED}
