"""Gradients that differ: named rightly and alone; nothing is made up."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from parity.arrays import Table
from parity.readings import gradients
from parity.readings.case import Case
from parity.readings.cause import UNEXPLAINED, Cause
from tests.parity.readings.named import NAMES, edited, only

RNG = np.random.default_rng(7)

TRAINED = {
    "dense_1.kernel": RNG.normal(size=(12, 8)),
    "dense_1.bias": np.zeros(8),
    "batch_norm_1.scale": RNG.random(8) + 0.5,
    "batch_norm_1.offset": RNG.normal(size=8),
    "dense_2.kernel": RNG.normal(size=(8, 8)),
    "dense_2.bias": RNG.normal(size=8),
    "dense_3.kernel": RNG.normal(size=(8, 10)),
    "dense_3.bias": RNG.normal(size=10),
}
SLOPES = {name: RNG.normal(size=tensor.shape) * 0.1 for name, tensor in TRAINED.items()}
SLOPES["dense_1.bias"] *= 1e-17  # a bias before a batch norm has no gradient


def gradient_causes(a: Table, b: Table) -> list[Cause]:
    given = {**TRAINED, "labels": np.zeros(32, np.int64)}
    return gradients.explain(Case(NAMES, given, a, b))


def norm(tensors: Table) -> float:
    return float(np.sqrt(sum((tensor**2).sum() for tensor in tensors.values())))


def times(factor: float) -> Table:
    return {name: slope * factor for name, slope in SLOPES.items()}


def by_torch(clip: Callable[[list[torch.nn.Parameter]], object]) -> Table:
    """Gradients that torch has clipped."""
    parameters = []
    for name, slope in SLOPES.items():
        parameter = torch.nn.Parameter(torch.tensor(TRAINED[name]))
        parameter.grad = torch.tensor(slope)
        parameters.append(parameter)
    clip(parameters)
    return {
        name: parameter.grad.numpy()
        for name, parameter in zip(SLOPES, parameters, strict=True)
        if parameter.grad is not None
    }


def clipped_one_by_one(limit: float) -> Table:
    return {
        name: slope * min(1.0, limit / max(float(np.linalg.norm(slope)), 1e-30))
        for name, slope in SLOPES.items()
    }


def noisy(*names: str) -> Table:
    noise = np.random.default_rng(3)
    return {
        name: slope + (noise.normal(size=slope.shape) * 0.01 if name in names else 0)
        for name, slope in SLOPES.items()
    }


def columns_dropped() -> Table:
    kept = np.arange(8) % 3 != 0
    return edited(SLOPES, dense_2__kernel=SLOPES["dense_2.kernel"] * kept / 0.8)


GRADIENTS: dict[str, tuple[Callable[[], Table], str, str]] = {
    "sum": (
        lambda: times(32),
        "gradients scaled",
        "theirs has larger gradients, as where the loss is summed",
    ),
    "mean": (
        lambda: times(1 / 32),
        "gradients scaled",
        "ours has larger gradients, as where the loss is summed",
    ),
    "classes": (lambda: times(0.1), "gradients scaled", "ours has larger gradients"),
    "scaled": (lambda: times(1024), "gradients scaled", "1024 times"),
    "sign": (lambda: times(-1), "sign of the gradients", "of the other sign"),
    "global norm": (
        lambda: by_torch(lambda p: torch.nn.utils.clip_grad_norm_(p, 0.5)),
        "global norm clipped",
        "theirs brings the global norm to 0.5",
    ),
    "value": (
        lambda: by_torch(lambda p: torch.nn.utils.clip_grad_value_(p, 0.05)),
        "clipped by value",
        "theirs clips each element to +-0.05",
    ),
    "tensor norm": (
        lambda: clipped_one_by_one(0.4),
        "clipped by tensor norm",
        "theirs clips the norm of",
    ),
    "L2": (
        lambda: {name: slope + 1e-4 * TRAINED[name] for name, slope in SLOPES.items()},
        "L2 penalty",
        "theirs adds 0.0001 * w",
    ),
    "L2 of kernels": (
        lambda: edited(
            SLOPES, dense_3__kernel=SLOPES["dense_3.kernel"] + 0.02 * TRAINED["dense_3.kernel"]
        ),
        "L2 penalty",
        "the gradients of dense_3.kernel",
    ),
    "L1": (
        lambda: {name: slope + 1e-3 * np.sign(TRAINED[name]) for name, slope in SLOPES.items()},
        "L1 penalty",
        "0.001 * sign(w)",
    ),
    "frozen": (
        lambda: edited(SLOPES, dense_2__kernel=np.zeros((8, 8))),
        "frozen weight",
        "theirs has gradients of zero for dense_2.kernel",
    ),
    "not there": (
        lambda: {name: slope for name, slope in SLOPES.items() if "batch" not in name},
        "frozen weight",
        "theirs has none for batch_norm_1.scale",
    ),
    "transposed square": (
        lambda: edited(SLOPES, dense_2__kernel=SLOPES["dense_2.kernel"].T),
        "transposed gradient",
        "theirs's of dense_2.kernel",
    ),
    "transposed": (
        lambda: edited(SLOPES, dense_3__kernel=SLOPES["dense_3.kernel"].T),
        "transposed gradient",
        "theirs's of dense_3.kernel",
    ),
    "one scaled": (
        lambda: edited(SLOPES, dense_3__bias=SLOPES["dense_3.bias"] * 3),
        "scaled by tensor",
        "dense_3.bias (3 times)",
    ),
    "columns": (columns_dropped, "dropout in the gradients", "dense_2.kernel (38%)"),
    "before batch norm": (
        lambda: noisy("dense_1.kernel"),
        UNEXPLAINED,
        "only dense_1.kernel differs",
    ),
    "before dense_3": (
        lambda: noisy(*list(SLOPES)[:6]),
        UNEXPLAINED,
        "all tensors before dense_3.kernel differ",
    ),
    "one": (lambda: noisy("dense_3.bias"), UNEXPLAINED, "only dense_3.bias"),
}


@pytest.mark.parametrize("case", GRADIENTS)
def test_gradients_are_named(case: str) -> None:
    theirs, name, said = GRADIENTS[case]
    only(gradient_causes(SLOPES, theirs()), name, said, gap=1 if name == UNEXPLAINED else 1e-12)


@pytest.mark.parametrize("case", ["global norm", "value", "tensor norm", "L2", "frozen"])
def test_gradients_are_named_on_either_side(case: str) -> None:
    odd, name, _ = GRADIENTS[case]
    found = gradient_causes(odd(), SLOPES)
    only(found, name, "ours", gap=1e-10)
    assert found[0].text.split("ours")[1].split("theirs")[0].strip()


def test_gradients_that_are_divided_by_their_norm_are_told_from_clipped_ones() -> None:
    found = gradient_causes(times(0.1), times(1 / norm(SLOPES)))
    only(found, "normalised gradients", "theirs divides its gradients by their global norm")
    only(gradient_causes(times(1 / norm(SLOPES)), times(0.1)), "normalised gradients", "ours")


def test_gradients_are_named_in_float32() -> None:
    ours, theirs = (
        {name: slope.astype(np.float32) for name, slope in table.items()}
        for table in (SLOPES, times(32))
    )
    found = gradient_causes(ours, theirs)
    only(found, "gradients scaled", "theirs has larger", gap=1e-5)


def test_gradients_that_agree_or_cannot_be_explained_have_no_cause() -> None:
    def found(theirs: Table) -> list[Cause]:
        return gradient_causes(SLOPES, theirs)

    assert found(dict(SLOPES)) == []
    assert found({name: slope * (1 + 2e-16) for name, slope in SLOPES.items()}) == []
    assert found(noisy(*SLOPES)) == []
    assert found({name: np.full(slope.shape, np.nan) for name, slope in SLOPES.items()}) == []
    assert found(edited(SLOPES, dense_3__bias=np.zeros(3))) == []
