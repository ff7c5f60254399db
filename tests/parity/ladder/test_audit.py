"""The audit: what is equal, what is explained, and what is not."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")

from keras_reference.instruments import lockstep as keras_side
from lightning_mnist.instruments import lockstep as lightning_side
from parity.audit.known import KNOWN
from parity.audit.readings import initializer, read
from parity.audit.rows import Row, rows
from parity.commands import audit as command
from parity.commands.audit import audited
from parity.sides.recipe import Recipe
from tests.conftest import SLOW, Here, mostly_slow

BASE: dict[str, Any] = {"hidden": (64,), "batch_size": 32}
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop", "adagrad", "nadam")
Said = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def said(source: Path) -> Said:
    """What a side says of a recipe, asked in this process."""

    @cache
    def ask(side: str, flags: tuple[str, ...]) -> str:
        module = {"lightning": lightning_side, "keras": keras_side}[side]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["audit"])  # Lightning warns of two command lines
            return json.dumps(module.build(list(flags), "float32").settings())

    def settings(side: str, **recipe: Any) -> dict[str, Any]:
        flags = Recipe(**(BASE | recipe)).flags(side, str(source), 0, "unused")
        values: dict[str, Any] = json.loads(ask(side, tuple(flags)))
        return values

    return settings


def compared(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Row]:
    return {row.key: row for row in rows(read(a), read(b))}


def of_status(found: dict[str, Row], status: str) -> set[str]:
    return {key for key, row in found.items() if row.status == status}


BY_DESIGN = {
    "preprocessing.rounding", "init.he_normal", "metric.train_loss.shown", "data.order",
    "data.validation.part", "execution",
}  # fmt: skip


@pytest.mark.parametrize(
    "batch_norm", [pytest.param(False, id="plain", marks=SLOW), pytest.param(True, id="batch norm")]
)
@pytest.mark.parametrize("optimizer", mostly_slow([*OPTIMIZERS, "muon"], "adam"))
def test_a_matching_recipe_differs_by_design_only(
    said: Said, optimizer: str, batch_norm: bool
) -> None:
    recipe = {"optimizer": optimizer, "batch_norm": batch_norm}
    found = compared(said("lightning", **recipe), said("keras", **recipe))
    expected = BY_DESIGN | {f"optimizer.{optimizer}.implementation"}
    assert {key for key, row in found.items() if row.status != "equal"} == expected
    assert of_status(found, "by design") == expected
    assert len(found) > 35


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        {"activation": "gelu", "decay": 0.9, "hidden": (), "invert": True},
        {"standardize": "dataset", "dropout": 0.3, "augmentation": {"shift": 2.0, "elastic": 1.0}},
        {"standardize": "image", "optimizer": "adam", "optimizer_settings": {"amsgrad": True}},
        {"optimizer": "sgd", "optimizer_settings": {"momentum": 0.9, "nesterov": True}},
        {"optimizer": "rmsprop", "optimizer_settings": {"momentum": 0.5, "centered": True}},
        {"optimizer": "adamw", "learning_rate": 0.03, "activation": "tanh"},
        {"optimizer": "adamw", "weight_decay_on": "matrices", "batch_norm": True},
        {"optimizer": "muon", "weight_decay_on": "matrices", "optimizer_settings": {"ns_steps": 3}},
        {"input_dropout": 0.2, "label_smoothing": 0.1, "max_norm": 2.0, "dropout": 0.1},
    ],
    ids=str,
)
def test_other_matching_recipes_leave_nothing_to_align(said: Said, recipe: dict[str, Any]) -> None:
    found = compared(said("lightning", **recipe), said("keras", **recipe))
    assert of_status(found, "unexplained") | of_status(found, "explained") == set()


# Each difference that DESIGN.md lists, and how the report tells it.
ALWAYS = {
    "init.dense_1.kernel": ("uniform within 0.03571 = 1 / sqrt(in)",
                            "uniform within 0.08412 = sqrt(6 / (in + out))"),
    "init.dense_1.bias": ("uniform within 0.03571 = 1 / sqrt(in)", "all 0"),
    "batch_norm_1.momentum": (0.9, 0.99),
    "batch_norm_1.epsilon": (1e-5, 1e-3),
    "batch_norm_1.moving_variance": ("of the sample", "of the population"),
    "data.validation.part": ("drawn from the whole file, the same share of each class",
                             "the last of the file, cut off before shuffling"),
    "metric.train_loss.shown": ("the latest batch's", "the mean of the epoch so far"),
    "init.he_normal": ("not cut off", "cut off at 2 deviations"),
}  # fmt: skip
DECAY = ("L2, added to the gradient", "decoupled")
AFTER, BEFORE = (f"added to the root, {when} the bias correction" for when in ("after", "before"))
ADAM = {
    "epsilon": (1e-8, 1e-7),
    "epsilon_place": (AFTER, BEFORE),
    "bias_correction": ("exact", "betas rounded to float32"),
}
OWN: dict[str, dict[str, tuple[object, object]]] = {
    "adam": {**ADAM, "weight_decay_kind": DECAY},
    "adamw": {**ADAM, "weight_decay": (0.01, 0.004)},
    "sgd": {"learning_rate": (0.001, 0.01)},
    "rmsprop": {
        "learning_rate": (0.01, 0.001),
        "rho": (0.99, 0.9),
        "epsilon": (1e-8, 1e-7),
        "epsilon_place": ("added to the root", "inside the root"),
        "weight_decay_kind": DECAY,
    },
    "adagrad": {
        "learning_rate": (0.01, 0.001),
        "epsilon": (1e-10, 1e-7),
        "epsilon_place": ("added to the root", "inside the root"),
        "initial_accumulator_value": (0.0, 0.1),
        "weight_decay_kind": DECAY,
    },
    "nadam": {
        "learning_rate": (0.002, 0.001),
        "epsilon": (1e-8, 1e-7),
        "momentum_warm_up": ("0.96 to the power of 0.004 * t", "0.96 to the power of t"),
        "weight_decay_kind": DECAY,
    },
}


@pytest.mark.parametrize("optimizer", mostly_slow(OPTIMIZERS, "adam"))
def test_the_frameworks_own_defaults_differ_where_design_says(said: Said, optimizer: Any) -> None:
    (recipe,) = audited(Recipe(**BASE), optimizer)
    given = {name: getattr(recipe, name) for name in ("port", "batch_norm", "optimizer")}
    found = compared(said("lightning", **given), said("keras", **given))
    own = {f"optimizer.{optimizer}.{name}": value for name, value in OWN[optimizer].items()}
    for key, (a, b) in (ALWAYS | own).items():
        assert (found[key].a, found[key].b) == (pytest.approx(a), pytest.approx(b)), key
        assert found[key].status in ("explained", "by design")
        assert found[key].effect
        assert found[key].aligned_by
    assert of_status(found, "unexplained") == set()
    # Nothing of the optimiser but what is listed.
    prefix = f"optimizer.{optimizer}."
    assert {key for key in of_status(found, "explained") if key.startswith(prefix)} == own.keys()


def test_the_defaults_of_all_optimisers_ignore_the_recipe_s_own() -> None:
    recipe = Recipe(learning_rate=0.3, optimizer_settings={"momentum": 0.9}, epochs=2)
    recipes = audited(recipe, "all")
    assert [each.optimizer for each in recipes] == list(OPTIMIZERS)
    assert {each.learning_rate for each in recipes} == {None}
    assert all(each.port == "torch" and not each.optimizer_settings for each in recipes)
    assert {each.epochs for each in recipes} == {2}
    assert audited(recipe, "none") == [recipe]


@pytest.mark.parametrize(
    ("planted", "keys"),
    [
        ({"learning_rate": 0.01}, {"optimizer.adam.learning_rate"}),
        ({"optimizer_settings": {"epsilon": 1e-5}}, {"optimizer.adam.epsilon"}),
        ({"optimizer_settings": {"weight_decay": 0.1}}, {"optimizer.adam.weight_decay"}),
        ({"activation": "gelu"}, {"activation_1"}),
        ({"dropout": 0.2}, {"dropout_1.rate", "network.layers"}),
        ({"decay": 0.9}, {"schedule.factors"}),
        ({"batch_size": 64}, {"data.batch", "data.batches", "data.last_batch"}),
        ({"epochs": 9}, {"trainer.epochs"}),
        ({"invert": True}, {"preprocessing.formula"}),
        ({"augmentation": {"shift": 1.0}}, {"augmentation.shift"}),
        (
            {"standardize": "dataset"},
            {f"preprocessing.{name}" for name in ("formula", "black", "white", "rounding")},
        ),
    ],
    ids=lambda value: str(sorted(value)),
)
def test_a_planted_difference_is_unexplained(
    said: Said, planted: dict[str, Any], keys: set[str]
) -> None:
    found = compared(said("lightning", **planted), said("keras"))
    assert of_status(found, "unexplained") == keys


def test_decay_on_other_tensors_is_unexplained(said: Said) -> None:
    both = {"optimizer": "adamw", "batch_norm": True}
    found = compared(said("lightning", weight_decay_on="matrices", **both), said("keras", **both))
    assert of_status(found, "unexplained") == {"optimizer.adamw.weight_decay_on"}
    row = found["optimizer.adamw.weight_decay_on"]
    spared = "dense_1.bias, batch_norm_1.scale, batch_norm_1.offset, dense_2.bias"
    assert (row.a, row.b) == (f"all but {spared}", "all")


def test_another_optimiser_is_unexplained_in_all_its_numbers(said: Said) -> None:
    found = compared(said("lightning", optimizer="sgd"), said("keras"))
    unexplained = of_status(found, "unexplained")
    assert {"optimizer.family", "optimizer.adam.beta_1", "optimizer.sgd.momentum"} <= unexplained


def test_a_known_difference_is_known_in_its_own_values_only() -> None:
    name = "optimizer.adam.epsilon"
    assert rows({name: 1e-8}, {name: 1e-7})[0].status == "explained"
    assert rows({name: 1e-7}, {name: 1e-8})[0].status == "unexplained"
    assert rows({name: 1e-8}, {name: 1e-6})[0].status == "unexplained"
    white = "preprocessing.white"
    assert rows({white: 2.82}, {white: 2.81})[0].status == "by design"
    assert rows({white: 2.82}, {white: 1.0})[0].status == "unexplained"


def test_equal_means_equal() -> None:
    pairs = [(1e-3, float(np.float32(1e-3))), (1, 1), ("a", "a"), ([1.0, 2], [1.0, 2])]
    pairs += [(None, None), (True, True)]
    assert all(rows({"x": a}, {"x": b})[0].status == "equal" for a, b in pairs)
    others = [(1e-3, 1.00001e-3), (1, True), ("a", "b"), ([1.0], [1.0, 2]), (0, None), (0.0, 1e-9)]
    assert all(rows({"x": a}, {"x": b})[0].status == "unexplained" for a, b in others)


def test_every_known_difference_says_what_it_does_and_what_aligns_it() -> None:
    assert all(known.effect and known.aligned_by for known in KNOWN)


RNG = np.random.default_rng(0)
SHAPE = (200, 50)
DRAWS = {
    "uniform within 0.1549 = sqrt(6 / (in + out))": RNG.uniform(-1, 1, SHAPE) * np.sqrt(6 / 250),
    "uniform within 0.07071 = 1 / sqrt(in)": RNG.uniform(-1, 1, SHAPE) / np.sqrt(200),
    "uniform within 0.1732 = sqrt(6 / in)": RNG.uniform(-1, 1, SHAPE) * np.sqrt(6 / 200),
    "uniform within 0.05 = 0.05": RNG.uniform(-0.05, 0.05, SHAPE),
    "normal of deviation 0.1 = sqrt(2 / in)": RNG.normal(0, 0.1, SHAPE),
    "all 0": np.zeros(SHAPE),
    "unknown: mean 0.05, deviation 0.058, from -0.05 to 0.15": RNG.uniform(-0.05, 0.15, SHAPE),
    "unknown: mean 0, deviation 1, from -1 to 1": np.sign(RNG.permuted(np.arange(10_000) - 4999.5)),
}


@pytest.mark.parametrize("text", DRAWS)
def test_initialisers_are_recognised(text: str) -> None:
    drawn = DRAWS[text]
    measured = {
        "shape": SHAPE, "mean": drawn.mean(), "std": drawn.std(),
        "min": drawn.min(), "max": drawn.max(),
    }  # fmt: skip
    assert initializer(measured, *SHAPE) == text


@pytest.mark.parametrize("normal", ["he_normal", "glorot_normal", "lecun_normal"])
def test_keras_normal_initialisers_are_recognised_as_cut_off(normal: str) -> None:
    import keras

    drawn = np.asarray(keras.initializers.get(normal)(SHAPE), np.float64)
    measured = {
        "shape": SHAPE, "mean": drawn.mean(), "std": drawn.std(),
        "min": drawn.min(), "max": drawn.max(),
    }  # fmt: skip
    formula = {
        "he_normal": "sqrt(2 / in)", "glorot_normal": "sqrt(2 / (in + out))",
        "lecun_normal": "sqrt(1 / in)",
    }[normal]  # fmt: skip
    assert initializer(measured, *SHAPE).endswith(f"{formula}, cut off")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("dropout_1", {"zeros": 0.3, "survivors": 1.0}, "drops 0.30 and multiplies"),
        ("activation_1", {"at": [-1, 0, 1], "values": [0.3, 0, 1.5]},
         "unknown: f(-1) = 0.3, f(0) = 0, f(1) = 1.5"),
        ("activation_1", {"at": [-1, 0, 1], "values": [-0.01, 0, 1]}, "leaky_relu of slope 0.01"),
        ("activation_1", {"at": [-1, 1], "values": [-0.15880801, 0.84119199]},
         "gelu (tanh approximation)"),
        ("preprocessing.pixels", list(range(256)), "x"),
        ("preprocessing.pixels", [(level / 255) ** 2 for level in range(256)],
         "from 0 to 1, not in a line"),
        ("metric.train_loss.shown", {"batches": [1.0, 3.0], "shown": 2.5}, "unknown"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_shown_as_it_is(key: str, value: Any, expected: str) -> None:
    assert any(str(found).startswith(expected) for found in read({key: value}).values())


def test_smoothing_and_reduction_are_read_from_the_loss(said: Said) -> None:
    loss = said("lightning")["loss"]
    logits, labels = np.array(loss["logits"]), loss["labels"]
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    smoothed = 0.9 * -log_p[range(4), labels].mean() + 0.1 * -log_p.mean()
    planted = read({"loss": loss | {"once": 4 * smoothed, "twice": 8 * smoothed}})
    assert planted == {
        "loss.function": "cross-entropy with label smoothing 0.1 over all classes",
        "loss.reduction": "its sum over the batch",
    }


@pytest.mark.slow
def test_the_command_shows_and_records_a_matching_recipe(
    parity_here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    flags = ("--data.source", tiny_npz, "--out", out, "--hidden", "[16]", "--batch_size", 32)
    done = parity_here("audit", *flags)
    assert done.code == 0, done.err
    assert "7 differ by design, 0 can be aligned, 0 unexplained" in done.out
    assert "optimizer.adam.epsilon_place" not in done.out
    record = json.loads((out / "audit.json").read_text())
    assert record["passed"]
    assert {row["status"] for row in record["rows"]} == {"equal", "by design"}
    assert record["measured"][0]["keras"]["optimizer.family"] == "adam"


@pytest.mark.slow
def test_one_process_a_side_answers_for_several_recipes(source: Path) -> None:
    recipes = audited(Recipe(**BASE), "all")[1:3]
    asked = command.ask(recipes, source)
    families = [{side: s["optimizer.family"] for side, s in each.items()} for each in asked]
    assert families == [dict.fromkeys(("lightning", "keras"), name) for name in ("adamw", "sgd")]


@pytest.mark.slow
def test_the_command_names_what_is_unexplained_and_exits_with_1(
    parity_here: Here, tiny_npz: Path, said: Said, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def planted(*_: Any) -> list[dict[str, Any]]:
        return [{"lightning": said("lightning", learning_rate=0.007), "keras": said("keras")}]

    monkeypatch.setattr(command, "ask", planted)
    flags = ("--data.source", tiny_npz, "--out", tmp_path / "out")
    done = parity_here("audit", "--all", *flags)
    assert done.code == 1
    assert "optimizer.adam.learning_rate  lightning: 0.007; keras: 0.001" in done.out
    assert "0 can be aligned, 1 unexplained" in done.out
    equal = [line.split(maxsplit=1) for line in done.out.splitlines() if line.startswith("  ")]
    assert ["optimizer.adam.epsilon_place", BEFORE] in equal
    assert not json.loads((tmp_path / "out" / "audit.json").read_text())["passed"]


def test_a_side_that_cannot_be_built_is_said_in_a_sentence(
    parity_here: Here, tiny_npz: Path, tmp_path: Path
) -> None:
    def fails(*flags: object) -> str:
        done = parity_here("audit", "--out", tmp_path / "out", *flags)
        assert done.out == ""
        return f"{done.code} {done.err}"

    missing = fails("--data.source", tmp_path / "none.npz")
    assert missing.startswith("5 error:")
    assert missing.count("\n") == 1
    wrong = fails("--data.source", tiny_npz, "--defaults", "lion")
    assert wrong.startswith("2 error:")
    assert wrong.count("\n") == 1
