"""The shipped recipes of `lightning_mnist`: valid, and what they claim to be."""

import pytest
import yaml

from tests.conftest import ROOT, Here, assert_part_of


def test_the_default_recipe_is_what_fit_runs(here: Here) -> None:
    plain = here("fit", "--print_config")
    recipe = here("fit", "-c", ROOT / "configs" / "default.yaml", "--print_config")
    assert plain.code == recipe.code == 0
    assert yaml.safe_load(plain.out) == yaml.safe_load(recipe.out)


@pytest.mark.parametrize(
    "name",
    [
        "default",
        "keras_match",
        "augmented",
        "strong",
        "permutation_invariant",
        "record",
        "committee",
    ],
)
def test_every_recipe_is_valid_and_says_only_what_it_means(name: str, here: Here) -> None:
    recipe = ROOT / "configs" / f"{name}.yaml"
    resolved = yaml.safe_load(here("fit", "-c", recipe, "--print_config").out)

    assert_part_of(yaml.safe_load(recipe.read_text()), resolved)


def test_keras_match_has_keras_hyperparameters(here: Here) -> None:
    recipe = ROOT / "configs" / "keras_match.yaml"
    resolved = yaml.safe_load(here("fit", "-c", recipe, "--print_config").out)
    assert resolved["model"]["hidden"] == [128]
    assert resolved["model"]["dropout"] == 0
    assert resolved["model"]["batch_norm"] is False
    assert resolved["data"]["batch_size"] == 128
    assert resolved["optimizer"]["class_path"] == "lightning_mnist.optimizers.KerasAdam"
    assert resolved["optimizer"]["init_args"]["lr"] == 0.001
    assert resolved["optimizer"]["init_args"]["epsilon"] == 1e-7
    assert resolved["lr_scheduler"] is None
    assert resolved["trainer"]["max_epochs"] == 5
