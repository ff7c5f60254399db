"""The bare loop on several ranks: ``python -m benchmarks.workers.bare_ranks WORK``."""

import tempfile
import time
from pathlib import Path

import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from benchmarks.work import Work
from benchmarks.workers.bare import Batches, epoch, mlp, train_images
from benchmarks.workers.serving import once


def train(rank: int, work: Work, folder: str) -> None:
    """One rank: an epoch to warm up, then those that count; the first writes their seconds."""
    gpu = work.accelerator == "gpu"
    device = torch.device("cuda", rank) if gpu else torch.device("cpu")
    distributed.init_process_group(
        "nccl" if gpu else "gloo",
        init_method=f"file://{folder}/meeting",
        rank=rank,
        world_size=work.devices,
    )
    torch.set_flush_denormal(True)
    torch.manual_seed(work.seed)  # the same order everywhere
    network: nn.Module = mlp(work.hidden).to(device)
    if work.devices > 1:
        network = DistributedDataParallel(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=work.learning_rate, fused=True)
    images, labels = train_images(work, device)
    batches = Batches(images, labels, work.device_batch)
    count = len(labels) // work.devices * work.devices  # what does not divide evenly is left out
    for number in range(1 + round(work.epochs)):
        if number == 1:
            started = time.perf_counter()
        order = torch.randperm(len(labels), device=device)[:count]
        epoch(network, optimizer, batches, order[rank :: work.devices])
    if gpu:
        torch.cuda.synchronize()
    distributed.barrier()
    if rank == 0:
        seconds = (time.perf_counter() - started) / round(work.epochs)
        Path(folder, "seconds").write_text(str(seconds), encoding="ascii")
    distributed.destroy_process_group()


def measure(work: Work) -> dict[str, float]:
    """Start the ranks; the seconds of an epoch."""
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.start_processes(  # type: ignore[attr-defined]
            train, (work, folder), nprocs=work.devices, start_method="spawn"
        )
        return {"seconds": float(Path(folder, "seconds").read_text(encoding="ascii"))}


if __name__ == "__main__":
    once(measure)
