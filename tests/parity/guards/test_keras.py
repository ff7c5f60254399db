"""The adapter of Keras: any model, seen layer by layer, changed only where that is asked for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras
from keras import layers as kl

import parity.keras as adapter
from tests.conftest import mostly_slow

RNG = np.random.default_rng(0)
Example = tuple[Any, Any, Any]


def sequential() -> Example:
    model = keras.Sequential(
        [
            keras.Input((4, 4)),
            kl.Rescaling(1 / 255),
            kl.Flatten(),
            kl.Dense(6, activation="relu"),
            kl.Dropout(0.5),
            kl.Dense(5),
            kl.Activation("tanh"),
            kl.Dense(3, activation="softmax"),
        ]
    )
    return model, RNG.integers(0, 256, (8, 4, 4)).astype(np.uint8), RNG.integers(0, 3, 8)


def convolutional() -> Example:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            kl.Conv2D(3, 3, padding="same", use_bias=False),
            kl.BatchNormalization(),
            kl.ReLU(),
            kl.MaxPooling2D(),
            kl.SeparableConv2D(4, 3, activation="silu"),
            kl.GlobalAveragePooling2D(),
            kl.Dense(3),
        ]
    )
    return model, RNG.random((8, 8, 8, 2), np.float32), RNG.integers(0, 3, 8)


def recurrent() -> Example:
    model = keras.Sequential(
        [keras.Input((5,)), kl.Embedding(9, 4), kl.LSTM(3), kl.Dense(3), kl.PReLU()]
    )
    return model, RNG.integers(0, 9, (8, 5)), RNG.integers(0, 3, 8)


def functional() -> Example:
    """A shared layer, a nested model, two branches, and an operation that is no layer."""
    given = keras.Input((4,))
    shared = kl.Dense(4, name="shared")
    nested = keras.Sequential([kl.Dense(4, activation="gelu"), kl.LayerNormalization()])
    left = shared(given)
    joined = kl.Add()([left, nested(shared(left))])
    model = keras.Model(given, kl.Dense(3)(keras.ops.relu(joined)))
    return model, RNG.random((8, 4), np.float32), RNG.integers(0, 3, 8)


class Block(kl.Layer):
    """A layer of one's own with layers and a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = kl.Dense(4)
        self.shift = self.add_weight(shape=(4,), initializer="ones", name="shift")

    def call(self, x: Any) -> Any:
        return self.dense(x) + self.shift


class Subclassed(keras.Model):
    """Layers declared in another order than that in which they work, and one that never works."""

    def __init__(self) -> None:
        super().__init__()
        self.last = kl.Dense(3)
        self.blocks = [Block(), Block()]
        self.drop = kl.Dropout(0.5)

    def call(self, x: Any, training: bool = False) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.last(self.drop(x, training=training))


def subclassed() -> Example:
    return Subclassed(), RNG.random((8, 4), np.float32), RNG.integers(0, 3, 8)


LAYERS: dict[Callable[[], Example], list[str]] = {
    sequential: [
        "rescaling_1", "flatten_1", "dense_1", "activation_1", "dropout_1", "dense_2",
        "activation_2", "dense_3", "activation_3",
    ],
    convolutional: [
        "conv_1", "batch_norm_1", "activation_1", "max_pool_1", "separable_conv_1", "activation_2",
        "global_avg_pool_1", "dense_1",
    ],
    recurrent: ["embedding_1", "lstm_1", "dense_1", "activation_1"],
    functional: ["dense_1", "dense_2", "activation_1", "layer_norm_1", "add_1", "dense_3"],
    subclassed: ["dense_1", "block_1", "dense_2", "block_2", "dropout_1", "dense_3"],
}  # fmt: skip
WEIGHTS = {
    sequential: {
        "dense_1.kernel": (16, 6), "dense_1.bias": (6,), "dense_2.kernel": (6, 5),
        "dense_2.bias": (5,), "dense_3.kernel": (5, 3), "dense_3.bias": (3,),
    },
    convolutional: {
        "conv_1.kernel": (3, 3, 2, 3), "batch_norm_1.scale": (3,), "batch_norm_1.offset": (3,),
        "batch_norm_1.mean": (3,), "batch_norm_1.variance": (3,),
        "separable_conv_1.depthwise_kernel": (3, 3, 3, 1),
        "separable_conv_1.pointwise_kernel": (1, 1, 3, 4), "separable_conv_1.bias": (4,),
        "dense_1.kernel": (4, 3), "dense_1.bias": (3,),
    },
    recurrent: {
        "embedding_1.kernel": (9, 4), "lstm_1.kernel": (4, 12), "lstm_1.recurrent_kernel": (3, 12),
        "lstm_1.bias": (12,), "dense_1.kernel": (3, 3), "dense_1.bias": (3,),
        "activation_1.alpha": (3,),
    },
    functional: {
        "dense_1.kernel": (4, 4), "dense_1.bias": (4,), "dense_2.kernel": (4, 4),
        "dense_2.bias": (4,), "layer_norm_1.scale": (4,), "layer_norm_1.offset": (4,),
        "dense_3.kernel": (4, 3), "dense_3.bias": (3,),
    },
    subclassed: {
        "dense_1.kernel": (4, 4), "dense_1.bias": (4,), "block_1.shift": (4,),
        "dense_2.kernel": (4, 4), "dense_2.bias": (4,), "block_2.shift": (4,),
        "dense_3.kernel": (4, 3), "dense_3.bias": (3,),
    },
}  # fmt: skip
examples = pytest.mark.parametrize(
    "example",
    mostly_slow(LAYERS, sequential, recurrent, subclassed),
    ids=lambda example: example.__name__,
)


def compiled(model: Any) -> Any:
    last = getattr(model.layers[-1], "activation", None)
    from_logits = last is not keras.activations.softmax
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss=loss)
    return model


def state(model: Any) -> list[np.ndarray]:
    return [np.array(variable) for variable in [*model.variables, *model.metrics_variables]]


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(map(np.array_equal, a, b))


@examples
def test_layers_have_a_kind_and_a_number_in_the_order_of_their_work(
    example: Callable[[], Example],
) -> None:
    model, x, _ = example()
    assert list(adapter.layers(model, x)) == LAYERS[example]
    assert list(adapter.layers(model)) == LAYERS[example]  # without a batch, once it is built


@examples
def test_weights_have_canonical_names_and_go_into_a_model_of_the_same_kind(
    example: Callable[[], Example],
) -> None:
    model, x, _ = example()
    twin, _, _ = example()
    weights = adapter.weights(model, x)
    assert {name: array.shape for name, array in weights.items()} == WEIGHTS[example]
    assert sum(array.size for array in weights.values()) == model.count_params()
    drawn = {name: RNG.random(array.shape, np.float32) for name, array in weights.items()}
    adapter.set_weights(model, drawn, x)
    adapter.set_weights(twin, drawn, x)
    for name, array in adapter.weights(twin).items():
        np.testing.assert_array_equal(array, drawn[name])
    np.testing.assert_array_equal(np.array(twin(x)), np.array(model(x)))
    assert not any(np.array_equal(drawn[name], weights[name]) for name in drawn)  # they are copies


def test_weights_that_do_not_fit_are_refused_and_nothing_is_changed() -> None:
    model, _, _ = convolutional()
    weights = adapter.weights(model)
    before = state(model)
    for wrong, said in (
        ({**weights, "dense_1.kernel": np.zeros((3, 4))}, r"dense_1.kernel has shape \(3, 4\)"),
        ({**weights, "conv_1.bias": np.zeros(3)}, "unknown weights: conv_1.bias"),
        ({name: weights[name] for name in list(weights)[1:]}, "missing .*: conv_1.kernel"),
    ):
        with pytest.raises(ValueError, match=said):
            adapter.set_weights(model, {n: w + 1 for n, w in wrong.items()})
    assert same(state(model), before)


@examples
@pytest.mark.parametrize("training", [False, True])
def test_answers_of_all_layers_change_no_state(
    example: Callable[[], Example], training: bool
) -> None:
    model, x, _ = example()
    adapter.layers(model, x)
    before = state(model)
    answers = adapter.answers(model, x, training)
    assert same(state(model), before)
    assert [name for name in answers if "@" not in name] == LAYERS[example]
    assert list(answers.values())[-1].shape == (8, 3)
    if not training:
        np.testing.assert_array_equal(list(answers.values())[-1], np.array(model(x)))


def test_a_shared_layer_answers_each_time_and_a_fused_activation_by_itself() -> None:
    model, x, _ = functional()
    answers = adapter.answers(model, x)
    weights = adapter.weights(model)
    dense = x @ weights["dense_1.kernel"] + weights["dense_1.bias"]
    np.testing.assert_allclose(answers["dense_1"], dense, rtol=1e-5, atol=1e-6)
    again = dense @ weights["dense_1.kernel"] + weights["dense_1.bias"]
    np.testing.assert_allclose(answers["dense_1@2"], again, rtol=1e-5, atol=1e-6)
    gelu = keras.activations.gelu(answers["dense_2"])
    np.testing.assert_allclose(answers["activation_1"], gelu, rtol=1e-6)


@examples
def test_gradients_are_those_of_a_step_and_change_no_state(
    example: Callable[[], Example],
) -> None:
    model, x, y = example()
    compiled(model)
    adapter.layers(model, x)
    for layer in model.layers:
        if isinstance(layer, kl.Dropout):
            layer.rate = 0.0  # a step draws another mask
    before, weights = state(model), adapter.weights(model)
    loss, gradients = adapter.gradients(model, x, y)
    assert same(state(model), before)
    assert adapter.gradients(model, x, y)[0] == loss
    assert set(gradients) == {n for n in weights if not n.endswith((".mean", ".variance"))}
    assert adapter.step(model, x, y) == pytest.approx(loss, rel=1e-5)
    after = adapter.weights(model)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(
            after[name], weights[name] - 0.1 * gradient, rtol=1e-4, atol=1e-6, err_msg=name
        )
    assert any(np.any(gradient) for gradient in gradients.values())


def test_a_weight_without_a_part_in_the_loss_has_a_gradient_of_zero() -> None:
    model, x, y = recurrent()
    x = np.full_like(x, 3)
    gradient = adapter.gradients(compiled(model), x, y)[1]["embedding_1.kernel"]
    assert np.any(gradient[3])
    assert not np.any(np.delete(gradient, 3, axis=0))


def test_dead_units_are_counted_by_channel_fused_or_not() -> None:
    model, x, _ = convolutional()
    model.layers[1].beta.assign([-100.0, 0.0, 100.0])
    assert adapter.dead_units(model, x) == {"activation_1": pytest.approx(1 / 3)}
    model, x, _ = sequential()
    model.layers[2].bias.assign([-100.0] * 3 + [1.0] * 3)
    assert adapter.dead_units(model, x) == {"activation_1": pytest.approx(0.5)}


def test_texts_are_taken() -> None:
    split = kl.TextVectorization(vocabulary=["a", "b"], output_sequence_length=3)
    model = keras.Sequential(
        [keras.Input((), dtype="string"), split, kl.Embedding(5, 4), kl.Bidirectional(kl.GRU(3))]
    )
    assert list(adapter.layers(model)) == ["text_vectorization_1", "embedding_1", "bidirectional_1"]
    assert adapter.answers(model, np.array(["a b", "b"]))["bidirectional_1"].shape == (2, 6)
    weights = adapter.weights(model)
    assert "bidirectional_1.forward_gru.gru_cell.recurrent_kernel" in weights
    assert len(weights) == len(model.weights)


def test_a_model_that_has_never_been_called_is_asked_for_with_a_batch() -> None:
    model, x, _ = subclassed()
    with pytest.raises(ValueError, match="call it once on a batch"):
        adapter.weights(model)
    assert list(adapter.weights(model, x)) == list(WEIGHTS[subclassed])


def test_bfloat16_and_several_inputs_and_outputs_are_arrays() -> None:
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    states = kl.LSTM(4, return_state=True)(kl.Reshape((2, 3))(kl.Concatenate()([a, b])))
    model = keras.Model({"a": a, "b": b}, [kl.Dense(2, dtype="bfloat16")(states[0]), states[1]])
    answers = adapter.answers(model, {"a": np.ones((5, 3)), "b": np.ones((5, 3))})
    assert answers["lstm_1"].shape == (5, 4)
    assert answers["dense_1"].dtype == np.float32
    assert list(adapter.layers(model)) == ["concatenate_1", "reshape_1", "lstm_1", "dense_1"]


@examples
def test_any_compiled_model_is_a_side_of_the_ladder(example: Callable[[], Example]) -> None:
    model, x, y = example()
    model(x)
    side = adapter.LockStep(compiled(model))
    first = side.weights()
    table = side.forward(x, training=False)
    assert next(iter(table)) == "pixels"
    assert list(table)[-1] == "logits"
    assert not any(name.startswith("flatten") for name in table)
    loss, gradients = side.gradients(x, y)
    assert side.step(x, y) > 0
    assert not np.array_equal(side.forward(x, training=False)["logits"], table["logits"])
    side.set_weights(first)
    np.testing.assert_array_equal(side.forward(x, training=False)["logits"], table["logits"])
    assert gradients
    assert np.isfinite(loss)


def test_logits_are_what_the_loss_takes_as_such() -> None:
    model, x, _ = sequential()
    raw = adapter.answers(model, x)
    losses = keras.losses.SparseCategoricalCrossentropy
    for loss, expected in (
        ("sparse_categorical_crossentropy", "dense_3"),
        (losses(), "dense_3"),
        (losses(from_logits=True), "dense_3"),  # Keras warns, and undoes the softmax
        ("mean_squared_error", "activation_3"),
    ):
        model.compile(loss=loss)
        table = adapter.LockStep(model).forward(x, training=False)
        np.testing.assert_array_equal(table["logits"], raw[expected])
        assert ("dense_3" in table) == (expected != "dense_3")
        np.testing.assert_allclose(table["pixels"], x.reshape(8, 16) / 255, rtol=1e-6)


def test_fused_and_separate_layers_are_the_same_training() -> None:
    """As functions they are: softmax and its loss, or logits and theirs; ReLU within or behind."""
    given = keras.Input((4, 4))
    hidden = kl.Dense(6, activation="relu")(kl.Flatten()(kl.Rescaling(1 / 255)(given)))
    fused = keras.Model(given, kl.Dense(3, activation="softmax")(hidden))
    fused.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    layers = [keras.Input((4, 4)), kl.Rescaling(1 / 255), kl.Flatten(), kl.Dense(6), kl.ReLU()]
    separate = keras.Sequential([*layers, kl.Dense(3)])
    from_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    separate.compile(keras.optimizers.SGD(0.1), from_logits)
    a, b = adapter.LockStep(fused), adapter.LockStep(separate)
    b.set_weights(a.weights())
    _, x, y = sequential()
    for one, other in (
        (a.forward(x, training=False), b.forward(x, training=False)),
        (a.gradients(x, y)[1], b.gradients(x, y)[1]),
        ({"loss": np.array(a.step(x, y))}, {"loss": np.array(b.step(x, y))}),
        (a.weights(), b.weights()),
    ):
        assert list(one) == list(other)
        for name, values in one.items():
            np.testing.assert_allclose(values, other[name], rtol=1e-5, atol=1e-6)


def test_settings_of_any_compiled_model_are_measured_and_change_nothing() -> None:
    model, _, _ = convolutional()
    side = adapter.LockStep(compiled(model))
    before = state(model)
    settings = side.settings()
    assert same(state(model), before)
    assert settings["network.layers"] == [*LAYERS[convolutional][:-1], "dense_1 4 -> 3"]
    assert settings["network.trainable"] + settings["network.tracked"] == model.count_params()
    assert settings["batch_norm_1.epsilon"] == pytest.approx(1e-3)
    assert settings["batch_norm_1.momentum"] == pytest.approx(0.99)
    assert settings["activation_1"]["values"][0] == 0
    assert settings["activation_2"]["values"][0] == pytest.approx(-4 / (1 + np.exp(4)))
    assert settings["init.separable_conv_1.bias"]["max"] == 0
    assert settings["optimizer.family"] == "sgd"
    assert settings["optimizer.momentum"] == 0.9


def test_labels_are_one_hot_where_the_loss_takes_them_so() -> None:
    model, x, y = sequential()
    found = {}
    for loss in ("sparse_categorical_crossentropy", "categorical_crossentropy"):
        model.compile(loss=loss)
        found[loss] = adapter.LockStep(model).gradients(x, y)[0]
    assert found["categorical_crossentropy"] == pytest.approx(
        found["sparse_categorical_crossentropy"], rel=1e-5
    )


def test_a_subclass_is_a_side_once_it_has_seen_a_batch() -> None:
    model, x, _ = subclassed()
    side = adapter.LockStep(compiled(model))
    with pytest.raises(ValueError, match="call it once on a batch"):
        side.weights()
    side.see(x)
    assert list(side.weights()) == list(WEIGHTS[subclassed])


def test_a_model_that_is_not_compiled_is_no_side() -> None:
    with pytest.raises(ValueError, match="not compiled"):
        adapter.LockStep(sequential()[0])
