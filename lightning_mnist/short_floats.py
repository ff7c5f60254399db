"""Whether bfloat16 pays on this processor, which is measured: its name does not tell."""

import sys
import time

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

PRECISIONS = ("bf16-mixed", "bf16-true")
SIDE = 512
"""Of the matrices that are multiplied: a few milliseconds, and more of products than of memory."""
CLEARLY = 1.2
"""How many times as long a product must take; timings of a shared machine vary by less."""


class WatchForSlowFloats(Callback):
    """Says so where a training in bfloat16 would be faster in float32.

    Processors with AMX, or with AVX-512 as AMD has it, multiply bfloat16 twice as fast as float32;
    those with Intel's AVX-512 alone take twice as long.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure, which takes some milliseconds."""
        if trainer.strategy.root_device.type != "cpu" or not trainer.is_global_zero:
            return
        plain, short = (seconds_of_a_product(dtype) for dtype in (torch.float32, torch.bfloat16))
        if short > CLEARLY * plain:
            print(
                f"warning: on this processor a product in bfloat16 takes {short / plain:.1f} times "
                "as long as in float32; --trainer.precision 32-true is faster here",
                file=sys.stderr,
            )


def seconds_of_a_product(dtype: torch.dtype) -> float:
    """The shortest of five, after one to warm up."""
    matrix = torch.ones(SIDE, SIDE, dtype=dtype)
    torch.mm(matrix, matrix)
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        torch.mm(matrix, matrix)
        took.append(time.perf_counter() - begun)
    return min(took)
