"""Batches: every sample once, shuffled from the seed, nothing copied sample by sample."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_mnist.data.batches import BatchLoader
from lightning_mnist.data.datamodule import DigitsDataModule
from lightning_mnist.errors import InputError


def loader(count: int, batch_size: int, **kwargs: int) -> BatchLoader:
    images = torch.arange(count).reshape(-1, 1, 1).expand(-1, 28, 28).to(torch.uint8)
    return BatchLoader(images, torch.arange(count) % 10, torch.arange(count), batch_size, **kwargs)


def ids(batches: BatchLoader) -> list[int]:
    return torch.cat([batch.sample_ids for batch in batches]).tolist()


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100])
@pytest.mark.parametrize("batch_size", [1, 8, 1000])
def test_every_sample_comes_once_and_no_batch_is_dropped(count: int, batch_size: int) -> None:
    batches = loader(count, batch_size, shuffle_seed=0)
    assert sorted(ids(batches)) == list(range(count))
    sizes = [len(batch.labels) for batch in batches]
    assert len(sizes) == len(batches) == -(-count // batch_size)
    assert all(size == batch_size for size in sizes[:-1])


def test_images_labels_and_ids_belong_together() -> None:
    for batch in loader(100, 16, shuffle_seed=3):
        assert torch.equal(batch.labels, batch.sample_ids % 10)
        assert torch.equal(batch.images[:, 0, 0].long(), batch.sample_ids)
        assert batch.images.dtype == torch.uint8


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        batches = loader(50, 8, shuffle_seed=seed)
        batches.sampler.set_epoch(epoch)
        return ids(batches)

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4
    assert order(0, 0) != list(range(50))


def test_without_a_seed_the_order_is_the_files() -> None:
    assert ids(loader(50, 8)) == list(range(50))


@pytest.mark.parametrize("count", [24, 25, 31])
def test_ranks_share_every_sample_and_take_as_many_steps(count: int) -> None:
    ranks = [loader(count, 4, shuffle_seed=1, rank=rank, world_size=3) for rank in range(3)]
    assert sorted(chain.from_iterable(map(ids, ranks))) == list(range(count))
    assert len({len(list(rank)) for rank in ranks}) == 1
    together = [sum(len(batch.labels) for batch in step) for step in zip(*ranks, strict=True)]
    assert together[:-1] == [12] * (len(together) - 1)


def set_up(npz: Path, **kwargs: Any) -> DigitsDataModule:
    data = DigitsDataModule(source=str(npz), **kwargs)
    data.prepare_data()
    data.setup("fit")
    return data


def test_validation_is_a_stratified_part_of_the_training_images(tiny_npz: Path) -> None:
    data = set_up(tiny_npz, val_size=50)
    train, val = set(data.train_ids.tolist()), set(data.val_ids.tolist())
    assert len(val) == 50
    assert train | val == set(range(400))
    assert not train & val
    labels = torch.cat([batch.labels for batch in data.val_dataloader()])
    assert torch.bincount(labels).tolist() == [5] * 10


def test_the_split_follows_the_seed(tiny_npz: Path) -> None:
    first, again, other = (set_up(tiny_npz, val_size=50, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.val_ids, again.val_ids)
    assert not torch.equal(first.val_ids, other.val_ids)


def test_a_twelfth_is_kept_for_validation_by_default(tiny_npz: Path) -> None:
    assert len(set_up(tiny_npz).val_ids) == 33


def test_loaders_share_one_copy_of_the_images(tiny_npz: Path) -> None:
    data = set_up(tiny_npz)
    train, val = data.train_dataloader(), data.val_dataloader()
    assert train.images.data_ptr() == val.images.data_ptr()
    assert train.images.dtype == torch.uint8


def test_evaluation_sees_every_sample_in_the_order_of_the_file(tiny_npz: Path) -> None:
    data = set_up(tiny_npz)
    assert ids(data.test_dataloader()) == list(range(80))
    assert ids(data.val_dataloader()) == data.val_ids.tolist()
    assert sorted(ids(data.train_dataloader())) == data.train_ids.tolist()


def test_the_description_names_what_was_really_used(tiny_npz: Path) -> None:
    description = set_up(tiny_npz).description
    assert description["name"] == str(tiny_npz)
    assert (description["train"], description["val"], description["test"]) == (367, 33, 80)
    assert len(description["sha256"]) == 64


def test_the_root_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert DigitsDataModule().root == Path("data")
    monkeypatch.setenv("LIGHTNING_MNIST_DATA", str(tmp_path))
    assert DigitsDataModule().root == tmp_path
    assert DigitsDataModule(root="other").root == Path("other")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"source": "cifar"}, "no such file or data set"),
        ({"batch_size": 0}, "--data.batch_size is 0"),
    ],
)
def test_flags_out_of_range_are_refused(flags: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        DigitsDataModule(**flags)  # type: ignore[arg-type]


@pytest.mark.parametrize("val_size", [0, 5, 395, 400, 1000, -1])
def test_a_validation_part_that_cannot_be_had_is_refused(tiny_npz: Path, val_size: int) -> None:
    with pytest.raises(InputError, match=f"--data.val_size: cannot keep {val_size:,} of 400"):
        set_up(tiny_npz, val_size=val_size)


@pytest.mark.slow
def test_mnist_keeps_5000_for_validation(mnist_root: Path) -> None:
    data = DigitsDataModule(source="mnist", root=str(mnist_root))
    data.prepare_data()
    data.setup("fit")
    assert (data.description["train"], data.description["val"]) == (55000, 5000)
