"""The check before the first step of our own trainings: recipes get no word, nothing changes."""

from pathlib import Path

import pytest
import torch

from lightning_mnist.data.sources import RawDigits
from lightning_mnist.guard import checked
from lightning_mnist.module import DigitClassifier
from tests.conftest import ROOT, SLOW, Here


@pytest.mark.parametrize(
    "name",
    [
        "keras_match",
        pytest.param("default", marks=SLOW),
        pytest.param("augmented", marks=SLOW),
        pytest.param("strong", marks=SLOW),
    ],
)
def test_a_recipe_of_ours_gets_no_word(name: str, here: Here, tiny_npz: Path) -> None:
    recipe = ROOT / "configs" / f"{name}.yaml"
    flags = ("--data.source", tiny_npz, "--data.val_size", 50, "--trainer.max_epochs", 1)
    done = here("fit", "-c", recipe, *flags, "--run_dir", "run")
    assert done.code == 0, done.err
    assert "looks wrong" not in done.err
    assert "has learned nothing" not in done.err


def test_looking_changes_nothing_and_what_is_tried_is_a_copy(
    tiny_digits: RawDigits, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    module = DigitClassifier(hidden=[16])
    optimizer = torch.optim.SGD(module.parameters(), lr=100.0)
    images, labels = map(torch.from_numpy, (tiny_digits.train_images, tiny_digits.train_labels))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    drawn = torch.get_rng_state()
    checked(module, optimizer, images, labels.long(), torch.arange(len(labels)), 32)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(weight.grad is None for weight in module.parameters())
    assert module.training
    said = capsys.readouterr().err
    assert "1. the learning rate is too high: SGD at 100" in said
    assert "tried: with a learning rate of" in said
