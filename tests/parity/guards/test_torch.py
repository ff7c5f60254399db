"""The adapter of torch: names, layouts, answers and steps of any module, and no trace of a look."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.sides.lockstep import Server, adapted
from parity.torch import LockStep, answers, dead_units, gradients, layers, set_weights, weights
from parity.torch.state import unchanged
from tests.support.torch_models import MODELS, Conv, Functional, Model, Recurrent

Array = np.ndarray[Any, Any]
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    assert torch.get_default_dtype() == torch.float32


def everything(module: nn.Module) -> list[Any]:
    """All that a look might change, copied."""
    return [
        {name: tensor.clone() for name, tensor in module.state_dict().items()},
        [part.training for part in module.modules()],
        [parameter.grad for parameter in module.parameters()],
        torch.get_rng_state(),
        np.random.get_state(legacy=False)["state"],  # noqa: NPY002
        random.getstate(),
    ]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, Tensor | np.ndarray):
        return bool((a == b).all())
    return same_list(a, b) if isinstance(a, list) else bool(a == b)


def same_list(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(same, a, b))


@each_model
def test_layers_are_named_in_the_order_in_which_they_work(model: Model) -> None:
    assert list(answers(model.build(), model.x)) == model.layers


@each_model
def test_every_layer_is_told_once_with_how_often_it_works(model: Model) -> None:
    found = layers(model.build(), model.x)
    once = [name for name in model.layers if "@" not in name]
    assert [name for name, layer in found.items() if layer.calls] == once
    assert sum(layer.calls for layer in found.values()) == len(model.layers)


def test_a_layer_that_never_works_comes_last_and_keeps_its_weights() -> None:
    module = Functional()
    found = layers(module, MODELS["functional"].x)
    assert list(found)[-1] == "dense_3"
    assert (found["dense_3"].calls, found["dense_3"].path) == (0, "never")
    assert found["activation_1"].module is None
    assert "dense_3.kernel" in weights(module, MODELS["functional"].x)


@each_model
def test_weights_make_another_module_answer_alike(model: Model) -> None:
    one, other = model.build().eval(), model.build().eval()
    table = weights(one, model.x)
    kept = {name: tensor for name, tensor in table.items() if tensor.size > 1}
    assert not all(np.array_equal(w, weights(other, model.x)[n]) for n, w in kept.items())
    set_weights(other, model.x, table)
    assert same(weights(other, model.x), table)
    for name, values in answers(one, model.x).items():
        np.testing.assert_allclose(answers(other, model.x)[name], values, rtol=1e-5, atol=1e-6)


def test_a_weight_that_two_layers_share_is_told_once() -> None:
    model = MODELS["shared"]
    names = list(weights(model.build(), model.x))
    assert names == ["embedding_1.kernel", "dense_1.kernel", "dense_1.bias", "dense_2.bias"]


def test_what_is_missing_or_of_another_shape_is_named() -> None:
    model = MODELS["sequential"]
    module = model.build()
    table = weights(module, model.x)
    with pytest.raises(ValueError, match=r"dense_2.bias is not given"):
        set_weights(module, model.x, {n: w for n, w in table.items() if n != "dense_2.bias"})
    table["dense_1.kernel"] = table["dense_1.kernel"].T
    with pytest.raises(ValueError, match=r"dense_1.kernel has shape \(5, 8\); expected \(8, 5\)"):
        set_weights(module, model.x, table)


def test_kernels_are_in_times_out_and_channels_last() -> None:
    model = MODELS["convolutional"]
    module = model.build().eval()
    table, given = weights(module, model.x), answers(module, model.x)
    image = np.pad(model.x.transpose(0, 2, 3, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(1, 2))
    by_hand = np.einsum("nhwcyx,yxco->nhwo", patches, table["conv_1.kernel"])
    np.testing.assert_allclose(given["conv_1"], by_hand + table["conv_1.bias"], atol=1e-5)
    patches = np.lib.stride_tricks.sliding_window_view(given["max_pool_1"], (3, 3), axis=(1, 2))
    by_hand = np.einsum("nhwcyx,yxcm->nhwcm", patches, table["depthwise_conv_1.kernel"])
    np.testing.assert_allclose(
        given["depthwise_conv_1"], by_hand.reshape(*by_hand.shape[:3], -1), atol=1e-5
    )
    by_hand = given["flatten_1"] @ table["dense_1.kernel"] + table["dense_1.bias"]
    np.testing.assert_allclose(given["dense_1"], by_hand, atol=1e-5)


def sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


def lstm(x: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
    """As Keras has it: input, forget, new, output."""
    state = cell = np.zeros((len(x), len(recurrent)))
    for step in x.transpose(1, 0, 2):
        gates = np.split(step @ kernel + state @ recurrent + bias, 4, axis=1)
        cell = sigmoid(gates[1]) * cell + sigmoid(gates[0]) * np.tanh(gates[2])
        state = sigmoid(gates[3]) * np.tanh(cell)
    return state


def gru(x: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
    """As Keras has it, reset after: update, reset, new."""
    state = np.zeros((len(x), len(recurrent)))
    for step in x.transpose(1, 0, 2):
        given = np.split(step @ kernel + bias[0], 3, axis=1)
        kept = np.split(state @ recurrent + bias[1], 3, axis=1)
        update, reset = sigmoid(given[0] + kept[0]), sigmoid(given[1] + kept[1])
        state = update * state + (1 - update) * np.tanh(given[2] + reset * kept[2])
    return state


def rnn(x: Array, kernel: Array, recurrent: Array, bias: Array) -> Array:
    state = np.zeros((len(x), len(recurrent)))
    for step in x.transpose(1, 0, 2):
        state = np.tanh(step @ kernel + state @ recurrent + bias)
    return state


@pytest.mark.parametrize(
    ("cell", "by_hand"), [(nn.LSTM, lstm), (nn.GRU, gru), (nn.RNN, rnn)], ids=["lstm", "gru", "rnn"]
)
def test_gates_are_in_the_order_of_keras(cell: Any, by_hand: Callable[..., Array]) -> None:
    module = Recurrent(cell).double()
    x = MODELS["recurrent"].x
    table, given = weights(module, x), answers(module, x)
    np.testing.assert_array_equal(table["embedding_1.kernel"][x], given["embedding_1"])
    name = f"{cell.__name__.lower()}_1"
    parts = (table[f"{name}.{part}"] for part in ("kernel", "recurrent_kernel", "bias"))
    np.testing.assert_allclose(
        given[name][:, -1], by_hand(given["embedding_1"], *parts), atol=1e-12
    )


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_deep_and_bidirectional_cells_come_back_too() -> None:
    x = np.random.default_rng(0).random((2, 5, 3))
    modules = [nn.LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2) for _ in range(2)]
    table = weights(modules[0], x)
    assert table["lstm_1.recurrent_kernel_l1_reverse"].shape == (2, 16)
    set_weights(modules[1], x, table)
    first, second = (answers(module, x)["lstm_1"] for module in modules)
    np.testing.assert_allclose(first, second, atol=1e-6)


@each_model
@pytest.mark.parametrize("training", [False, True])
def test_a_look_leaves_no_trace(model: Model, training: bool) -> None:
    module = model.build()
    next(iter(module.modules())).training = False  # a mode that is nobody's default
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = everything(module)
    answers(module, model.x, training)
    weights(module, model.x)
    dead_units(module, model.x)
    assert same(everything(module), before)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


class Noisy(nn.Module):
    """Draws from all generators, and counts."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 3)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Any:
        self.count += 1
        noise = torch.rand(()) + random.random() + np.random.rand()  # noqa: NPY002, S311
        return self.layer(x + noise)


def test_neither_does_one_at_a_module_that_draws_and_counts() -> None:
    module = Noisy()
    before = everything(module)
    first = answers(module, MODELS["sequential"].x, training=True)
    assert same(answers(module, MODELS["sequential"].x, training=True), first)
    assert same(everything(module), before)


def test_not_even_one_that_fails() -> None:
    module = MODELS["sequential"].build()
    before = everything(module)

    def fail() -> None:
        with unchanged(module):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert same(everything(module), before)


def test_training_and_inference_differ_as_they_should() -> None:
    model = MODELS["sequential"]
    module = model.build().eval()
    learning, answering = (answers(module, model.x, training) for training in (True, False))
    assert abs(learning["batch_norm_1"].mean(axis=0)).max() < 1e-6
    assert abs(answering["batch_norm_1"].mean(axis=0)).max() > 1e-3
    assert (learning["dropout_1"] != learning["activation_1"]).any()
    np.testing.assert_array_equal(answering["dropout_1"], answering["activation_1"])


def test_what_a_program_keeps_in_inference_stays_there_in_training() -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(8)

        def train(self, mode: bool = True) -> "Frozen":
            super().train(mode)
            self.norm.eval()
            return self

        def forward(self, x: Tensor) -> Any:
            return self.norm(x)

    given = answers(Frozen(), MODELS["sequential"].x, training=True)["batch_norm_1"]
    np.testing.assert_allclose(given, MODELS["sequential"].x, rtol=1e-4)


def test_a_layer_that_works_in_place_does_not_spoil_the_one_before() -> None:
    model = MODELS["convolutional"]
    given = answers(model.build(), model.x)
    assert given["batch_norm_1"].min() < 0
    np.testing.assert_array_equal(np.maximum(given["batch_norm_1"], 0), given["activation_1"])


def test_channels_come_last_behind_a_sum_and_in_sequences() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.planes, self.line = nn.Conv2d(2, 2, 3, padding=1), nn.Conv1d(2, 5, 3)

        def forward(self, x: Tensor) -> Any:
            return torch.tanh(self.line(torch.relu(x + self.planes(x)).flatten(2)))

    given = answers(Residual(), np.ones((3, 2, 4, 5)))
    assert {name: values.shape for name, values in given.items()} == {
        "conv_1": (3, 4, 5, 2), "activation_1": (3, 4, 5, 2), "flatten_1": (3, 2, 20),
        "conv_2": (3, 18, 5), "activation_2": (3, 18, 5),
    }  # fmt: skip


def test_dead_units_are_seen_in_modules_and_in_functions() -> None:
    module = Functional()
    with torch.no_grad():
        module.body.bias[:2] = -100
    assert dead_units(module, MODELS["functional"].x)["activation_1"] == pytest.approx(0.4, abs=0.2)
    conv: Any = Conv()
    with torch.no_grad():
        conv.features[1].bias[1:] = -100
    assert dead_units(conv, MODELS["convolutional"].x) == {"activation_1": 0.75}


def test_classes_derived_from_layers_are_what_they_are_derived_from() -> None:
    class Rectify(nn.ReLU):
        pass

    class Shrink(nn.MaxPool1d):
        pass

    class Swish(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return x * torch.sigmoid(x)

    x = np.ones((2, 3, 8))
    module = nn.Sequential(nn.Linear(8, 6), Rectify(), Shrink(2), Swish(), nn.Identity())
    assert list(answers(module, x)) == [
        "dense_1", "activation_1", "max_pool_1", "activation_2",
    ]  # fmt: skip
    assert list(dead_units(module, x)) == ["activation_1"]


LABELS = np.array([0, 1, 2, 2, 1, 0])


def loss_of_first(given: Any, labels: Tensor) -> Tensor:
    return F.cross_entropy(given[0] if isinstance(given, tuple) else given, labels)


@each_model
def test_gradients_are_told_for_all_that_learns_and_leave_no_trace(model: Model) -> None:
    module = model.build()
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = everything(module)
    _, found = gradients(module, loss_of_first, model.x, LABELS)
    assert same(everything(module), before)
    learned = {name for name in weights(module, model.x) if not name.endswith(("mean", "variance"))}
    never = (
        {"dense_3.kernel", "dense_3.bias"} if "never" in dict(module.named_children()) else set()
    )
    assert found.keys() == learned - never


@pytest.mark.parametrize("name", ["convolutional", "recurrent", "shared", "transformer"])
def test_a_step_against_a_gradient_lowers_the_loss_by_its_square(name: str) -> None:
    """Also where the canonical weight is the sum of two."""
    x = MODELS[name].x
    side = LockStep(
        module := MODELS[name].build(), torch.optim.Adam(module.parameters()), loss_of_first
    )
    side.see(x)
    before, found = side.gradients(x, LABELS)
    for weight in found:
        moved = side.weights()
        side.set_weights(moved | {weight: moved[weight] - 1e-3 * found[weight]})
        after, _ = side.gradients(x, LABELS)
        side.set_weights(moved)
        assert before - after == pytest.approx(1e-3 * (found[weight] ** 2).sum(), rel=0.1, abs=1e-6)


def lock_step(module: nn.Module, loss: Any = F.cross_entropy, **settings: Any) -> LockStep:
    return LockStep(module, torch.optim.Adam(module.parameters()), loss, "float64", **settings)


def test_steps_are_those_of_a_plain_loop() -> None:
    model = MODELS["convolutional"]
    side = lock_step(model.build())
    torch.manual_seed(0)
    plain = model.build().double()
    side.see(model.x)
    set_weights(plain, model.x, side.weights())
    optimizer = torch.optim.Adam(plain.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        loss: Any = F.cross_entropy(plain(torch.tensor(model.x)), torch.tensor(LABELS))
        loss.backward()
        optimizer.step()
        assert side.step(model.x, LABELS) == loss.item()
    assert same(side.weights(), weights(plain, model.x))


def test_what_an_optimiser_has_kept_goes_along_into_float64() -> None:
    module = MODELS["sequential"].build()
    optimizer = torch.optim.Adagrad(module.parameters(), initial_accumulator_value=0.1)
    side = LockStep(module, optimizer, F.cross_entropy, "float64")
    assert np.isfinite(side.step(MODELS["sequential"].x, LABELS))
    assert all(state["sum"].dtype == torch.float64 for state in optimizer.state.values())


def test_new_tensors_of_a_module_are_in_its_arithmetic() -> None:
    class Adds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(8, 3)

        def forward(self, x: Tensor) -> Any:
            return self.cell(x, torch.zeros(len(x), 3))

    side = lock_step(Adds())
    assert side.forward(MODELS["sequential"].x, training=False)["logits"].dtype == np.float64
    assert np.isfinite(side.step(MODELS["sequential"].x, LABELS))


def test_weights_are_not_told_before_their_order_is_known() -> None:
    side = lock_step(Functional())
    with pytest.raises(ValueError, match="call see"):
        side.weights()


def test_forward_begins_with_what_the_first_layer_is_fed_and_ends_in_logits() -> None:
    class Classifier(nn.Module):
        def __init__(self, ends: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.body, self.head, self.ends = nn.Linear(16, 5), nn.Linear(5, 3), ends

        def forward(self, x: Tensor) -> Any:
            return self.ends(self.head(torch.relu(self.body(x.flatten(1) / 255))))

    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4)).astype(np.uint8)
    sides = []
    for ends, loss in ((nn.Identity(), nn.CrossEntropyLoss()), (nn.LogSoftmax(1), nn.NLLLoss())):
        torch.manual_seed(0)
        sides.append(lock_step(Classifier(ends), loss))
    plain, with_function = (side.forward(images, training=True) for side in sides)
    assert list(plain) == ["pixels", "dense_1", "activation_1", "logits"]
    np.testing.assert_allclose(plain["pixels"], images.reshape(6, 16) / 255)
    assert same(plain, with_function)
    assert sides[0].step(images, LABELS) == pytest.approx(sides[1].step(images, LABELS))


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (nn.BCEWithLogitsLoss(), LABELS % 2),
        (nn.MSELoss(), LABELS / 3),
        (nn.MSELoss(), (LABELS / 3)[:, None].astype(np.float32)),
    ],
    ids=["one unit", "regression", "a column"],
)
def test_labels_get_the_shape_of_a_single_answer(loss: nn.Module, labels: Array) -> None:
    side = lock_step(nn.Linear(8, 1), loss)
    side.see(MODELS["sequential"].x)
    before = side.step(MODELS["sequential"].x, labels)
    for _ in range(20):
        after = side.step(MODELS["sequential"].x, labels)
    assert after < before
    assert side.gradients(MODELS["sequential"].x, labels)[0] < before


def entry(flags: list[str], precision: str) -> tuple[nn.Module, Any, Any]:
    """What a program of one's own may give the ladder."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(784, 4), nn.ReLU(), nn.Linear(4, 10))
    return module, torch.optim.SGD(module.parameters(), lr=0.1), nn.CrossEntropyLoss()


def test_an_entry_point_may_give_module_optimizer_and_loss(tiny_npz: Any) -> None:
    server = Server()
    server.open("tests.parity.guards.test_torch:entry", [], "float64")
    assert isinstance(server.side, LockStep)
    server.read(str(tiny_npz))
    before = server.weights()
    assert before["dense_1.kernel"].dtype == np.float64
    ids = np.arange(20)
    assert server.gradients({"ids": ids})["dense_2.bias"].shape == (10,)
    assert same(server.weights(), before)
    assert server.steps({"ids": ids}, 10)["losses"].shape == (2,)
    assert not same(server.weights(), before)
    assert server.evaluate(32)["logits"].shape == (80, 10)


@pytest.mark.parametrize("built", [nn.Linear(1, 1), (nn.Linear(1, 1), None), 7], ids=repr)
def test_anything_else_is_refused_in_a_sentence(built: Any) -> None:
    with pytest.raises(TypeError, match=r"expected .*\(module, optimizer, loss\)"):
        adapted(built, "float64")


def test_a_lock_step_of_ones_own_stays_as_it_is() -> None:
    side = lock_step(nn.Linear(8, 3))
    assert adapted(side, "float32") is side


def test_settings_of_any_module_are_measured_and_nothing_changes() -> None:
    model = MODELS["convolutional"]
    side = lock_step(model.build())
    side.see(model.x)
    before = everything(side.module)
    settings = side.settings()
    assert same(everything(side.module), before)
    assert settings["network.tracked"] == 8
    assert settings["network.layers"][-1] == "dense_1 8 -> 3"
    assert settings["init.conv_1.kernel"]["shape"] == [3, 3, 2, 4]
    assert settings["batch_norm_1.epsilon"] == pytest.approx(1e-5)
    assert settings["batch_norm_1.momentum"] == pytest.approx(0.9)
    assert settings["activation_1"]["values"][:17] == [0.0] * 17
    assert settings["optimizer.family"] == "adam"
    assert "optimizer.weight_decay_kind" in settings


def test_what_cannot_be_measured_alone_is_left_out() -> None:
    module = nn.Sequential(
        nn.Linear(8, 3), nn.Softmax(1), nn.AlphaDropout(), nn.BatchNorm1d(3, affine=False)
    )
    side = LockStep(module, torch.optim.LBFGS(module.parameters()), F.cross_entropy)
    side.see(MODELS["sequential"].x)
    settings = side.settings()
    assert settings["optimizer.family"] == "lbfgs"
    assert "optimizer.weight_decay_kind" not in settings
    assert not {"activation_1", "dropout_1", "batch_norm_1.epsilon"} & settings.keys()


def test_gradients_of_what_the_optimiser_does_not_hold_stay_as_they_are_too() -> None:
    module = Functional()
    side = LockStep(module, torch.optim.SGD(module.head.parameters()), F.cross_entropy)
    side.see(MODELS["functional"].x)
    module.body.weight.grad = torch.ones_like(module.body.weight)
    side.gradients(MODELS["functional"].x, LABELS)
    assert (module.body.weight.grad == 1).all()


def test_the_second_bias_of_an_lstm_may_be_frozen() -> None:
    cell = nn.LSTM(3, 2).double()
    cell.bias_hh_l0.requires_grad_(False)
    x, y = np.ones((2, 4, 3)), np.ones((2, 4, 2))
    _, table = gradients(cell, lambda given, labels: F.mse_loss(given[0], labels), x, y)
    assert cell.bias_ih_l0.grad is None
    assert np.abs(table["lstm_1.bias"]).min() > 0
