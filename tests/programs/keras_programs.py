"""Programs in Keras: a compiled model and its data, as people put them together."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from tests.programs import data

SPARSE, ROWS, BINARY = (
    "sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy",
)  # fmt: skip


class Program(NamedTuple):
    """A program in Keras; without `y`, `x` is a data set."""

    model: keras.Model
    x: Any
    y: Any = None


Build = Callable[[], Program]


class Faulty(NamedTuple):
    """What is wrong, as the finding that comes first says it, and the program."""

    cause: str
    build: Build


def compiled(model: Any, loss: Any, optimizer: Any = None) -> Any:
    chosen = keras.optimizers.Adam(0.003) if optimizer is None else optimizer
    judges = ["mae" if loss in ("mse", "mae") else "accuracy"]
    model.compile(optimizer=chosen, loss=loss, metrics=judges)
    return model


def net(shape: Any, *layers: Any, loss: Any, optimizer: Any = None) -> Any:
    keras.utils.set_random_seed(0)
    return compiled(keras.Sequential([keras.Input(shape), *layers]), loss, optimizer)


def digits_net(last: Any = "softmax", loss: Any = SPARSE, units: int = 10, **given: Any) -> Any:
    layers = kl.Flatten(), kl.Dense(32, activation="relu"), kl.Dense(units, activation=last)
    return net((28, 28), *layers, loss=loss, **given)


def table_net(inputs: int, units: int, last: Any, loss: Any, **given: Any) -> Any:
    layers = kl.Dense(16, activation="relu"), kl.Dense(units, activation=last)
    return net((inputs,), *layers, loss=loss, **given)


def digits(scale: float = 1 / 255) -> tuple[Any, Any]:
    x, y = data.digits()
    return (x * scale).astype(np.float32), y


def table(make: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    x, y = make()
    return (x - x.mean(0)) / x.std(0), y


def rows(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    return pair[0], keras.utils.to_categorical(pair[1])


def functional() -> Any:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8,))
    hidden = kl.Dense(16, activation="relu")(inputs)
    joined = kl.Add()([kl.Dense(16)(hidden), kl.Dense(16)(inputs)])
    outputs = kl.Dense(5, activation="sigmoid")(kl.ReLU()(joined))
    return compiled(keras.Model(inputs, outputs), BINARY)


class Subclass(keras.Model):
    """Layers called by hand, a softmax that is an operation."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = kl.Dense(16, activation="relu"), kl.Dense(3)

    def call(self, x: Any) -> Any:
        return keras.ops.softmax(self.second(self.first(x)))


def subclass() -> Any:
    keras.utils.set_random_seed(0)
    return compiled(Subclass(), SPARSE)


def cnn(*, scaled: bool = False) -> Any:
    layers = [
        kl.Reshape((28, 28, 1)), kl.Conv2D(6, 3, activation="relu"), kl.MaxPooling2D(),
        kl.Conv2D(12, 3, use_bias=False), kl.BatchNormalization(), kl.ReLU(), kl.MaxPooling2D(),
        kl.Flatten(), kl.Dropout(0.2), kl.Dense(10, activation="softmax"),
    ]  # fmt: skip
    return net((28, 28), *([kl.Rescaling(1 / 255)] if scaled else []), *layers, loss=SPARSE)


def pipeline(pair: tuple[Any, Any], *, shuffled: bool = True) -> Any:
    dataset = tf.data.Dataset.from_tensor_slices(pair)
    return (dataset.shuffle(len(pair[1]), seed=0) if shuffled else dataset).batch(32)


def by_class(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    order = np.argsort(pair[1], kind="stable")
    return pair[0][order], pair[1][order]


HEALTHY: dict[str, Build] = {
    "digits, dense": lambda: Program(digits_net(), *digits()),
    "digits, logits": lambda: Program(
        digits_net(None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)), *digits()
    ),
    "digits, one-hot": lambda: Program(digits_net(loss=ROWS), *rows(digits())),
    "digits, rescaling, cnn": lambda: Program(cnn(scaled=True), *digits(1)),
    "digits, rescaling on bytes": lambda: Program(cnn(scaled=True), *data.digits()),
    "digits, cnn": lambda: Program(cnn(), *digits()),
    "digits, tf.data": lambda: Program(digits_net(), pipeline(digits())),
    "digits, autoencoder": lambda: Program(
        net(
            (784,), kl.Dense(32, activation="relu"), kl.Dense(784, activation="sigmoid"),
            loss=BINARY,
        ),
        *(digits()[0].reshape(-1, 784),) * 2,
    ),
    "digits, standardised": lambda: Program(
        digits_net(), (digits()[0] - 0.13) / 0.31, digits()[1]
    ),
    "flowers as they are, sorted": lambda: Program(
        table_net(4, 3, "softmax", SPARSE), *data.flowers()
    ),
    "flowers, normalization": lambda: Program(normalised(), *data.customers()),
    "flowers, subclass": lambda: Program(subclass(), *data.flowers()),
    "customers": lambda: Program(table_net(3, 1, "sigmoid", BINARY), *table(data.customers)),
    "customers, logit": lambda: Program(
        table_net(3, 1, None, keras.losses.BinaryCrossentropy(from_logits=True)),
        *table(data.customers),
    ),
    "customers, two columns": lambda: Program(
        table_net(3, 2, "softmax", ROWS), *rows(table(data.customers))
    ),
    "houses": lambda: Program(
        table_net(5, 1, None, "mse"), table(data.houses)[0], table(data.houses)[1] / 100 - 2
    ),
    "sine": lambda: Program(table_net(1, 1, "linear", "mae"), *data.sines()),
    "sine, tanh at the end": lambda: Program(table_net(1, 1, "tanh", "mse"), *data.sines()),
    "waves, lstm": lambda: Program(
        net((20, 1), kl.LSTM(8), kl.Dense(1), loss="mse"), *data.waves()
    ),
    "waves, conv": lambda: Program(
        net(
            (20, 1), kl.Conv1D(8, 3, activation="relu"), kl.GlobalAveragePooling1D(), kl.Dense(1),
            loss="mse",
        ),
        *data.waves(),
    ),
    "xor": lambda: Program(
        net(
            (2,), kl.Dense(8, activation="tanh"), kl.Dense(1, activation="sigmoid"), loss=BINARY,
            optimizer=keras.optimizers.Adam(0.05),
        ),
        *data.xor(),
    ),
    "moons, hinge": lambda: Program(
        table_net(2, 1, "tanh", "hinge"), data.moons()[0], data.moons()[1] * 2 - 1
    ),
    "words": lambda: Program(
        net(
            (12,), kl.Embedding(50, 8), kl.GlobalAveragePooling1D(),
            kl.Dense(1, activation="sigmoid"), loss=BINARY,
        ),
        *data.words(),
    ),
    "words, lstm": lambda: Program(
        net((12,), kl.Embedding(50, 8), kl.LSTM(8), kl.Dense(2, activation="softmax"), loss=SPARSE),
        *data.words(),
    ),
    "a class for each word": lambda: Program(
        net((12,), kl.Embedding(50, 8), kl.Dense(4, activation="softmax"), loss=SPARSE),
        data.words()[0],
        data.words()[0] % 4,
    ),
    "tags": lambda: Program(table_net(8, 5, "sigmoid", BINARY), *data.tags()),
    "tags, functional with a shortcut": lambda: Program(functional(), *data.tags()),
    "rare, but fine": lambda: Program(table_net(4, 1, "sigmoid", BINARY), *data.rare()),
    "warm-up": lambda: Program(
        digits_net(
            optimizer=keras.optimizers.SGD(
                keras.optimizers.schedules.CosineDecay(0.0, 1000, warmup_target=0.1, warmup_steps=9)
            )
        ),
        *digits(),
    ),
}  # fmt: skip


def normalised() -> Any:
    x, _ = data.customers()
    layer = kl.Normalization()
    layer.adapt(x)
    return net((3,), layer, kl.Dense(16, activation="relu"), kl.Dense(1, activation="sigmoid"),
               loss=BINARY)  # fmt: skip


def frozen() -> Any:
    model = digits_net()
    model.trainable = False
    return compiled(model, SPARSE)


def with_nan() -> tuple[Any, Any]:
    x, y = table(data.customers)
    x[11, 1] = np.nan
    return x, y


FAULTY: dict[str, Faulty] = {
    "softmax over one unit": Faulty(
        "softmax over a single unit",
        lambda: Program(table_net(3, 1, "softmax", BINARY), *table(data.customers)),
    ),
    "softmax and from_logits": Faulty(
        "softmax is applied twice",
        lambda: Program(
            digits_net("softmax", keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
            *digits(),
        ),
    ),
    "sigmoid and from_logits": Faulty(
        "sigmoid is applied twice",
        lambda: Program(
            table_net(2, 1, "sigmoid", keras.losses.BinaryCrossentropy(from_logits=True)),
            *data.moons(),
        ),
    ),
    "no softmax": Faulty(
        "sparse_categorical_crossentropy is given logits",
        lambda: Program(digits_net(None), *digits()),
    ),
    "no sigmoid": Faulty(
        "binary_crossentropy is given logits",
        lambda: Program(table_net(2, 1, None, BINARY), *data.moons()),
    ),
    "sigmoid for ten classes": Faulty(
        "sigmoids, though the classes exclude each other",
        lambda: Program(digits_net("sigmoid"), *digits()),
    ),
    "ReLU at the end": Faulty(
        "relu is applied to the outputs", lambda: Program(digits_net("relu"), *digits())
    ),
    "tanh at the end": Faulty(
        "tanh is applied to the outputs",
        lambda: Program(table_net(2, 1, "tanh", BINARY), *data.moons()),
    ),
    "ReLU before a sine": Faulty(
        "the last activation, relu, cannot give the targets",
        lambda: Program(table_net(1, 1, "relu", "mse"), *data.sines()),
    ),
    "sigmoid before prices": Faulty(
        "the last activation, sigmoid, cannot give the targets",
        lambda: Program(table_net(5, 1, "sigmoid", "mse"), *table(data.houses)),
    ),
    "categorical for integers": Faulty(
        "is given class numbers, and takes one-hot rows",
        lambda: Program(digits_net(loss=ROWS), *digits()),
    ),
    "two outputs for yes or no": Faulty(
        "is given 2 outputs for each yes or no",
        lambda: Program(table_net(2, 2, "softmax", BINARY), *data.moons()),
    ),
    "sparse for one-hot": Faulty(
        "is given one-hot rows, and takes class numbers",
        lambda: Program(digits_net(), *rows(digits())),
    ),
    "binary for ten classes": Faulty(
        "asks yes or no for each class",
        lambda: Program(digits_net(loss=BINARY), *rows(digits())),
    ),
    "squared error for ten classes": Faulty(
        "measures distances", lambda: Program(digits_net(loss="mse"), *rows(digits()))
    ),
    "squared error of digits": Faulty(
        "measures distances", lambda: Program(digits_net(None, "mse", 1), *digits())
    ),
    "one sigmoid for three classes": Faulty(
        "fewer outputs than there are classes",
        lambda: Program(table_net(4, 1, "sigmoid", BINARY), *table(data.flowers)),
    ),
    "labels from 1": Faulty(
        "the class numbers are shifted",
        lambda: Program(digits_net(), digits()[0], digits()[1] + 1),
    ),
    "nine outputs": Faulty(
        "fewer outputs than there are classes",
        lambda: Program(digits_net(units=9), *digits()),
    ),
    "one-hot of ten, eight outputs": Faulty(
        "fewer outputs than there are classes",
        lambda: Program(digits_net(units=8, loss=ROWS), *rows(digits())),
    ),
    "ten outputs for three classes": Faulty(
        "more outputs than there are classes",
        lambda: Program(table_net(4, 10, "softmax", SPARSE), *table(data.flowers)),
    ),
    "names": Faulty(
        "the targets are texts",
        lambda: Program(
            table_net(4, 3, "softmax", SPARSE),
            data.flowers()[0],
            np.array(["setosa", "versicolor", "virginica"])[data.flowers()[1]],
        ),
    ),
    "numbers for classes": Faulty(
        "the targets are no classes",
        lambda: Program(table_net(1, 3, "softmax", SPARSE), *data.sines()),
    ),
    "all alike": Faulty(
        "all targets are alike",
        lambda: Program(table_net(2, 1, "sigmoid", BINARY), data.moons()[0], np.ones(300)),
    ),
    "bytes": Faulty("bytes from 0 to 255", lambda: Program(digits_net(), *data.digits())),
    "blank, divided as integers": Faulty(
        "all samples are alike",
        lambda: Program(digits_net(), (data.digits()[0] / 256).astype(int), data.digits()[1]),
    ),
    "income in dollars": Faulty(
        "very different scales",
        lambda: Program(table_net(3, 1, "sigmoid", BINARY), *data.customers()),
    ),
    "missing incomes": Faulty(
        "features are NaN",
        lambda: Program(table_net(3, 1, "sigmoid", BINARY), *with_nan()),
    ),
    "prices in dollars": Faulty(
        "the targets are not scaled",
        lambda: Program(
            table_net(5, 1, None, "mse"), table(data.houses)[0], 1000 * data.houses()[1]
        ),
    ),
    "nothing trainable": Faulty("nothing is trainable", lambda: Program(frozen(), *digits())),
    "no activations": Faulty(
        "without an activation between",
        lambda: Program(
            net((2,), kl.Dense(32), kl.Dense(16), kl.Dense(1, activation="sigmoid"), loss=BINARY),
            *data.moons(),
        ),
    ),
    "rate 100": Faulty(
        "the learning rate is too high",
        lambda: Program(digits_net(optimizer=keras.optimizers.SGD(100.0)), *digits()),
    ),
    "rate 1e-9": Faulty(
        "the learning rate is too low",
        lambda: Program(digits_net(optimizer=keras.optimizers.Adam(1e-9)), *digits()),
    ),
    "weights of zero": Faulty(
        "initial weights are all the same",
        lambda: Program(
            net(
                (2,), kl.Dense(16, activation="relu", kernel_initializer="zeros"),
                kl.Dense(1, activation="sigmoid", kernel_initializer="zeros"), loss=BINARY,
            ),
            *data.moons(),
        ),
    ),
    "sorted batches": Faulty(
        "come sorted by class",
        lambda: Program(digits_net(), pipeline(by_class(digits()), shuffled=False)),
    ),
    "one in fifty": Faulty(
        "one class is far more frequent",
        lambda: Program(
            table_net(4, 1, "sigmoid", BINARY),
            data.rare()[0],
            (data.rare()[0][:, 0] > 2.2).astype(int),
        ),
    ),
}  # fmt: skip
