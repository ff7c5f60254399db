"""How the training, validation and test images are dealt out, counted on the real loaders."""

from typing import Any

import torch

from lightning_mnist.data.datamodule import DigitsDataModule

Settings = dict[str, Any]


def data_settings(data: DigitsDataModule) -> Settings:
    """Counts, order and split of a data module that has been set up."""
    loader = data.train_dataloader()
    orders = []
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        batches = [batch.sample_ids for block in loader for _, batch, _ in block.batches()]
        orders.append(torch.cat(batches))
    return {
        "data.sha256": data.description["sha256"],
        "data.train": len(data.train_ids),
        "data.validation": len(data.val_ids),
        "data.test": len(data.test_ids),
        "data.batches": len(batches),
        "data.batch": len(batches[0]),
        "data.last_batch": len(batches[-1]),
        "data.shuffle": _shuffle(*orders),
        "data.order": orders[0][:5].tolist(),
        "data.validation.part": _part(data),
    }


def _shuffle(first: torch.Tensor, second: torch.Tensor) -> str:
    if torch.equal(first, first.sort().values):
        return "the order of the file"
    return "the same order each epoch" if torch.equal(first, second) else "a new order each epoch"


def _part(data: DigitsDataModule) -> str:
    """Which images of the file are the validation part."""
    count, total = len(data.val_ids), len(data.val_ids) + len(data.train_ids)
    if torch.equal(data.val_ids, torch.arange(total - count, total, device=data.val_ids.device)):
        return "the last of the file, cut off before shuffling"
    labels = data._train_tensors[1]
    shares = torch.bincount(labels[data.val_ids], minlength=10) / count
    if (shares - torch.bincount(labels, minlength=10) / total).abs().max() * count < 1:
        return "drawn from the whole file, the same share of each class"
    return "drawn from the whole file"
