"""The collapse guard as a callback of Lightning: it measures, `parity.watch.guard` decides."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from lightning_mnist.data.batches import Batch
from lightning_mnist.data.datamodule import DigitsDataModule
from lightning_mnist.data.mnist_form import SIDE
from lightning_mnist.data.sources import CLASSES
from lightning_mnist.module import DigitClassifier
from lightning_mnist.steps.step_callbacks import StepCallback
from parity.torch.first_step import FirstStep
from parity.torch.look import Look, look
from parity.torch.samples import samples_of
from parity.torch.state import unchanged
from parity.watch.alarm import Reaction
from parity.watch.fingerprint import sample
from parity.watch.guard import ENOUGH, PROBE, Guard
from parity.watch.symptoms import Symptoms
from parity.watch.trials import SAMPLES

BATCH = 128
"""Images at most of which the loss is asked before the first step."""


class CollapseGuard(StepCallback):
    """Stops a training, or warns, once the network no longer looks at its inputs.

    It looks at some validation images after 1, 2, 4, 8, ... steps of the first epoch, at the whole
    validation part, over all ranks, after every epoch, and at the test set. Where one process
    trains, it says before the first step what looks wrong, and tries what may help.

    Args:
        run_dir: Where it keeps the evidence.
        reaction: "stop" raises `parity.watch.alarm.CollapsedError`, "warn" prints the same.
        trained: Symptoms of the training whose checkpoint is tested.
    """

    def __init__(
        self, run_dir: Path, reaction: Reaction = "stop", trained: Symptoms | None = None
    ) -> None:
        self.guard = Guard(run_dir, reaction, trained)
        self._goes_on = False
        self.first: FirstStep | None = None

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far, and the weights before the first step."""
        state = self.guard.state()
        initial = {name: torch.from_numpy(values) for name, values in state["initial"].items()}
        return {**state, "initial": initial}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        initial = {name: values.numpy() for name, values in state_dict["initial"].items()}
        self.guard.restore({**state_dict, "initial": initial})
        self._goes_on = True

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Only one process writes."""
        assert isinstance(pl_module, DigitClassifier)
        self.guard.alarm.writes = trainer.is_global_zero
        self._module = pl_module
        self._data: DigitsDataModule = trainer.datamodule  # type: ignore[attr-defined]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure what is there before the first step, which a run that goes on has done."""
        data, module = self._data, self._module
        loader = data.train_dataloader()
        raw = loader.images[data.train_ids[torch.from_numpy(sample(len(data.train_ids)))]]
        picked = data.val_ids[torch.from_numpy(sample(len(data.val_ids), PROBE))]
        self._probe, self._probe_labels = loader.images[picked], loader.labels[picked].cpu().numpy()
        if self._goes_on:
            return
        seen = _look(module, self._probe)
        self.guard.symptoms.augmented = bool(module.augmentation.transforms)
        self.guard.start(
            labels=loader.labels[data.train_ids].cpu().numpy(),
            classes=CLASSES,
            raw=raw.cpu().numpy(),
            preprocessing=module.preprocessing.describe(),
            fed=_fed(module, raw),
            weights=seen.weights(),
            dead=seen.dead,
            optimizer=type(trainer.optimizers[0]).__name__,
        )
        if trainer.world_size == 1:
            those = loader.images, loader.labels, data.train_ids
            self.first = checked(module, trainer.optimizers[0], *those, data.batch_size)

    def looks_before(self, trainer: Trainer, step: int) -> bool:
        """After 1, 2, 4, 8, ... steps, in the first epoch at least."""
        asked = trainer.current_epoch == 0 or self.first is not None
        return asked and self.guard.looks_after(step)

    def on_step_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, step: int
    ) -> None:
        """Look at the probe in the first steps, and at the batch that is still to be learned."""
        if self.first is not None:
            self.first.look(step // 2, step)
        if trainer.current_epoch > 0:
            return
        coming = _answers(self._module, batch.images)
        right = (coming.argmax(dim=1) == batch.labels).sum()
        loss = F.cross_entropy(coming, batch.labels, reduction="sum")
        own = torch.stack([right.double(), loss.double(), loss.new_tensor(len(coming)).double()])
        right, loss, count = trainer.strategy.reduce(own, reduce_op="sum").tolist()
        self._after(step, loss / count, right / count if count >= ENOUGH else None)

    def look(self, step: int) -> None:
        """Look at the probe now: a loss after `step` steps was not finite.

        Raises:
            CollapsedError: nor is what the network answers, and the reaction is to stop.
        """
        self._after(step, float("nan"), None)

    def _after(self, step: int, loss: float, accuracy: float | None) -> None:
        """Have the guard look at the probe, and at the loss and accuracy of a batch."""
        seen = self._probed()
        self.guard.after_step(
            step,
            labels=self._probe_labels,
            logits=seen.outputs.cpu().numpy(),
            dead=seen.dead,
            batch_accuracy=accuracy,
            train_loss=loss,
            learning_rate=self._learning_rate,
            weights=seen.weights,
        )

    def _probed(self) -> Look:
        """What the first rank sees: elsewhere batch norm has other averages, and all must agree."""
        seen = _look(self._module, self._probe)
        outputs, dead = self._module.trainer.strategy.broadcast((seen.outputs, seen.dead))
        return replace(seen, outputs=outputs, dead=dead)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the learning rate that the epoch uses."""
        self._learning_rate = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the validation part, where this epoch has validated."""
        module = self._module
        if not module.val_logits.update_called:
            return
        sample_ids, labels, logits = (t.cpu().numpy() for t in module.val_logits.compute())
        scores = module.train_scores()
        seen = self._probed()
        self.guard.after_epoch(
            trainer.current_epoch + 1,
            trainer.global_step,
            labels=labels,
            logits=logits,
            sample_ids=sample_ids,
            dead=seen.dead,
            weights=seen.weights(),
            learning_rate=self._learning_rate,
            train_loss=scores["train_loss"].item(),
            train_accuracy=scores["train_accuracy"].item(),
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say what would have helped, where nothing was learned."""
        if self.first is not None:
            self.first.look(trainer.global_step, trainer.global_step, ended=True)

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure how the test set was answered; every rank takes part."""
        data, module = self._data, self._module
        _, labels, logits = (tensor.cpu().numpy() for tensor in module.test_logits.compute())
        images = data.test_images[torch.from_numpy(sample(len(data.test_labels)))]
        with torch.no_grad():
            repeat_difference = (module(images) - module(images)).abs().max().item()
        self.guard.after_test(
            labels=labels,
            logits=logits,
            seen=_fed(module, images),
            weights=_look(module, images[:1]).weights(),
            repeat_difference=repeat_difference,
        )


def checked(
    module: DigitClassifier,
    optimizer: Optimizer,
    images: Tensor,
    labels: Tensor,
    ids: Tensor,
    batch_size: int,
) -> FirstStep:
    """Say what looks wrong before the first step, and what its remedy brings; nothing changes.

    `ids`, int64 [M], tell which of the images uint8 [N, 28, 28] with labels int64 [N] are trained
    on.

    Returns:
        What knows where the training began, and may be asked again.
    """
    chosen = ids[torch.from_numpy(sample(len(ids), SAMPLES))]
    pixels, names = module.preprocessing(images[chosen]), labels[chosen]
    samples = samples_of(pixels, names, BATCH, "fit")
    everything = labels[ids].cpu().numpy()
    first = FirstStep(trials=True)
    first.begin(module.network, optimizer, samples._replace(targets=everything, batch=batch_size))
    mixed = torch.randperm(len(names), generator=torch.Generator().manual_seed(0))[:BATCH]
    with unchanged(module.network, training=True), torch.enable_grad():
        module.loss(pixels[mixed], names[mixed])
    first.check()
    first.close(failed=False)
    return first


def _fed(module: DigitClassifier, images: Tensor) -> Any:
    """Raw images as the network gets them, float32 [N, 28, 28]."""
    return module.preprocessing(images).view(-1, SIDE, SIDE).float().cpu().numpy()


def _look(module: DigitClassifier, images: Tensor) -> Look:
    """What the network makes of raw images, as in evaluation."""
    return look(module.network, module.preprocessing(images))


@torch.no_grad()
def _answers(module: DigitClassifier, images: Tensor) -> Tensor:
    """Logits [N, C] of raw images, as in evaluation, and nothing else about them."""
    network = module.network
    training = network.training
    network.eval()
    try:
        logits: Tensor = module(images)
        return logits
    finally:
        network.train(training)
