"""What our own trainings do before their first step: `parity.torch` looks, and tries remedies."""

import torch
from torch import Tensor
from torch.optim import Optimizer

from lightning_mnist.module import DigitClassifier
from parity.torch.first_step import FirstStep
from parity.torch.samples import samples_of
from parity.torch.state import unchanged
from parity.watch.fingerprint import sample
from parity.watch.trials import SAMPLES

BATCH = 128
"""Images at most of which the loss is asked."""


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
