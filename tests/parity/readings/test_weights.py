"""Weights that differ: named rightly and alone; nothing is made up."""

import numpy as np
import pytest
import torch

from parity.arrays import Array, Table
from parity.readings import weights
from parity.readings.case import Case
from parity.readings.cause import Cause
from tests.parity.readings.named import GIVEN, NAMES, edited, only

RNG = np.random.default_rng(7)


def weight_causes(given: Table, a: Table, b: Table) -> list[Cause]:
    return weights.explain(Case(NAMES, given, a, b))


def one_off() -> Array:
    bias = GIVEN["dense_2.bias"].copy()
    bias[3] += 1e-6
    return bias


COLUMNS = RNG.permutation(16)
WEIGHTS: dict[str, tuple[Table, str, str]] = {
    "transposed square": (
        edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"].T),
        "transposed weight",
        "dense_1.kernel",
    ),
    "transposed": (
        edited(GIVEN, dense_2__kernel=GIVEN["dense_2.kernel"].T),
        "transposed weight",
        "[10, 16] instead of [16, 10]",
    ),
    "another shape": (
        edited(GIVEN, dense_2__bias=np.ones(9)),
        "shape of a weight",
        "[9] instead of [10]",
    ),
    "missing": (
        {name: tensor for name, tensor in GIVEN.items() if name != "dense_1.bias"},
        "missing weight",
        "has no dense_1.bias [16]",
    ),
    "extra": (edited(GIVEN, dense_9__bias=np.ones(4)), "extra weight", "dense_9.bias [4]"),
    "one off": (edited(GIVEN, dense_2__bias=one_off()), "one weight off", "dense_2.bias[3]"),
    "swapped": (
        edited(
            GIVEN,
            batch_norm_1__mean=GIVEN["batch_norm_1.variance"],
            batch_norm_1__variance=GIVEN["batch_norm_1.mean"],
        ),
        "swapped weights",
        "holds in batch_norm_1.mean what was given for batch_norm_1.variance",
    ),
    "zeros": (edited(GIVEN, dense_1__bias=np.zeros(16)), "weight not set", "all 0"),
    "drawn anew": (
        edited(GIVEN, dense_1__kernel=RNG.normal(size=(16, 16))),
        "weight not set",
        "nothing to do",
    ),
    "float32": (
        {name: tensor.astype(np.float32).astype(float) for name, tensor in GIVEN.items()},
        "rounded weight",
        "to float32",
    ),
    "bfloat16": (
        {name: torch.tensor(tensor).bfloat16().double().numpy() for name, tensor in GIVEN.items()},
        "rounded weight",
        "to bfloat16",
    ),
    "column by column": (
        edited(
            GIVEN,
            dense_1__kernel=GIVEN["dense_1.kernel"]
            .reshape(4, 4, 16)
            .swapaxes(0, 1)
            .reshape(16, 16),
        ),
        "permuted weight",
        "4 x 4 were flattened column by column",
    ),
    "units permuted": (
        edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"][:, COLUMNS]),
        "permuted weight",
        "columns",
    ),
    "scaled": (
        edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"] * 2),
        "scaled weight",
        "times 2",
    ),
    "moved": (
        edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"] + 0.25),
        "moved weight",
        "+0.25",
    ),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_are_named(case: str) -> None:
    held, name, said = WEIGHTS[case]
    only(weight_causes(GIVEN, GIVEN, held), name, "theirs", said)
    only(weight_causes(GIVEN, held, GIVEN), name, "ours", said)


def test_each_fault_of_each_side_is_a_cause() -> None:
    ours = edited(GIVEN, dense_2__bias=one_off())
    theirs = edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"].T)
    found = weight_causes(GIVEN, ours, theirs)
    assert [cause.name for cause in found] == ["transposed weight", "one weight off"]
    assert found[0].gap == pytest.approx(1e-6)  # the other fault is left


def test_one_weight_off_in_float32() -> None:
    given = {name: tensor.astype(np.float32) for name, tensor in GIVEN.items()}
    held = edited(given, dense_2__bias=one_off().astype(np.float32))
    only(weight_causes(GIVEN, given, held), "one weight off", "dense_2.bias[3]")


def test_weights_that_agree_or_cannot_be_explained_have_no_cause() -> None:
    assert weight_causes(GIVEN, GIVEN, dict(GIVEN)) == []
    cubed = edited(GIVEN, dense_1__kernel=GIVEN["dense_1.kernel"] ** 3)
    assert weight_causes(GIVEN, GIVEN, cubed) == []
    broken = edited(GIVEN, dense_1__kernel=np.full((16, 16), np.nan))
    assert weight_causes(GIVEN, GIVEN, broken) == []
