"""A trained model with all that is known of it, ready to leave."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lightning_mnist.calibration import Calibration
from lightning_mnist.checkpoint import model_of, read_checkpoint, recorded
from lightning_mnist.data import sources
from lightning_mnist.data.batches import answers_of
from lightning_mnist.data.sources import RawDigits
from lightning_mnist.errors import InputError
from lightning_mnist.preprocessing import Preprocessing
from lightning_mnist.runs.recipe import in_short
from parity.run_record import RECORD_FILE, RunRecord, RunRecordError


class Deployed(nn.Module):
    """Preprocessing and network, and nothing that only training needs."""

    def __init__(self, preprocessing: Preprocessing, network: nn.Module) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Images uint8 [N, 28, 28], ink 255 on paper 0, to logits float32 [N, 10]."""
        logits: Tensor = self.network(self.preprocessing(images))
        return logits


@dataclass(frozen=True)
class Trained:
    """A checkpoint, read.

    The model is in float32, ready to predict. What the checkpoint does not say is None, empty or 0;
    `record` is that of the run it lies in.
    """

    path: Path
    model: Deployed
    calibration: Calibration | None
    recipe: dict[str, Any]
    data: dict[str, Any]
    steps: int
    record: RunRecord | None

    @classmethod
    def read(cls, path: Path, flag: str = "--ckpt_path") -> "Trained":
        """Read a checkpoint, which `flag` has named, and the record of its run.

        Raises:
            InputError: as of `read_checkpoint`.
        """
        checkpoint = read_checkpoint(path, flag)
        module = model_of(checkpoint).float().eval()
        recipe, data = recorded(checkpoint) or ({}, {})
        return cls(
            path=path,
            model=Deployed(module.preprocessing, module.network).eval().requires_grad_(False),
            calibration=Calibration.of(checkpoint),
            recipe=recipe,
            data=data,
            steps=int(checkpoint.get("global_step") or 0),
            record=_record(path, data),
        )

    @property
    def sha256(self) -> str:
        """Of all that the network computes with, in its order."""
        digest = hashlib.sha256()
        for name, tensor in self.model.state_dict().items():
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def parameters(self) -> int:
        """How many are learned."""
        return sum(weight.numel() for weight in self.model.network.parameters())

    def logits(self, images: Tensor) -> Tensor:
        """Images uint8 [N, 28, 28] to float32 [N, 10], a batch at a time."""
        return answers_of(self.model, images)

    def metadata(self) -> dict[str, str]:
        """What a file of the model says of itself."""
        calibration = self.calibration or Calibration()
        return {
            "classes": " ".join(map(str, range(sources.CLASSES))),
            "input": "uint8 [N, 28, 28], ink 255 on paper 0, centred by mass in a 20 x 20 box",
            "output": "logits float32 [N, 10]; softmax(logits / temperature) are probabilities",
            "temperature": repr(calibration.temperature),
            "recipe": in_short(self.recipe),
            "data": str(self.data.get("name", "")),
            "data_sha256": str(self.data.get("sha256", "")),
            "weights_sha256": self.sha256,
        }

    def digits(self, source: str | None, root: str | None) -> RawDigits | None:
        """The digits that `source` names, or else those of the training; None where not to be had.

        Raises:
            InputError: they were asked for by name, and cannot be had.
        """
        own = self.data.get("name")
        folder = root or (self.recipe.get("data") or {}).get("root")
        if source is not None:
            return sources.obtain(source, folder)
        try:
            digits = sources.obtain(str(own), folder) if own else None
        except InputError:
            return None
        return digits if digits and digits.sha256 == self.data.get("sha256") else None


def _record(path: Path, data: dict[str, Any]) -> RunRecord | None:
    """The record of the run whose folder a checkpoint lies in, if it is of the same data."""
    try:
        record = RunRecord.load(path.resolve().parent.parent / RECORD_FILE)
    except RunRecordError:
        return None
    return record if data and record.data.get("sha256") == data.get("sha256") else None
