"""Each regulariser does what its source says, on both sides."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD

from lightning_mnist.averaging import StepwiseAveraging
from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from lightning_mnist.optimization import configured
from lightning_mnist.steps.step_callbacks import StepCallback
from tests.conftest import Here
from tests.lightning_mnist.training.test_execution import train

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*")

LIMIT = 0.7


def layers(module: object) -> list[Any]:
    """Of a classifier's network."""
    assert isinstance(module, DigitClassifier)
    return list(module.network)


ONES = torch.ones(200, 784)


def test_input_dropout_drops_pixels_in_training_only() -> None:
    drop = layers(DigitClassifier(hidden=[8], dropout=0, input_dropout=0.2))[0]
    pixels = drop(ONES)
    assert (pixels == 0).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert pixels.max().item() == pytest.approx(1 / 0.8)
    assert torch.equal(drop.eval()(ONES), ONES)


def test_smoothed_labels_cost_the_share_that_is_spread() -> None:
    model = DigitClassifier(hidden=[], label_smoothing=0.3).eval()
    labels = torch.arange(200) % 10
    loss, logits = model.loss(ONES * torch.rand(200, 1), labels)
    log_shares = logits.log_softmax(dim=1)
    truth = log_shares[torch.arange(200), labels].mean()
    assert loss.item() == pytest.approx(-(0.7 * truth + 0.3 * log_shares.mean()).item(), rel=1e-5)


def test_norms_are_cut_back_after_every_step(tiny_npz: Path) -> None:
    """Without a limit they grow above it; the last layer is left alone."""

    class Norms(StepCallback):
        longest = 0.0

        def on_step_start(self, trainer: object, pl_module: object, *_: object) -> None:
            norms = layers(pl_module)[0].weight.norm(dim=1)
            self.longest = max(self.longest, norms.max().item()) if trainer.global_step else 0.0  # type: ignore[attr-defined]

    flags = {"dropout": 0, "batch_norm": False}
    free, held = Norms(), Norms()
    train(tiny_npz, 1, model=flags, callbacks=[free])
    trainer = train(tiny_npz, 1, model=flags | {"max_norm": LIMIT}, callbacks=[held])
    assert free.longest > 1.2 * LIMIT
    assert held.longest == pytest.approx(LIMIT, rel=1e-5)
    last = layers(trainer.lightning_module)[-1]
    assert last.weight.norm(dim=1).max() > LIMIT


def test_a_step_of_both_sides_keeps_to_the_same_norm() -> None:
    keras = pytest.importorskip("keras", reason="the extra keras is not installed")
    model = DigitClassifier(hidden=[8], dropout=0, batch_norm=False, max_norm=LIMIT)
    optimizer = SGD(model.parameters(), 0.5)
    model.constrain(optimizer)
    before = layers(model)[0].weight.detach().clone()
    loss, _ = model.loss(ONES, torch.arange(200) % 10)
    loss.backward()
    gradient = layers(model)[0].weight.grad
    assert isinstance(gradient, torch.Tensor)
    optimizer.step()
    moved = (before - 0.5 * gradient).numpy().T
    expected = np.asarray(keras.constraints.MaxNorm(LIMIT)(moved)).T
    np.testing.assert_allclose(layers(model)[0].weight.detach(), expected, rtol=1e-6)


def test_the_average_moves_with_every_step(tiny_npz: Path) -> None:
    class History(StepCallback):
        def __init__(self) -> None:
            self.weights: list[torch.Tensor] = []

        def on_step_start(self, trainer: object, pl_module: object, *_: object) -> None:
            self.weights.append(layers(pl_module)[0].weight.detach().clone())

    history = History()
    # The history has the weights before each step, and the average those after it.
    latest = train(tiny_npz, 4, callbacks=[history], max_steps=31)
    averaged = train(tiny_npz, 4, callbacks=[StepwiseAveraging(0.7)], max_steps=31)
    after = [*history.weights[1:], layers(latest.lightning_module)[0].weight.detach()]
    average = after[0]
    for steps, weights in enumerate(after[1:], 1):
        share = min(0.7, (1 + steps) / (10 + steps))
        average = share * average + (1 - share) * weights
    found = layers(averaged.lightning_module)[0].weight.detach()
    torch.testing.assert_close(found, average, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found, after[-1], atol=1e-4)


def test_the_average_is_kept_and_tested(here: Here, tiny_npz: Path) -> None:
    flags = ("--data.source", tiny_npz, "--model.hidden", "[32]", "--trainer.max_epochs", 3)
    done = here("fit", *flags, "--run_dir", "run", "--ema_decay", "0.9")
    assert done.code == 0, done.err
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    latest, kept = checkpoint["current_model_state"], checkpoint["state_dict"]
    assert latest.keys() == kept.keys()
    assert not torch.equal(latest["network.0.weight"], kept["network.0.weight"])
    tested = here("test", "--ckpt_path", "run/checkpoints/best.ckpt", "--run_dir", "again",
                  "--data.source", tiny_npz)  # fmt: skip
    assert tested.code == 0, tested.err
    one, other = (np.load(f"{run}/predictions.npz")["logits"] for run in ("run", "again"))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--model.label_smoothing", "1.5"),
        ("--model.max_norm", "0"),
        ("--model.mixup", "-0.1"),
        ("--model.adversarial", "-0.1"),
        ("--model.input_dropout", "1"),
        ("--ema_decay", "1"),
    ],
)
def test_what_is_out_of_range_is_refused(flag: str, value: str, here: Here, tiny_npz: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, "--run_dir", "run", flag, value)
    assert done.code in (1, 2)
    assert flag.rpartition(".")[2].lstrip("-") in done.err
    assert value in done.err
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--model.label_smoothing", "-0.1"),
        ("--model.max_norm", "-1"),
        ("--model.input_dropout", "1"),
    ],
)
def test_the_reference_refuses_it_too(
    flag: str, value: str, keras_here: Here, tiny_npz: Path
) -> None:
    done = keras_here("fit", "--data.source", tiny_npz, "--run_dir", "run", flag, value)
    assert done.code in (1, 2)
    assert flag.rpartition(".")[2] in done.err
    assert value in done.err


def test_a_model_refuses_it_in_python() -> None:
    with pytest.raises(InputError, match="label_smoothing is -1"):
        DigitClassifier(label_smoothing=-1)


def test_the_reference_builds_what_the_flags_say() -> None:
    keras = pytest.importorskip("keras", reason="the extra keras is not installed")
    from keras_reference.compilation import compile_, targets
    from keras_reference.config import ModelConfig, OptimizerConfig
    from keras_reference.network import build

    config = ModelConfig(hidden=(8,), input_dropout=0.25, label_smoothing=0.3, max_norm=LIMIT)
    network = build(config, np.zeros((1, 28, 28), np.uint8))
    drop, hidden, _, last = network.layers[-4:]
    assert (drop.rate, hidden.kernel_constraint.max_value) == (0.25, LIMIT)
    assert last.kernel_constraint is None
    compile_(network, OptimizerConfig(), config)
    logits = np.random.default_rng(0).normal(size=(20, 10)).astype(np.float32)
    labels = np.arange(20) % 10
    loss = float(network.compute_loss(y=targets(labels, config), y_pred=logits))
    ours = DigitClassifier(hidden=[], label_smoothing=0.3)
    expected = nn.functional.cross_entropy(
        torch.from_numpy(logits), torch.from_numpy(labels), label_smoothing=ours.label_smoothing
    )
    assert loss == pytest.approx(expected.item(), rel=1e-6)
    assert isinstance(network, keras.Model)


def spared(optimizer: torch.optim.Optimizer, module: DigitClassifier) -> set[str]:
    """Parameters that two steps without a gradient leave as they are."""
    before = {name: weight.detach().clone() for name, weight in module.named_parameters()}
    for weight in module.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    return {name for name, weight in module.named_parameters() if torch.equal(weight, before[name])}


@pytest.mark.parametrize(
    "kind",
    [
        "torch.optim.AdamW",
        "lightning_mnist.optimizers.KerasNadam",
        "lightning_mnist.optimizers.KerasMuon",
    ],
)
def test_decay_on_matrices_spares_all_else(kind: str) -> None:
    chosen = {"class_path": kind, "init_args": {"lr": 0.1, "weight_decay": 0.1}}
    module = DigitClassifier(hidden=[8, 8], batch_norm=True)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(1)  # what is 0 cannot shrink
    for decay_on in ("all", "matrices"):
        build: Any = configured(module, chosen, None, decay_on)
        (optimizer,), schedulers = build()
        assert schedulers == []
        matrices = {name for name, weight in module.named_parameters() if weight.ndim == 2}
        assert len(matrices) == 3
        others = {name for name, _ in module.named_parameters()} - matrices
        assert spared(optimizer, module) == (others if decay_on == "matrices" else set())


def test_the_reference_spares_the_same() -> None:
    pytest.importorskip("keras", reason="the extra keras is not installed")
    from keras_reference.compilation import compile_
    from keras_reference.config import ModelConfig, OptimizerConfig
    from keras_reference.network import build

    model = ModelConfig(hidden=(8, 8), batch_norm=True)
    for decay_on in ("all", "matrices"):
        network = build(model, np.zeros((1, 28, 28), np.uint8))
        for weight in network.trainable_variables:
            weight.assign(weight + 1)
        settings = {"weight_decay": 0.1}
        given = OptimizerConfig("SGD", 0.1, settings=settings, weight_decay_on=decay_on)
        compile_(network, given, model)
        before = [np.array(weight) for weight in network.trainable_variables]
        network.optimizer.apply([0 * each for each in before], network.trainable_variables)
        for weight, old in zip(network.trainable_variables, before, strict=True):
            shrunk = decay_on == "all" or len(weight.shape) == 2
            np.testing.assert_allclose(weight, old * (0.99 if shrunk else 1), rtol=1e-6)


def test_an_optimiser_without_decay_is_refused(here: Here, tiny_npz: Path) -> None:
    flags = ("--optimizer", "Rprop", "--lr_scheduler", "null", "--weight_decay_on", "matrices")
    done = here("fit", "--data.source", tiny_npz, "--run_dir", "run", *flags)
    assert done.code == 1
    assert "--weight_decay_on matrices: Rprop has no weight decay" in done.err


@pytest.mark.parametrize("kind", ["torch.optim.AdamW", "lightning_mnist.optimizers.KerasMuon"])
def test_a_training_with_decay_on_matrices_goes_on(kind: str, here: Here, tiny_npz: Path) -> None:
    flags = ("--data.source", tiny_npz, "--model.hidden", "[8]", "--weight_decay_on", "matrices",
             "--optimizer", kind, "--trainer.precision", "bf16-mixed")  # fmt: skip
    for run, more in (("whole", 2), ("parts", 1)):
        done = here("fit", *flags, "--run_dir", run, "--trainer.max_epochs", more)
        assert done.code == 0, done.err
    done = here("fit", "--resume", "parts", "--trainer.max_epochs", 2)
    assert done.code == 0, done.err
    one, other = (np.load(f"{run}/predictions.npz")["logits"] for run in ("whole", "parts"))
    np.testing.assert_array_equal(one, other)
    other_kind = here("fit", "--resume", "parts", "--weight_decay_on", "all")
    assert other_kind.code == 1
    assert "--weight_decay_on all" in other_kind.err
