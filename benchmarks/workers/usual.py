"""Lightning's usual way: a torchvision data set, a DataLoader, two logs a step."""

import lightning_mnist  # noqa: F401 - it mends torchvision, which Lightning imports

# isort: split

import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from benchmarks.work import AUGMENTATION, LOUDNESS, SMOOTHNESS, Work
from benchmarks.workers.bare import mlp
from benchmarks.workers.serving import Prepared, serve


class Digits(Dataset[tuple[Tensor, int]]):
    """What `torchvision.datasets.MNIST` does for every sample."""

    def __init__(self, work: Work) -> None:
        with np.load(work.data, allow_pickle=False) as arrays:
            self.data = torch.from_numpy(arrays["x_train"][: work.images])
            self.targets = torch.from_numpy(arrays["y_train"][: work.images].astype(np.int64))
        self.transform = transform(augmented=work.augmented)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Pixels float32 [1, 28, 28] in [0, 1], and the label."""
        image = Image.fromarray(self.data[index].numpy())
        return self.transform(image), int(self.targets[index])


def transform(*, augmented: bool) -> Callable[[Image.Image], Tensor]:
    """A picture to a tensor, distorted in two resamplings: torchvision's are separate."""
    chain: list[Callable[..., Any]] = [v2.ToImage()]
    if augmented:
        shift, scale = AUGMENTATION["shift"] / 28, 1 + AUGMENTATION["scale"]
        alpha = AUGMENTATION["elastic"] * LOUDNESS * 2  # displaces by so many half pixels
        bilinear = v2.InterpolationMode.BILINEAR
        chain += [
            v2.RandomAffine(
                AUGMENTATION["rotation"], (shift, shift), (1 / scale, scale),
                AUGMENTATION["shear"], interpolation=bilinear,
            ),
            v2.ElasticTransform(alpha, SMOOTHNESS),
        ]  # fmt: skip
    chain.append(v2.ToDtype(torch.float32, scale=True))
    return v2.Compose(chain)  # type: ignore[no-any-return]


class Classifier(LightningModule):
    """As tutorials have it."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.network = mlp(work.hidden)
        self.learning_rate = work.learning_rate

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """The loss, a scalar, which is shown with the accuracy."""
        images, labels = batch
        logits = self.network(images.flatten(1))
        loss = F.cross_entropy(logits, labels)
        self.log("loss", loss, prog_bar=True)
        self.log("accuracy", (logits.argmax(1) == labels).float().mean(), prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam as torch has it."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate)


class Stopwatch(Callback):
    """Seconds from the first batch to the end of training."""

    seconds = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start."""
        self.seconds = -time.perf_counter()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop."""
        self.seconds += time.perf_counter()


def prepare(work: Work, workers: int = 0) -> Prepared:
    """Workers of the DataLoader stay between rounds: their start is not in the seconds."""
    warnings.filterwarnings("ignore", message=".*num_workers|.*does not have many workers")
    loader = DataLoader(
        Digits(work),
        batch_size=work.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=work.accelerator == "gpu",
    )
    module = Classifier(work)
    steps = max(1, round(work.steps * min(1.0, work.epochs)))

    def run() -> float:
        stopwatch = Stopwatch()
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(
                accelerator=work.accelerator,
                devices=1,
                max_epochs=max(1, round(work.epochs)),
                limit_train_batches=steps,
                default_root_dir=folder,
                callbacks=[stopwatch],
            )
            trainer.fit(module, loader)
        return stopwatch.seconds * work.steps / trainer.global_step

    return Prepared(run)


if __name__ == "__main__":
    serve(prepare)
