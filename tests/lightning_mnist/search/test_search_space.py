"""What a search file may say, and what is said where it says something else."""

import math
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import BaseDistribution

from lightning_mnist.errors import InputError
from lightning_mnist.search.space import read_space, word
from lightning_mnist.search.spec import read_spec

OPTIMISERS = {
    "choices": {
        "SGD": {"optimizer.lr": {"log": ["1e-2", 1]}, "optimizer.nesterov": {"choices": [True]}},
        "Adam": {"optimizer.lr": {"log": [1e-4, 1e-2]}},
        "Adagrad": None,
    }
}


def given(values: dict[str, Any]) -> Any:
    """A draw of these values, by the name of the parameter."""

    def draw(name: str, distribution: BaseDistribution) -> Any:
        assert distribution._contains(distribution.to_internal_repr(values[name]))
        return values[name]

    return draw


def test_every_kind_of_value_becomes_a_flag() -> None:
    layers = {"width": {"choices": [32, 64]}, "depth": {"integers": [0, 3]}}
    space = read_space(
        {
            "model.hidden": {"layers": layers},
            "--model.dropout": {"range": [0, 0.5]},
            "optimizer.lr": {"log": ["1e-4", "1e-2"]},
            "model.batch_norm": {"choices": [True, "keras"]},
            "data.batch_size": {"integers": [16, 64]},
            "lr_scheduler": {"choices": [None]},
        },
        "space",
    )  # fmt: skip
    values = {
        "model.hidden width": "64", "model.hidden depth": 2, "model.dropout": 0.123456,
        "optimizer.lr": 0.001, "model.batch_norm": "true", "data.batch_size": 20,
        "lr_scheduler": "null",
    }  # fmt: skip
    assert space.draw(given(values)) == {
        "model.hidden": "[64, 64]",
        "model.dropout": "0.1235",
        "optimizer.lr": "0.001",
        "model.batch_norm": "true",
        "data.batch_size": "20",
        "lr_scheduler": "null",
    }
    assert space.size() == math.inf


def test_a_choice_brings_flags_along_that_the_others_do_not_have() -> None:
    space = read_space({"optimizer": OPTIMISERS}, "space")
    assert space.draw(given({"optimizer": "Adagrad"})) == {"optimizer": "Adagrad"}
    values = {"optimizer": "SGD", "optimizer.lr (SGD)": 0.5, "optimizer.nesterov (SGD)": "true"}
    assert space.draw(given(values)) == {
        "optimizer": "SGD",
        "optimizer.lr": "0.5",
        "optimizer.nesterov": "true",
    }
    assert {each.flag for each in space.parameters()} == {
        "optimizer",
        "optimizer.lr",
        "optimizer.nesterov",
    }


def test_the_samples_show_every_choice_and_the_ends_of_every_range() -> None:
    space = read_space({"optimizer": OPTIMISERS, "model.dropout": {"range": [0, 0.5]}}, "space")
    samples = list(space.samples())
    assert {flags["optimizer"] for flags in samples} == {"SGD", "Adam", "Adagrad"}
    assert {flags["model.dropout"] for flags in samples} == {"0", "0.5"}


def test_the_size_counts_recipes() -> None:
    layers = {"layers": {"width": {"choices": [8, 16]}, "depth": {"integers": [1, 3]}}}
    branched = {"choices": {"A": {"x": {"choices": [1, 2, 3]}}, "B": None}}
    space = read_space({"model.hidden": layers, "y": branched, "z": {"range": [2, 2]}}, "space")
    assert space.size() == 2 * 3 * (3 + 1) * 1


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (None, "space is empty; expected at least one flag of fit"),
        ({}, "space is empty"),
        ([1], "expected at least one flag of fit"),
        ({"a": 3}, "space.a is 3; expected one of choices"),
        ({"a": {"between": [1, 2]}}, "expected one of choices"),
        ({"a": {"range": [1, 2], "log": [1, 2]}}, "expected one of choices"),
        ({"a": {"choices": []}}, "space.a.choices is empty; expected a list of different values"),
        ({"a": {"choices": [1, "1"]}}, "expected a list of different values"),
        ({"a": {"choices": {"b": {"c": 1}}}}, "space.a.b.c is 1; expected one of choices"),
        ({"a": {"range": [2, 1]}}, "space.a.range is [2, 1]; expected [LOW, HIGH]"),
        ({"a": {"range": [1]}}, "expected [LOW, HIGH]"),
        ({"a": {"range": ["x", 1]}}, "expected [LOW, HIGH]"),
        ({"a": {"log": [0, 1]}}, "both above 0"),
        ({"a": {"integers": [1, 2.5]}}, "2.5 is no whole number"),
        ({"a": {"layers": {"width": {"choices": [1]}}}}, "expected width: ... and depth: ..."),
        (
            {"a": {"layers": {"width": {"choices": ["x"]}, "depth": {"integers": [1, 2]}}}},
            "width may be x; expected whole numbers, at least 1",
        ),
    ],
)  # fmt: skip
def test_what_describes_no_values_is_said_with_its_place(space: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_space(space, "space")
    assert said in str(caught.value)


def test_words_are_as_one_types_them() -> None:
    assert [word(v) for v in (True, None, 3, 1 / 3, "relu", [5, 5])] == [
        "true", "null", "3", "0.3333", "relu", "[5, 5]",
    ]  # fmt: skip


SPACE = "space: {model.dropout: {range: [0, 0.5]}}\n"


@pytest.fixture
def search_file(tmp_path: Path) -> Path:
    return tmp_path / "mine.yaml"


def test_a_search_file_becomes_command_lines_of_fit(search_file: Path) -> None:
    (search_file.parent / "base.yaml").write_text("model: {hidden: [32]}\n")
    search_file.write_text(f"recipe: base.yaml\nepochs: 2\ntrials: 7\n{SPACE}")
    spec = read_spec(search_file, ["--data.source", "digits"])
    assert spec.name == "mine"
    assert spec.trials == 7
    assert spec.words({"model.dropout": "0.1"}) == [
        "--config", "model:\n  hidden:\n  - 32\n", "--trainer.max_epochs", "2",
        "--model.dropout", "0.1", "--data.source", "digits",
    ]  # fmt: skip


def test_there_are_no_more_trials_than_recipes(search_file: Path) -> None:
    search_file.write_text("space: {model.activation: {choices: [relu, gelu]}}\n")
    assert read_spec(search_file, []).trials == 2


@pytest.mark.parametrize(
    ("text", "flags", "said"),
    [
        ("[1]", [], "holds no mapping"),
        ("a: [", [], "cannot be read as YAML"),
        (f"spaces: 1\n{SPACE}", [], "spaces: not known; expected recipe, space, trials"),
        (f"trials: 0\n{SPACE}", [], "trials is 0; expected a whole number from 1 on"),
        (f"trials: many\n{SPACE}", [], "trials is 'many'"),
        (f"epochs: 1.5\n{SPACE}", [], "epochs is 1.5"),
        (f"recipe: [1]\n{SPACE}", [], "recipe is [1]; expected flags of fit"),
        (f"recipe: nope.yaml\n{SPACE}", [], "nope.yaml: cannot be read"),
        (f"pruner: Mean\n{SPACE}", [], "pruner is 'Mean'; expected null or one of"),
        (f"pruner: {{class_path: MedianPruner, init_args: {{x: 1}}}}\n{SPACE}", [], "init_args"),
        (SPACE, ["--model.dropout", "0.1"], "space.model.dropout: --model.dropout says already"),
        (
            "epochs: 2\nspace: {trainer.max_epochs: {choices: [1, 2]}}",
            [],
            "space.trainer.max_epochs: epochs says already",
        ),
        ("space: {run_dir: {choices: [a, b]}}", [], "space.run_dir: no part of a recipe"),
        ("trials: 3", [], "space is empty"),
    ],
)
def test_what_is_wrong_with_a_search_file_is_said(
    text: str, flags: list[str], said: str, search_file: Path
) -> None:
    search_file.write_text(text)
    with pytest.raises(InputError) as caught:
        read_spec(search_file, flags)
    assert said in str(caught.value)
    assert str(search_file.parent) in str(caught.value)


@pytest.mark.parametrize("pruner", ["null", "HyperbandPruner", "{class_path: MedianPruner}"])
def test_pruners_are_those_of_optuna(pruner: str, search_file: Path) -> None:
    search_file.write_text(f"pruner: {pruner}\n{SPACE}")
    name = type(read_spec(search_file, []).pruner()).__name__
    assert name == ("NopPruner" if pruner == "null" else pruner.strip("{}").split()[-1])
