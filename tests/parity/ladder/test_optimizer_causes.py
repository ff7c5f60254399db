"""Planted differences between two optimisers are named, and nothing else is."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras

from parity.readings.cause import Cause
from parity.readings.optimizer import UNEXPLAINED, explain
from parity.readings.trace import Trace
from tests.conftest import mostly_slow

NAMES = ("ours", "theirs")
SHAPES = {
    "dense_1.kernel": (20, 16),
    "dense_1.bias": (16,),
    "dense_2.kernel": (16, 4),
    "dense_2.bias": (4,),
}
Parameters = list[torch.nn.Parameter]
Table = dict[str, np.ndarray]
ROUNDING = 1e-15
"""Largest gap that is rounding, of weights of about 0.1 in float64."""


@pytest.fixture(autouse=True)
def _exact_keras_numbers() -> Iterator[None]:
    """Keras keeps its learning rate in the default precision."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


def problem(steps: int = 4, scale: float = 1.0, seed: int = 0) -> tuple[Table, list[Table]]:
    """Weights, and gradients with dead pixels and with values of 1e-10."""
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.normal(0, 0.1, shape) if len(shape) > 1 else np.zeros(shape)
        for name, shape in SHAPES.items()
    }
    gradients = []
    for _ in range(steps):
        table = {
            name: scale * rng.normal(0, 1e-2, shape) * 10 ** rng.uniform(-2, 0.3, shape)
            for name, shape in SHAPES.items()
        }
        table["dense_1.kernel"][[3, 7]] = 0
        table["dense_1.kernel"][5] *= 1e-8
        table["dense_1.kernel"][6] *= 1e-6
        gradients.append(table)
    return weights, gradients


def ours(
    make: Callable[[Parameters], torch.optim.Optimizer],
    *,
    clip: Callable[[Parameters], Any] = lambda parameters: None,
    rate: Callable[[int], float] = lambda step: 1.0,
    repeats: int = 1,
    scale: float = 1.0,
    frozen: str = "",
    steps: int = 4,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> Trace:
    """Steps of a real torch optimiser; its gradients are `scale` times those recorded."""
    weights, gradients = problem(steps, scale, seed)
    table = {n: torch.nn.Parameter(torch.tensor(w, dtype=dtype)) for n, w in weights.items()}
    optimizer = make([p for name, p in table.items() if name != frozen])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    recorded: list[tuple[Table, Table, Table]] = []
    for gradient in gradients:
        for name, parameter in table.items():
            parameter.grad = torch.tensor(gradient[name], dtype=dtype)
        before = {n: p.detach().numpy().copy() for n, p in table.items()}
        given = {n: p.grad.numpy() / scale for n, p in table.items() if p.grad is not None}
        clip(list(table.values()))
        for _ in range(repeats):
            optimizer.step()
        schedule.step()
        after = {n: p.detach().numpy().copy() for n, p in table.items()}
        recorded.append((before, given, after))
    return trace(recorded)


def theirs(optimizer: Any, *, scale: float = 1.0, seed: int = 0, dtype: str = "float64") -> Trace:
    """Steps of a real Keras optimiser; its gradients are `scale` times those recorded."""
    weights, gradients = problem(scale=scale, seed=seed)
    table = {name: keras.Variable(weight, dtype=dtype) for name, weight in weights.items()}
    recorded: list[tuple[Table, Table, Table]] = []
    for gradient in gradients:
        before = {name: keras.ops.convert_to_numpy(v) for name, v in table.items()}
        given = [keras.ops.convert_to_tensor(gradient[name].astype(dtype)) for name in table]
        optimizer.apply(given, list(table.values()))
        after = {name: keras.ops.convert_to_numpy(v) for name, v in table.items()}
        recorded.append(
            (before, {n: gradient[n].astype(dtype) / scale for n in table}, after),
        )
    return trace(recorded)


def trace(recorded: list[tuple[Table, Table, Table]]) -> Trace:
    before, gradients, after = zip(*recorded, strict=True)
    return Trace(list(before), list(gradients), list(after))


def adam(**settings: Any) -> Callable[[Parameters], torch.optim.Optimizer]:
    return lambda parameters: torch.optim.Adam(parameters, **settings)


def sgd(**settings: Any) -> Callable[[Parameters], torch.optim.Optimizer]:
    return lambda parameters: torch.optim.SGD(parameters, **{"lr": 0.01, **settings})


def adamw(**settings: Any) -> Callable[[Parameters], torch.optim.Optimizer]:
    return lambda parameters: torch.optim.AdamW(parameters, **settings)


def named(causes: list[Cause]) -> set[str]:
    return {cause.name for cause in causes}


def test_adam_of_torch_and_of_keras_differ_in_epsilon_and_bias_correction() -> None:
    causes = explain(ours(adam()), theirs(keras.optimizers.Adam()), NAMES)
    assert [cause.name for cause in causes[-1:]] == ["bias correction"]
    assert named(causes) == {"epsilon's value", "epsilon's place", "bias correction"}
    first, second, last = (cause.gap for cause in causes)
    assert first > 1e-5 > 1e-8 > second > 1e-9
    assert last < ROUNDING
    text = {cause.name: cause.text for cause in causes}
    assert "1e-08 (ours), 1e-07 (theirs)" in text["epsilon's value"]
    assert "before the bias correction (theirs)" in text["epsilon's place"]
    assert "rounded to float32 (theirs)" in text["bias correction"]
    assert "dense_1.kernel" in causes[0].text


def test_seen_from_keras_the_same_differences() -> None:
    causes = explain(theirs(keras.optimizers.Adam()), ours(adam()), NAMES)
    assert named(causes) == {"epsilon's value", "epsilon's place", "bias correction"}
    assert causes[-1].gap < ROUNDING


def test_adam_in_single_precision() -> None:
    a, b = ours(adam(), dtype=torch.float32), theirs(keras.optimizers.Adam(), dtype="float32")
    assert {"epsilon's value", "epsilon's place"} <= named(explain(a, b, NAMES))
    assert explain(a, a, NAMES) == explain(b, b, NAMES) == []


PLANTED: dict[str, tuple[Callable[[], Trace], Callable[[], Trace], set[str]]] = {
    "value of epsilon": (
        lambda: ours(adam()),
        lambda: ours(adam(eps=1e-7)),
        {"epsilon's value"},
    ),
    "place of epsilon": (
        lambda: ours(adam(eps=1e-7)),
        lambda: theirs(keras.optimizers.Adam()),
        {"epsilon's place", "bias correction"},
    ),
    "beta_1": (lambda: ours(adam()), lambda: ours(adam(betas=(0.8, 0.999))), {"beta_1"}),
    "beta_2": (lambda: ours(adam()), lambda: ours(adam(betas=(0.9, 0.95))), {"beta_2"}),
    "amsgrad": (lambda: ours(adam()), lambda: ours(adam(amsgrad=True)), {"amsgrad"}),
    "amsgrad of Keras": (
        lambda: theirs(keras.optimizers.Adam()),
        lambda: theirs(keras.optimizers.Adam(amsgrad=True)),
        {"amsgrad"},
    ),
    "L2 against decoupled decay": (
        lambda: ours(adam(weight_decay=0.01)),
        lambda: ours(adamw(weight_decay=0.01)),
        {"weight decay's place"},
    ),
    "decay of one side": (
        lambda: ours(adam()),
        lambda: ours(adamw(weight_decay=0.01)),
        {"weight decay"},
    ),
    "value of the decay": (
        lambda: theirs(keras.optimizers.AdamW(weight_decay=0.004)),
        lambda: theirs(keras.optimizers.AdamW(weight_decay=0.01)),
        {"weight decay"},
    ),
    "L2 of SGD": (
        lambda: ours(sgd(momentum=0.9)),
        lambda: ours(sgd(momentum=0.9, weight_decay=1e-3)),
        {"weight decay"},
    ),
    "learning rate": (lambda: ours(adam()), lambda: ours(adam(lr=3e-4)), {"learning rate"}),
    "Nesterov off": (
        lambda: ours(sgd(momentum=0.9)),
        lambda: ours(sgd(momentum=0.9, nesterov=True)),
        {"Nesterov momentum"},
    ),
    "momentum": (
        lambda: ours(sgd(momentum=0.9)),
        lambda: ours(sgd(momentum=0.8)),
        {"momentum"},
    ),
    "momentum through float32": (
        lambda: ours(sgd(momentum=0.9)),
        lambda: theirs(keras.optimizers.SGD(momentum=0.9)),
        {"momentum"},
    ),
    "RMSprop of torch and of Keras": (
        lambda: ours(lambda p: torch.optim.RMSprop(p)),
        lambda: theirs(keras.optimizers.RMSprop()),
        {"learning rate", "rho", "epsilon's value", "epsilon's place"},
    ),
    "RMSprop centered": (
        lambda: theirs(keras.optimizers.RMSprop(momentum=0.5)),
        lambda: theirs(keras.optimizers.RMSprop(momentum=0.5, centered=True)),
        {"centered"},
    ),
    "Adagrad of torch and of Keras": (
        lambda: ours(lambda p: torch.optim.Adagrad(p)),
        lambda: theirs(keras.optimizers.Adagrad()),
        {"learning rate", "initial accumulator", "epsilon's value", "epsilon's place"},
    ),
    "Nadam of torch and of Keras": (
        lambda: ours(lambda p: torch.optim.NAdam(p)),
        lambda: theirs(keras.optimizers.Nadam()),
        {"learning rate", "epsilon's value", "momentum schedule", "bias correction"},
    ),
    "clipped by value": (
        lambda: ours(adam()),
        lambda: ours(adam(), clip=lambda p: clip_grad_value_(p, 0.005)),
        {"gradient clipping"},
    ),
    "clipped by global norm": (
        lambda: ours(adam()),
        lambda: ours(adam(), clip=lambda p: clip_grad_norm_(p, 0.05)),
        {"gradient clipping"},
    ),
    "SGD clipped by global norm": (
        lambda: ours(sgd()),
        lambda: ours(sgd(), clip=lambda p: clip_grad_norm_(p, 0.05)),
        {"gradient clipping"},
    ),
    "each norm for the global one": (
        lambda: theirs(keras.optimizers.SGD(0.1, clipnorm=0.05)),
        lambda: theirs(keras.optimizers.SGD(0.1, global_clipnorm=0.05)),
        {"gradient clipping"},
    ),
    "clipped by norm": (
        lambda: theirs(keras.optimizers.SGD()),
        lambda: theirs(keras.optimizers.SGD(clipnorm=0.05)),
        {"gradient clipping"},
    ),
    "SGD on a sum": (lambda: ours(sgd()), lambda: ours(sgd(), scale=128.0), {"gradient scale"}),
    "Adam on a sum": (lambda: ours(adam()), lambda: ours(adam(), scale=128.0), {"gradient scale"}),
    "Adagrad on a sum": (
        lambda: theirs(keras.optimizers.Adagrad()),
        lambda: theirs(keras.optimizers.Adagrad(), scale=128.0),
        {"gradient scale"},
    ),
    "frozen tensor": (
        lambda: ours(adam()),
        lambda: ours(adam(), frozen="dense_2.bias"),
        {"frozen tensor"},
    ),
    "applied twice": (
        lambda: ours(adam()),
        lambda: ours(adam(), repeats=2),
        {"repeated update"},
    ),
    "uphill": (lambda: ours(adam()), lambda: ours(adam(maximize=True)), {"sign"}),
    "another optimiser": (
        lambda: ours(lambda p: torch.optim.RMSprop(p, lr=1e-3)),
        lambda: ours(adam()),
        {"optimiser"},
    ),
}


DEARER = (
    "Adam on a sum", "Adagrad on a sum", "SGD clipped by global norm", "clipped by global norm",
    "Nadam of torch and of Keras", "L2 against decoupled decay", "amsgrad of Keras",
    "learning rate", "another optimiser", "clipped by value", "RMSprop centered",
)  # fmt: skip
"""Most of their causes are found between two torch programs too, in the tests of all kinds."""


@pytest.mark.parametrize("case", mostly_slow(PLANTED, *set(PLANTED) - set(DEARER)))
def test_a_planted_difference_is_named_and_nothing_else(case: str) -> None:
    a, b, expected = PLANTED[case]
    causes = explain(a(), b(), NAMES)
    assert named(causes) == expected, causes
    assert causes[-1].gap < ROUNDING
    assert all(cause.text.startswith(cause.name) for cause in causes)


@pytest.mark.parametrize("make", [sgd(momentum=0.9), adam()])
@pytest.mark.slow
def test_a_schedule_that_is_one_step_off(
    make: Callable[[Parameters], torch.optim.Optimizer],
) -> None:
    a = ours(make, rate=lambda step: 0.9**step)
    b = ours(make, rate=lambda step: 0.9 ** (step + 1))
    (cause,) = explain(a, b, NAMES)
    assert cause.name == "learning-rate schedule"
    assert "one step ahead" in cause.text
    assert cause.gap < ROUNDING


@pytest.mark.slow
def test_a_schedule_that_starts_from_zero() -> None:
    a = ours(adam(), rate=lambda step: step / 10)
    b = ours(adam(), rate=lambda step: (step + 1) / 10)
    assert named(explain(a, b, NAMES)) == {"learning-rate schedule"}


def test_a_known_batch_size_tells_a_sum_from_a_learning_rate() -> None:
    a, b = ours(sgd()), ours(sgd(), scale=100.0)
    assert named(explain(a, b, NAMES)) == {"learning rate"}
    assert named(explain(a, b, NAMES, batch_size=100)) == {"gradient scale"}


HEALTHY: dict[str, Callable[[int], Trace]] = {
    "SGD": lambda seed: ours(sgd(), seed=seed),
    "Nesterov": lambda seed: theirs(keras.optimizers.SGD(momentum=0.9, nesterov=True), seed=seed),
    "L2": lambda seed: ours(adam(weight_decay=1e-2), seed=seed),
    "AdamW": lambda seed: theirs(keras.optimizers.AdamW(), seed=seed),
    "RMSprop": lambda seed: ours(
        lambda p: torch.optim.RMSprop(p, centered=True, momentum=0.9), seed=seed
    ),
    "Adagrad": lambda seed: theirs(keras.optimizers.Adagrad(), seed=seed),
    "Nadam": lambda seed: theirs(keras.optimizers.Nadam(), seed=seed),
    "clipped": lambda seed: theirs(keras.optimizers.Adam(global_clipnorm=0.05), seed=seed),
    "schedule": lambda seed: ours(adam(), rate=lambda step: 0.7**step, seed=seed),
    "nothing moves": lambda seed: ours(sgd(lr=0.0), seed=seed),
}


@pytest.mark.parametrize("case", HEALTHY)
@pytest.mark.slow
def test_the_same_rule_on_other_weights_and_gradients_is_no_cause(case: str) -> None:
    assert explain(HEALTHY[case](0), HEALTHY[case](1), NAMES) == []


@pytest.mark.parametrize("make", [sgd(momentum=0.9), adam()])
def test_one_recorded_step_tells_what_it_can(
    make: Callable[[Parameters], torch.optim.Optimizer],
) -> None:
    one = ours(make, steps=1)
    assert explain(one, ours(make, steps=1, seed=1), NAMES) == []
    assert "learning rate" in named(explain(one, ours(sgd(lr=0.03), steps=1), NAMES))


@pytest.mark.parametrize(
    ("make", "other"), [(sgd(), sgd(lr=0.02)), (adam(), adam(lr=0.002)), (sgd(), sgd(momentum=0.9))]
)
def test_a_gradient_that_is_only_rounding_is_no_tensor_that_does_otherwise(
    make: Callable[[Parameters], torch.optim.Optimizer],
    other: Callable[[Parameters], torch.optim.Optimizer],
) -> None:
    """The bias before a batch norm: each side's own rounding, and not what the step was made of."""
    a, b = before_batch_norm(ours(make), 1), before_batch_norm(ours(other), 2)
    assert explain(a, before_batch_norm(ours(make), 3), NAMES) == []
    assert named(explain(a, b, NAMES)) == named(explain(ours(make), ours(other), NAMES))


def test_such_a_bias_that_stands_still_on_one_side_is_not_frozen() -> None:
    a, b = before_batch_norm(ours(sgd()), 1), before_batch_norm(ours(sgd()), 2)
    still = [{**table, "norm.bias": b.before[0]["norm.bias"]} for table in b.after]
    assert explain(a, replace(b, before=[b.before[0], *still[:-1]], after=still), NAMES) == []


def before_batch_norm(steps: Trace, seed: int) -> Trace:
    """The same with a fifth tensor whose gradient cancels out to rounding."""
    rng = np.random.default_rng(seed)
    weights = np.cumsum(rng.normal(0, 1e-17, (len(steps.before) + 1, 16)), axis=0)
    gone = "norm.bias"
    return replace(
        steps,
        before=[{**t, gone: w} for t, w in zip(steps.before, weights[:-1], strict=True)],
        gradients=[{**t, gone: rng.normal(0, 1e-17, 16)} for t in steps.gradients],
        after=[{**t, gone: w} for t, w in zip(steps.after, weights[1:], strict=True)],
    )


def garbage(steps: Trace) -> Trace:
    rng = np.random.default_rng(1)
    after = [{n: w + rng.normal(0, 1e-3, w.shape) for n, w in t.items()} for t in steps.after]
    return replace(steps, after=after)


@pytest.mark.slow
def test_what_no_rule_makes_is_unexplained() -> None:
    steps = ours(adam())
    (cause,) = explain(steps, garbage(steps), NAMES)
    assert cause.name == UNEXPLAINED
    assert cause.gap > 1e-3
    assert "theirs" in cause.text
    assert "ours: Adam(learning rate 0.001" in cause.text
    assert len(explain(garbage(steps), garbage(steps), NAMES)) == 2


def test_weights_that_are_not_finite_are_unexplained() -> None:
    steps = ours(adam())
    broken = [{**table, "dense_2.bias": np.full(4, np.nan)} for table in steps.after]
    assert named(explain(steps, replace(steps, after=broken), NAMES)) == {UNEXPLAINED}


def test_unexplained_sides_are_compared_in_what_both_tell() -> None:
    """A gradient that is rounding on one side only, as where a batch norm sees a single pixel."""
    a, b = before_batch_norm(ours(sgd()), 1), before_batch_norm(ours(sgd()), 2)
    a = replace(a, gradients=[{**table, "norm.bias": np.ones(16)} for table in a.gradients])
    after = [{**table, "dense_2.bias": np.full(4, np.nan)} for table in a.after]
    causes = explain(replace(a, after=after), replace(b, after=after), NAMES)
    assert [cause.name for cause in causes] == [UNEXPLAINED] * 2


@pytest.mark.skipif(
    importlib.util.find_spec("lightning_mnist.optimizers") is None, reason="not there"
)
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Nadam"])
def test_the_keras_exact_optimisers_are_no_cause(name: str) -> None:
    module = importlib.import_module("lightning_mnist.optimizers")
    a = ours(lambda parameters: getattr(module, f"Keras{name}")(parameters))
    assert explain(a, theirs(getattr(keras.optimizers, name)()), NAMES) == []


def renamed(steps: Trace, name: str) -> Trace:
    """The same with another name for the bias of the first layer."""
    called = {"dense_1.bias": name}
    before, gradients, after = (
        [{called.get(n, n): values for n, values in table.items()} for table in tables]
        for tables in (steps.before, steps.gradients, steps.after)
    )
    return Trace(before, gradients, after)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "factor", "cause"),
    [
        ("lstm_1", 2.0, "second bias"),
        ("lstm_1", 3.0, "learning rate of a tensor"),
        ("dense_1", 2.0, "learning rate of a tensor"),
    ],
)
def test_a_recurrent_bias_that_takes_two_steps_is_two_biases(
    layer: str, factor: float, cause: str
) -> None:
    def make(parameters: Parameters) -> torch.optim.Optimizer:
        others = [p for k, p in enumerate(parameters) if k != 1]
        groups: list[dict[str, Any]] = [
            {"params": others},
            {"params": [parameters[1]], "lr": factor * 0.01},
        ]
        return torch.optim.SGD(groups, lr=0.01)

    name = f"{layer}.bias"
    a, b = renamed(ours(make), name), renamed(ours(sgd()), name)
    (found,) = explain(a, b, NAMES)
    assert found.name == cause
    assert found.gap < ROUNDING
    (found,) = explain(b, a, NAMES)
    assert found.name == cause
