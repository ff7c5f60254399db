"""Programs in torch: a model, its data, its loss and its optimiser, as people put them together."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parity.torch import check
from tests.programs import data


class Program(NamedTuple):
    """A program in torch; `loss` is given what the model gives and a batch of `y`."""

    model: nn.Module
    x: Tensor
    y: Tensor
    loss: Callable[..., Any]
    optimizer: Callable[..., Any] = lambda weights: torch.optim.Adam(weights, 0.003)
    batch: int = 32
    shuffled: bool = True

    def checked(self) -> list[Any]:
        """What is said of it before its first step."""
        optimizer = self.optimizer(list(self.model.parameters()))
        return check(self.model, self.x, self.y, loss=self.loss, optimizer=optimizer)


Build = Callable[[], Program]
CROSS, BCE, MSE = nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss(), nn.MSELoss()


def tensors(pair: tuple[Any, Any]) -> tuple[Tensor, Tensor]:
    return torch.tensor(pair[0]), torch.tensor(pair[1])


def images(scale: float = 1 / 255) -> tuple[Tensor, Tensor]:
    x, y = tensors(data.digits())
    return x.float() * scale, y


def table(make: Callable[[], tuple[Any, Any]]) -> tuple[Tensor, Tensor]:
    """Standardised."""
    x, y = tensors(make())
    return (x - x.mean(0)) / x.std(0), y


def column(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Targets float [N, 1]."""
    return pair[0], pair[1].float().unsqueeze(1)


def mlp(*sizes: int, act: Any = nn.ReLU, last: nn.Module | None = None, flat: bool = False) -> Any:
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Flatten()] if flat else []
    for inputs, units in pairwise(sizes):
        layers += [nn.Linear(inputs, units), act()]
    layers.pop()
    return nn.Sequential(*layers, *([last] if last else []))


def digits_mlp(**given: Any) -> Any:
    return mlp(784, 32, 10, flat=True, **given)


def sgd(rate: float, **given: Any) -> Callable[..., Any]:
    return lambda weights: torch.optim.SGD(weights, rate, **given)


def adam(rate: float) -> Callable[..., Any]:
    return lambda weights: torch.optim.Adam(weights, rate)


class Cnn(nn.Module):
    """Convolutions, with functions between."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 12, 3)
        self.norm, self.head = nn.BatchNorm2d(12), nn.Linear(12 * 25, 10)

    def forward(self, x: Tensor) -> Any:
        x = F.max_pool2d(F.relu(self.conv1(x.unsqueeze(1))), 2)
        x = F.max_pool2d(F.relu(self.norm(self.conv2(x))), 2)
        return self.head(x.flatten(1))


class Residual(nn.Module):
    """A block whose shortcut is a layer too."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.short = nn.Linear(8, 16), nn.Linear(16, 16), nn.Linear(8, 16)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Any:
        return self.head(F.relu(self.second(F.relu(self.first(x))) + self.short(x)))


class Lstm(nn.Module):
    """Answers after the last step."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cell, self.head = nn.LSTM(1, 16, batch_first=True), nn.Linear(16, outputs)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.cell(x)[0][:, -1])


class Words(nn.Module):
    """Embeds, averages, answers with one logit [B]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.head = nn.Embedding(50, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.table(x).mean(1)).squeeze(1)


class Tagger(nn.Module):
    """A class for each word, [B, L, C]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.head = nn.Embedding(50, 8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.table(x))


class Attention(nn.Module):
    """One block of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.block = (
            nn.Embedding(50, 8),
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        )
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.block(self.table(x)).mean(1))


def per_word(given: Tensor, y: Tensor) -> Any:
    return F.cross_entropy(given.permute(0, 2, 1), y)


def tagged() -> tuple[Tensor, Tensor]:
    x, _ = tensors(data.words())
    return x, x % 4


def itself(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    x = pair[0].flatten(1)
    return x, x


def counted() -> tuple[Tensor, Tensor]:
    """Counts from 0 as numbers to be told."""
    x, _ = table(data.houses)
    return x, (x[:, :1].abs() * 2).round()


HEALTHY: dict[str, Build] = {
    "digits, dense": lambda: Program(digits_mlp(), *images(), CROSS),
    "digits, sgd with momentum": lambda: Program(
        digits_mlp(), *images(), CROSS, sgd(0.05, momentum=0.9)
    ),
    "digits, log_softmax and nll": lambda: Program(
        digits_mlp(last=nn.LogSoftmax(1)), *images(), F.nll_loss
    ),
    "digits, standardised": lambda: Program(
        digits_mlp(), (images()[0] - 0.13) / 0.31, images()[1], CROSS
    ),
    "digits, cnn": lambda: Program(Cnn(), *images(), CROSS),
    "digits, tanh": lambda: Program(digits_mlp(act=nn.Tanh), *images(), CROSS),
    "digits, label smoothing": lambda: Program(
        digits_mlp(), *images(), nn.CrossEntropyLoss(label_smoothing=0.1)
    ),
    "digits, one-hot": lambda: Program(
        digits_mlp(), images()[0], F.one_hot(images()[1], 10).float(), CROSS
    ),
    "digits, batch norm on raw pixels": lambda: Program(
        nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784), *digits_mlp()[1:]), *images(1), CROSS
    ),
    "digits, autoencoder": lambda: Program(
        mlp(784, 32, 784, last=nn.Sigmoid()), *itself(images()), nn.BCELoss()
    ),
    "digits, autoencoder, linear code": lambda: Program(
        nn.Sequential(nn.Linear(784, 16), nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 784)),
        *itself(images()),
        MSE,
    ),
    "flowers as they are": lambda: Program(mlp(4, 16, 3), *tensors(data.flowers()), CROSS),
    "flowers, logistic regression": lambda: Program(
        mlp(4, 3), *table(data.flowers), CROSS, sgd(0.1)
    ),
    "customers": lambda: Program(mlp(3, 16, 1), *column(table(data.customers)), BCE),
    "customers, sigmoid and BCELoss": lambda: Program(
        mlp(3, 16, 1, last=nn.Sigmoid()), *column(table(data.customers)), nn.BCELoss()
    ),
    "customers, two logits": lambda: Program(mlp(3, 16, 2), *table(data.customers), CROSS),
    "houses, scaled targets": lambda: Program(
        mlp(5, 32, 1), *column((table(data.houses)[0], table(data.houses)[1] / 100 - 2)), MSE
    ),
    "counts": lambda: Program(mlp(5, 32, 1), *counted(), MSE),
    "sine": lambda: Program(
        mlp(1, 32, 32, 1, act=nn.Tanh), *column(tensors(data.sines())), MSE, adam(0.01)
    ),
    "waves, lstm": lambda: Program(Lstm(), *column(tensors(data.waves())), MSE, adam(0.01)),
    "xor": lambda: Program(
        mlp(2, 8, 1, act=nn.Tanh), *column(tensors(data.xor())), BCE, adam(0.05), 4
    ),
    "xor, sgd": lambda: Program(
        mlp(2, 8, 1, act=nn.Tanh), *column(tensors(data.xor())), BCE, sgd(0.5), 4
    ),
    "moons": lambda: Program(mlp(2, 16, 16, 1), *column(tensors(data.moons())), BCE),
    "words": lambda: Program(
        Words(), data_words()[0], data_words()[1].float(), BCE, adam(0.03)
    ),
    "a class for each word": lambda: Program(Tagger(), *tagged(), per_word, adam(0.03)),
    "attention": lambda: Program(Attention(), *data_words(), CROSS),
    "tags": lambda: Program(mlp(8, 16, 5), *tensors(data.tags()), BCE),
    "residual": lambda: Program(Residual(), *tensors(data.tags()), BCE),
    "rare, but fine": lambda: Program(mlp(4, 16, 2), *tensors(data.rare()), CROSS),
    "frozen base": lambda: Program(frozen(), *images(), CROSS),
    "targets from -1 to 1 and tanh": lambda: Program(
        mlp(1, 16, 1, last=nn.Tanh()), *column(tensors(data.sines())), MSE
    ),
}  # fmt: skip


def data_words() -> tuple[Tensor, Tensor]:
    return tensors(data.words())


def frozen() -> Any:
    model = mlp(784, 32, 16, 10, flat=True)
    for weight in model[1].parameters():
        weight.requires_grad = False
    return model


class Faulty(NamedTuple):
    """What is wrong, as the finding that comes first says it, and the program."""

    cause: str
    build: Build


def nan() -> tuple[Tensor, Tensor]:
    x, y = images()
    x[7, 3, 3] = np.nan
    return x, y


def zeroed() -> Any:
    model = digits_mlp()
    for weight in model.parameters():
        nn.init.zeros_(weight)
    return model


def large() -> Any:
    model = digits_mlp()
    nn.init.normal_(model[1].weight)
    return model


def all_frozen() -> Any:
    model = digits_mlp()
    for weight in model.parameters():
        weight.requires_grad = False
    return model


def by_class(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    order = pair[1].argsort(stable=True)
    return pair[0][order], pair[1][order]


FAULTY: dict[str, Faulty] = {
    "softmax over one unit": Faulty(
        "softmax over a single unit",
        lambda: Program(
            mlp(3, 16, 1, last=nn.Softmax(1)), *column(table(data.customers)), nn.BCELoss()
        ),
    ),
    "softmax over the batch": Faulty(
        "softmax is taken over the samples",
        lambda: Program(digits_mlp(last=nn.Softmax(0)), *images(), CROSS),
    ),
    "softmax before CrossEntropyLoss": Faulty(
        "softmax is applied twice",
        lambda: Program(digits_mlp(last=nn.Softmax(1)), *images(), CROSS),
    ),
    "softmax in the loop": Faulty(
        "softmax is applied twice",
        lambda: Program(
            digits_mlp(), *images(), lambda given, y: F.cross_entropy(F.softmax(given, 1), y)
        ),
    ),
    "sigmoid before BCEWithLogitsLoss": Faulty(
        "sigmoid is applied twice",
        lambda: Program(mlp(2, 16, 1, last=nn.Sigmoid()), *column(tensors(data.moons())), BCE),
    ),
    "sigmoid before CrossEntropyLoss": Faulty(
        "sigmoid is applied twice",
        lambda: Program(mlp(4, 16, 3, last=nn.Sigmoid()), *table(data.flowers), CROSS),
    ),
    "NLLLoss on logits": Faulty(
        "NLLLoss is given logits", lambda: Program(digits_mlp(), *images(), nn.NLLLoss())
    ),
    "NLLLoss on probabilities": Faulty(
        "NLLLoss is given probabilities",
        lambda: Program(digits_mlp(last=nn.Softmax(1)), *images(), nn.NLLLoss()),
    ),
    "BCELoss on logits": Faulty(
        "BCELoss is given logits",
        lambda: Program(mlp(2, 16, 1), *column(tensors(data.moons())), nn.BCELoss()),
    ),
    "ReLU on the logits": Faulty(
        "relu is applied to the outputs",
        lambda: Program(digits_mlp(last=nn.ReLU()), *images(), CROSS),
    ),
    "tanh on the logit": Faulty(
        "tanh is applied to the outputs",
        lambda: Program(mlp(2, 16, 1, last=nn.Tanh()), *column(tensors(data.moons())), BCE),
    ),
    "ReLU before targets below 0": Faulty(
        "the last activation, relu, cannot give the targets",
        lambda: Program(mlp(1, 32, 1, last=nn.ReLU()), *column(tensors(data.sines())), MSE),
    ),
    "sigmoid before prices": Faulty(
        "the last activation, sigmoid, cannot give the targets",
        lambda: Program(
            mlp(5, 32, 1, last=nn.Sigmoid()),
            *column((table(data.houses)[0], table(data.houses)[1] / 100)),
            MSE,
        ),
    ),
    "squared error of one-hot digits": Faulty(
        "MSELoss measures distances",
        lambda: Program(
            digits_mlp(), images()[0], F.one_hot(images()[1], 10).float(), MSE, sgd(0.01)
        ),
    ),
    "squared error of digits": Faulty(
        "MSELoss measures distances",
        lambda: Program(mlp(784, 32, 1, flat=True), *column(images()), MSE),
    ),
    "binary for ten classes": Faulty(
        "asks yes or no for each class",
        lambda: Program(digits_mlp(), images()[0], F.one_hot(images()[1], 10).float(), BCE),
    ),
    "one output for ten classes": Faulty(
        "fewer outputs than there are classes",
        lambda: Program(mlp(784, 32, 1, flat=True), *column(images()), BCE),
    ),
    "labels from 1": Faulty(
        "the class numbers are shifted",
        lambda: Program(mlp(4, 16, 3), table(data.flowers)[0], table(data.flowers)[1] + 1, CROSS),
    ),
    "labels 1 and 2": Faulty(
        "the class numbers are shifted",
        lambda: Program(
            mlp(2, 16, 1), *column((tensors(data.moons())[0], tensors(data.moons())[1] + 1)), BCE
        ),
    ),
    "labels -1 and 1": Faulty(
        "class numbers lie outside",
        lambda: Program(
            mlp(2, 16, 1),
            *column((tensors(data.moons())[0], tensors(data.moons())[1] * 2 - 1)),
            BCE,
        ),
    ),
    "five outputs for ten classes": Faulty(
        "fewer outputs than there are classes",
        lambda: Program(mlp(784, 32, 5, flat=True), *images(), CROSS),
    ),
    "ten outputs for three classes": Faulty(
        "more outputs than there are classes",
        lambda: Program(mlp(4, 16, 10), *table(data.flowers), CROSS),
    ),
    "all labels alike": Faulty(
        "all targets are alike",
        lambda: Program(digits_mlp(), images()[0], torch.full((400,), 3), CROSS),
    ),
    "NaN in a picture": Faulty("features are NaN", lambda: Program(digits_mlp(), *nan(), CROSS)),
    "infinite income": Faulty(
        "features are infinite",
        lambda: Program(
            mlp(3, 16, 2),
            table(data.customers)[0].index_fill(0, torch.tensor([3]), torch.inf),
            table(data.customers)[1],
            CROSS,
        ),
    ),
    "bytes": Faulty("bytes from 0 to 255", lambda: Program(digits_mlp(), *images(1), CROSS)),
    "bytes, sgd": Faulty(
        "bytes from 0 to 255", lambda: Program(digits_mlp(), *images(1), CROSS, sgd(0.1))
    ),
    "scaled twice": Faulty(
        "hardly differ", lambda: Program(digits_mlp(), *images(1 / 255**2), CROSS, sgd(0.05))
    ),
    "blank": Faulty(
        "all samples are alike", lambda: Program(digits_mlp(), *images(0.0), CROSS)
    ),
    "income in dollars": Faulty(
        "very different scales",
        lambda: Program(mlp(3, 16, 1), *column(tensors(data.customers())), BCE),
    ),
    "prices in dollars": Faulty(
        "the targets are not scaled",
        lambda: Program(
            mlp(5, 32, 1), *column((table(data.houses)[0], 1000 * table(data.houses)[1])), MSE
        ),
    ),
    "squared error broadcast": Faulty(
        "compares each answer with the targets of all",
        lambda: Program(mlp(1, 32, 1, act=nn.Tanh), *tensors(data.sines()), MSE, adam(0.01)),
    ),
    "no activation between": Faulty(
        "without an activation between",
        lambda: Program(
            mlp(2, 32, 32, 1, act=nn.Identity), *column(tensors(data.moons())), BCE
        ),
    ),
    "nothing trainable": Faulty(
        "nothing is trainable",
        lambda: Program(all_frozen(), *images(), CROSS),
    ),
    "another network's weights": Faulty(
        "nothing is trainable",
        lambda: Program(
            digits_mlp(), *images(), CROSS, lambda _: torch.optim.Adam(digits_mlp().parameters())
        ),
    ),
    "rate 50": Faulty(
        "the learning rate is too high",
        lambda: Program(digits_mlp(), *images(), CROSS, sgd(50.0)),
    ),
    "rate of Adam 1": Faulty(
        "the learning rate is too high", lambda: Program(digits_mlp(), *images(), CROSS, adam(1.0))
    ),
    "rate 1e-8": Faulty(
        "the learning rate is too low", lambda: Program(digits_mlp(), *images(), CROSS, adam(1e-8))
    ),
    "rate 0": Faulty(
        "the learning rate is zero", lambda: Program(digits_mlp(), *images(), CROSS, sgd(0.0))
    ),
    "zero weights": Faulty(
        "initial weights are all the same", lambda: Program(zeroed(), *images(), CROSS)
    ),
    "large weights": Faulty(
        "initial weights are too large", lambda: Program(large(), *images(), CROSS)
    ),
    "one class in fifty": Faulty(
        "one class is far more frequent",
        lambda: Program(
            mlp(4, 16, 2),
            tensors(data.rare())[0],
            (tensors(data.rare())[0][:, 0] > 2.2).long(),
            CROSS,
        ),
    ),
}  # fmt: skip
