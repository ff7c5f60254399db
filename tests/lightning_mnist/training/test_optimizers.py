"""Our optimisers beside Keras' own: same gradients, same weights."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras
import tensorflow as tf

from lightning_mnist import optimizers
from lightning_mnist.errors import InputError
from lightning_mnist.optimizers.base import KerasOptimizer
from tests.conftest import SLOW, Here

NAMES = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Nadam", "Muon"]
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in NAMES),
    ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("SGD", {"momentum": 0.85, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.1}),  # large enough to show how the bias correction is rounded
    ("Adam", {"amsgrad": True}),
    ("Adam", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-4, "weight_decay": 0.01}),
    ("AdamW", {"weight_decay": 0.1, "amsgrad": True}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.01}),
    ("RMSprop", {"momentum": 0.7, "centered": True, "rho": 0.99}),
    ("Adagrad", {"initial_accumulator_value": 0.0}),
    ("Adagrad", {"weight_decay": 0.1, "epsilon": 1e-3}),
    ("Nadam", {"lr": 0.1}),
    ("Nadam", {"beta_1": 0.8, "beta_2": 0.95, "weight_decay": 0.01}),
    ("Muon", {"nesterov": False, "rms_rate": None, "adam_lr_ratio": 0.5, "weight_decay": 0.1}),
    ("Muon", {"adam_beta_1": 0.8, "adam_weight_decay": None, "ns_steps": 3, "lr": 0.1}),
]
SHAPES = [(37, 5), (5,)]
Arrays = list[NDArray[Any]]


def variants(*, of: list[tuple[str, dict[str, Any]]] = VARIANTS) -> pytest.MarkDecorator:
    ids = ["-".join([name, *map(str, settings)]) for name, settings in of]
    return pytest.mark.parametrize(("name", "settings"), of, ids=ids)


@pytest.fixture(params=["float64", "float32"])
def floatx(request: pytest.FixtureRequest) -> Iterator[str]:
    """Keras computes in this type during a test."""
    before = keras.config.floatx()
    keras.config.set_floatx(request.param)
    yield request.param
    keras.config.set_floatx(before)


def weights(dtype: str) -> Arrays:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for shape in SHAPES]


def gradients(step: int, dtype: str) -> Arrays:
    """From ones to nothing: exact zeros, and values whose squares are below any epsilon."""
    rng = np.random.default_rng([1, step])
    grads = []
    for shape in SHAPES:
        grad = rng.normal(size=shape) * 10.0 ** rng.integers(-12, 1, shape)
        grad[rng.random(shape) < 0.2] = 0
        grad[rng.random(shape) < 0.1] *= 1e-25
        grads.append(grad.astype(dtype))
    return grads


def parameters(arrays: Arrays) -> list[nn.Parameter]:
    return [nn.Parameter(torch.tensor(array)) for array in arrays]


def ours(name: str, params: Any, **settings: Any) -> KerasOptimizer:
    optimizer = getattr(optimizers, f"Keras{name}")(params, **settings)
    assert isinstance(optimizer, KerasOptimizer)
    return optimizer


def take(optimizer: KerasOptimizer, params: list[nn.Parameter], steps: range) -> None:
    for step in steps:
        for param, grad in zip(params, gradients(step, "float64"), strict=True):
            param.grad = torch.tensor(grad).to(param.dtype)
        optimizer.step()


class Theirs:
    """Keras' optimiser with variables of its own."""

    def __init__(self, name: str, arrays: Arrays, **settings: Any) -> None:
        if "lr" in settings:
            settings["learning_rate"] = settings.pop("lr")
        self.optimizer = getattr(keras.optimizers, name)(**settings)
        self.variables = [keras.Variable(array, dtype=array.dtype.name) for array in arrays]
        self.optimizer.build(self.variables)

    def step(self, grads: list[NDArray[Any] | None]) -> None:
        given = [
            (tf.constant(grad), variable)
            for grad, variable in zip(grads, self.variables, strict=True)
            if grad is not None
        ]
        self.optimizer.apply(*(list(column) for column in zip(*given, strict=True)))

    def agree(self, params: list[nn.Parameter]) -> None:
        """Within four units of the last place of a weight, or of 1: weights here are that large."""
        for param, variable in zip(params, self.variables, strict=True):
            expected = variable.numpy()
            unit = 4 * np.finfo(expected.dtype).eps
            np.testing.assert_allclose(param.detach().numpy(), expected, rtol=unit, atol=unit)


@pytest.mark.parametrize(
    ("name", "settings", "floatx"),
    [
        pytest.param(
            name, settings, dtype, id="-".join([dtype, name, *settings]),
            marks=SLOW if settings and dtype == "float32" else (),
        )
        for dtype in ("float64", "float32")
        for name, settings in VARIANTS
    ],
    indirect=["floatx"],
)  # fmt: skip
def test_every_step_is_that_of_keras(name: str, settings: dict[str, Any], floatx: str) -> None:
    theirs = Theirs(name, weights(floatx), **settings)
    params = parameters(weights(floatx))
    optimizer = ours(name, params, **settings)
    for step in range(12):
        grads = gradients(step, floatx)
        theirs.step(list(grads))
        for param, grad in zip(params, grads, strict=True):
            param.grad = torch.tensor(grad)
        optimizer.step()
        theirs.agree(params)


def test_a_gradient_that_stays_the_same_leaves_centred_rmsprop_nothing_but_roundings(
    floatx: str,
) -> None:
    settings: dict[str, Any] = {"centered": True, "rho": 0.5, "epsilon": 1e-15}
    theirs = Theirs("RMSprop", weights(floatx), **settings)
    params = parameters(weights(floatx))
    optimizer = ours("RMSprop", params, **settings)
    grads = [np.full_like(array, 0.5) for array in weights(floatx)]
    for param, grad in zip(params, grads, strict=True):
        param.grad = torch.tensor(grad)
    for _ in range(80):
        theirs.step(list(grads))
        optimizer.step()
    theirs.agree(params)


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_those_of_keras(name: str) -> None:
    config = getattr(keras.optimizers, name)().get_config()
    mine = dict(getattr(optimizers, f"Keras{name}")([torch.nn.Parameter(torch.ones(1))]).defaults)
    assert mine.pop("lr") == pytest.approx(config["learning_rate"], rel=1e-7)
    assert mine == {key: config[key] for key in mine}
    # Keras' other settings are off, and no others than these are known.
    shared = {
        "name", "learning_rate", "clipnorm", "global_clipnorm", "clipvalue", "use_ema",
        "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor",
        "gradient_accumulation_steps",
    }  # fmt: skip
    if name == "Muon":  # what they name goes to Adam, as whatever is no matrix does
        shared |= {"exclude_layers", "exclude_embeddings"}
    assert config.keys() - mine.keys() == shared


@variants()
def test_a_saved_state_goes_on_to_the_bit(name: str, settings: dict[str, Any]) -> None:
    straight = parameters(weights("float32"))
    first = ours(name, straight, **{"lr": 0.02, **settings})
    take(first, straight, range(7))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    resumed = parameters([param.detach().numpy().copy() for param in straight])
    second = ours(name, resumed)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    take(first, straight, range(7, 14))
    take(second, resumed, range(7, 14))
    assert all(torch.equal(a, b) for a, b in zip(straight, resumed, strict=True))
    assert second.param_groups[0]["iterations"] == 14


def test_the_state_of_another_optimiser_is_refused() -> None:
    params = parameters(weights("float32"))
    for other in (torch.optim.Adam(params), ours("Adam", params), ours("RMSprop", params)):
        with pytest.raises(InputError, match="KerasNadam was given the state of another"):
            ours("Nadam", params).load_state_dict(other.state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_groups_have_settings_of_their_own(name: str) -> None:
    together, apart = parameters(weights("float32")), parameters(weights("float32"))
    other = {"lr": 0.05, "weight_decay": 0.1}
    groups = [{"params": together[:1]}, {"params": together[1:], **other}]
    take(ours(name, groups), together, range(5))
    for place, settings in ((0, {}), (1, other)):
        optimizer = ours(name, apart[place : place + 1], **settings)
        for step in range(5):
            apart[place].grad = torch.tensor(gradients(step, "float32")[place])
            optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(together, apart, strict=True))


@variants()
def test_types_and_devices_may_be_mixed(name: str, settings: dict[str, Any]) -> None:
    """The device "meta" computes nothing, and so shows only that no tensors are mixed up."""
    mixed = parameters(weights("float64"))
    mixed.append(nn.Parameter(torch.tensor(weights("float32")[0])))
    mixed.append(nn.Parameter(torch.zeros(3, device="meta")))
    alone = parameters([weights("float32")[0]])
    one, other = ours(name, mixed, **settings), ours(name, alone, **settings)
    for step in range(5):
        grads = gradients(step, "float32")
        for param, grad in zip([*mixed, *alone], [*grads, grads[0], None, grads[0]], strict=True):
            param.grad = torch.ones_like(param) if grad is None else torch.tensor(grad).to(param)
        one.step()
        other.step()
    assert [param.dtype for param in mixed[1:3]] == [torch.float64, torch.float32]
    torch.testing.assert_close(mixed[2], alone[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(mixed[0].float(), alone[0], rtol=1e-5, atol=1e-6)


@variants(of=[("SGD", {"momentum": 0.9}), ("Adam", {"weight_decay": 0.1}), ("Nadam", {})])
@pytest.mark.parametrize(
    "second", ["without a gradient", "in a group without a gradient", "added later"]
)
@pytest.mark.parametrize("floatx", ["float64"], indirect=True)
def test_the_count_of_steps_is_common(
    name: str, settings: dict[str, Any], second: str, floatx: str
) -> None:
    theirs = Theirs(name, weights(floatx), **settings)
    params = parameters(weights(floatx))
    groups: dict[str, Any] = {
        "without a gradient": params,
        "in a group without a gradient": [{"params": [param]} for param in params],
        "added later": params[:1],
    }
    optimizer = ours(name, groups[second], **settings)
    for step in range(12):
        grads: list[NDArray[Any] | None] = list(gradients(step, floatx))
        if step < 6:
            grads[1] = None
        elif second == "added later" and step == 6:
            optimizer.add_param_group({"params": params[1:]})
        theirs.step(grads)
        for param, grad in zip(params, grads, strict=True):
            param.grad = None if grad is None else torch.tensor(grad)
        optimizer.step()
        theirs.agree(params)


def test_a_step_without_any_gradient_is_none() -> None:
    params = parameters(weights("float32"))
    optimizer = ours("Nadam", params, weight_decay=0.5)
    optimizer.step()
    assert optimizer.param_groups[0]["iterations"] == 0
    assert optimizer.param_groups[0]["u_product"] == 1
    np.testing.assert_array_equal(params[0].detach().numpy(), weights("float32")[0])


@pytest.mark.parametrize("floatx", ["float64"], indirect=True)
def test_torchs_schedulers_set_the_learning_rate(floatx: str) -> None:
    theirs, params = Theirs("Adam", weights(floatx)), parameters(weights(floatx))
    optimizer = ours("Adam", params)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.75)
    for step in range(10):
        theirs.optimizer.learning_rate = scheduler.get_last_lr()[0]
        theirs.step(list(gradients(step, floatx)))
        take(optimizer, params, range(step, step + 1))
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.001 * 0.75**10)
    theirs.agree(params)


def test_a_closure_computes_loss_and_gradients() -> None:
    weight = nn.Parameter(torch.tensor([3.0]))
    optimizer = ours("SGD", [weight], lr=0.5)

    def closure() -> float:
        optimizer.zero_grad()
        loss = (weight**2).sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 9
    assert weight.item() == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_parameters_of_half_precision_are_trained(name: str, dtype: torch.dtype) -> None:
    """In bfloat16 beta_2 is 1: with numbers of that type Adam's steps would be 0."""
    half, single = (nn.Parameter(torch.ones(3, dtype=kind)) for kind in (dtype, torch.float32))
    for param in (half, single):
        optimizer = ours(name, [param], lr=0.05)
        for _ in range(5):
            param.grad = torch.full_like(param, 0.5)
            optimizer.step()
    assert single.max() < 0.99
    torch.testing.assert_close(half.float(), single.data, atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("SGD", {"lr": -1.0}, "KerasSGD: lr is -1.0; expected at least 0"),
        ("SGD", {"lr": float("nan")}, "lr is nan"),
        ("SGD", {"momentum": -0.1}, "momentum is -0.1"),
        ("SGD", {"momentum": 1.1}, "momentum is 1.1; expected at most 1"),
        ("Adam", {"beta_1": 1.0}, "beta_1 is 1.0; expected at least 0, and below 1"),
        ("Adam", {"beta_2": 1 - 1e-12}, "below 1 also as float32"),
        ("AdamW", {"weight_decay": -0.1}, "weight_decay is -0.1"),
        ("RMSprop", {"rho": -0.1}, "rho is -0.1"),
        ("RMSprop", {"epsilon": -1e-7}, "epsilon is -1e-07"),
        ("Adagrad", {"initial_accumulator_value": -1.0}, "initial_accumulator_value is -1.0"),
        ("Nadam", {"beta_2": float("nan")}, "beta_2 is nan"),
    ],
)
def test_impossible_settings_are_refused(name: str, settings: dict[str, Any], said: str) -> None:
    params = parameters(weights("float32"))
    with pytest.raises(InputError, match=said) as caught:
        ours(name, params, **settings)
    assert "\n" not in str(caught.value)
    optimizer = ours(name, params[:1])
    with pytest.raises(InputError, match=said):
        optimizer.add_param_group({"params": params[1:], **settings})
    assert len(optimizer.param_groups) == 1


def test_complex_parameters_and_sparse_gradients_are_refused() -> None:
    with pytest.raises(InputError, match="type torch.complex64; expected real floating point"):
        ours("Adam", [nn.Parameter(torch.zeros(3, dtype=torch.complex64))])
    embedding = nn.Embedding(4, 2, sparse=True)
    optimizer = ours("Adam", embedding.parameters())
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(InputError, match="sparse gradient; expected dense ones, so build"):
        optimizer.step()
    assert optimizer.param_groups[0]["iterations"] == 0


SMALL = (
    "--model.hidden", "[16]", "--model.dropout", 0.3, "--data.batch_size", 32,
    "--trainer.enable_progress_bar", "false",
)  # fmt: skip


@pytest.mark.slow
def test_the_command_line_knows_them_and_resumes_exactly(here: Here, tiny_npz: Path) -> None:
    flags = ("fit", "--data.source", tiny_npz, *SMALL, "--optimizer.lr", 0.001)
    whole = ("--trainer.max_epochs", 3, "--run_dir", "whole")
    begun = ("--trainer.max_epochs", 1, "--run_dir", "resumed")
    resumed: tuple[object, ...] = ("--trainer.max_epochs", 3, "--run_dir", "resumed")
    resumed += ("--ckpt_path", "resumed/checkpoints/last.ckpt")
    full_name = "lightning_mnist.optimizers.KerasNadam"
    for kind, more in ((full_name, whole), (full_name, begun), ("KerasNadam", resumed)):
        done = here(*flags, "--optimizer", kind, *more)
        assert done.code == 0, done.err
    one, other = (
        torch.load(f"{name}/checkpoints/last.ckpt", weights_only=True)
        for name in ("whole", "resumed")
    )
    for name, weight in one["state_dict"].items():
        assert torch.equal(weight, other["state_dict"][name])
    (group,), same = (state["optimizer_states"][0]["param_groups"] for state in (one, other))
    assert [group] == same
    assert group["iterations"] == one["global_step"] > 0


def test_the_command_line_says_in_one_sentence_what_is_wrong(here: Here, tiny_npz: Path) -> None:
    flags = ("--optimizer", "KerasAdam", "--optimizer.beta_1", 1)
    done = here("fit", "--data.source", tiny_npz, *SMALL, *flags)
    assert done.code == 1
    assert "error: KerasAdam: beta_1 is 1.0; expected" in done.err
    assert "Traceback" not in done.err


def test_muon_moves_matrices_by_orthogonal_steps_as_torch_s_does() -> None:
    """Torch's iterates in bfloat16, of which three digits are left."""
    torch.manual_seed(0)
    matrix = torch.randn(12, 30)
    mine, other = (nn.Parameter(matrix.clone()) for _ in range(2))
    shared: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.0}
    both = (
        ours("Muon", [mine], **shared),
        torch.optim.Muon([other], adjust_lr_fn="match_rms_adamw", **shared),
    )
    for _ in range(3):
        before = mine.detach().clone()
        mine.grad = torch.randn(12, 30) * torch.logspace(-0.5, 0.5, 12)[:, None]
        other.grad = mine.grad.clone()
        for optimizer in both:
            optimizer.step()
        stretched = torch.linalg.svdvals(mine.detach() - before) / (0.1 * 0.2 * 30**0.5)
        assert 0.5 < stretched.min() < stretched.max() < 1.3
        torch.testing.assert_close(mine, other, atol=2e-3, rtol=0)
