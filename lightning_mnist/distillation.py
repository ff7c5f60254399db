"""Learning from trained networks: their mean probabilities take the place of the labels."""

from collections.abc import Sequence
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from lightning_mnist.module import DigitClassifier
from lightning_mnist.trained import Trained

BEST = Path("checkpoints", "best.ckpt")
"""The checkpoint of a run that teaches."""


class Distillation(Callback):
    """Has a student learn what teachers say of the very images that it sees itself.

    Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015, at a temperature
    of 1 and without labels: augmented images are often doubtful, and so the probabilities say more
    than which digit it is.

    Args:
        teachers: Runs, or checkpoints; each brings its own preprocessing.

    Raises:
        InputError: one cannot be read.
    """

    def __init__(self, teachers: Sequence[str]) -> None:
        paths = [Path(name) for name in teachers]
        found = [path / BEST if path.is_dir() else path for path in paths]
        self.teachers = [Trained.read(path, "--teachers") for path in found]
        self.digests = {str(teacher.path): teacher.sha256 for teacher in self.teachers}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Have the run record say whose answers are learned, with digests of their weights."""
        trainer.datamodule.description["teachers"] = self.digests  # type: ignore[attr-defined]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Teach; not before, since an average of the weights begins as a copy of the student."""
        assert isinstance(pl_module, DigitClassifier)
        for teacher in self.teachers:
            teacher.model.to(pl_module.device)
        pl_module.teacher = self.probabilities

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """Mean over the teachers, float32 [B, 10], of images float [B, 28, 28] in [0, 1]."""
        models = [teacher.model for teacher in self.teachers]
        pixels = [model.preprocessing.normalize(images.to(torch.float32)) for model in models]
        answers = [model.network(fed) for model, fed in zip(models, pixels, strict=True)]
        return torch.stack(answers).softmax(dim=2).mean(dim=0)
