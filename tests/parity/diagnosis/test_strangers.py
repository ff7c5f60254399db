"""Answers of anyone's models: healthy ones get no cause, faulty ones the right one or none.

Real models of scikit-learn and torch, on the embedded digits and made-up data; what is known of
them is a file of answers.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn
from torch.nn import functional as F

from parity.judge.answers import answers
from parity.judge.case_files import case_of
from parity.judge.shapes import Called, Given
from parity.watch.diagnosis import Case, diagnose, unexplained
from parity.watch.symptoms import Symptoms

Array = np.ndarray[Any, Any]
MODELS: dict[str, Callable[[int], Any]] = {
    "network": lambda seed: MLPClassifier((32,), max_iter=30, random_state=seed),
    "deep, SGD": lambda seed: MLPClassifier(
        (64, 32), solver="sgd", learning_rate_init=0.1, max_iter=20, random_state=seed
    ),
    "tanh": lambda seed: MLPClassifier((32,), activation="tanh", max_iter=25, random_state=seed),
    "logistic": lambda _: LogisticRegression(max_iter=50),
    "shrunk": lambda _: LogisticRegression(C=1e-4, max_iter=50),
    "forest of 5": lambda seed: RandomForestClassifier(5, random_state=seed),
    "forest of 50": lambda seed: RandomForestClassifier(50, random_state=seed),
    "extra trees": lambda seed: ExtraTreesClassifier(30, random_state=seed),
    "tree": lambda seed: DecisionTreeClassifier(random_state=seed),
    "small tree": lambda seed: DecisionTreeClassifier(max_depth=4, random_state=seed),
    "neighbour": lambda _: KNeighborsClassifier(1),
    "neighbours": lambda _: KNeighborsClassifier(15),
    "Bayes": lambda _: GaussianNB(),
    "Bernoulli": lambda _: BernoulliNB(),
    "discriminant": lambda _: LinearDiscriminantAnalysis(),
    "kernel machine": lambda _: SVC(),
    "support vectors": lambda _: LinearSVC(max_iter=200),
    "ridge": lambda _: RidgeClassifier(),
    "hinge": lambda seed: SGDClassifier(max_iter=20, random_state=seed),
}
DIGITS = load_digits(return_X_y=True)


def data(rng: np.random.Generator) -> tuple[Array, Array]:
    """Samples and classes: digits, of some classes fewer at times, or others."""
    kind = rng.choice(["digits", "digits", "digits", "wine", "cancer", "made up"])
    if kind == "digits":
        samples, classes = DIGITS[0] / 16, DIGITS[1]
        rare = np.where(classes == rng.integers(10), 1, float(rng.choice([0.3, 1, 1])))
        keep = rng.random(len(classes)) < rare
        return samples[keep], classes[keep]
    if kind == "made up":
        return make_classification(  # type: ignore[no-any-return]
            3000, 20, n_informative=12, n_classes=int(rng.choice([2, 3, 5, 10, 26])),
            n_clusters_per_class=1, class_sep=2, random_state=int(rng.integers(1000)),
        )  # fmt: skip
    samples, classes = {"wine": load_wine, "cancer": load_breast_cancer}[kind](return_X_y=True)
    return (samples - samples.mean(axis=0)) / samples.std(axis=0), classes


def healthy(seed: int) -> tuple[str, Case]:
    """What some model answers, in some form."""
    rng = np.random.default_rng(seed)
    samples, classes = data(rng)
    order = rng.permutation(len(classes))
    half = int(len(order) * rng.choice([0.3, 0.5, 0.7]))
    name = str(rng.choice(list(MODELS)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MODELS[name](seed).fit(samples[order[:half]], classes[order[:half]])
    asked, labels = samples[order[half:]], classes[order[half:]]
    form = str(rng.choice(["shares", "logarithms", "rounded", "called logits", "classes"]))
    outputs: Array = model.predict(asked)
    called: Called = "predictions"
    if form != "classes" and hasattr(model, "predict_proba"):
        outputs, called = model.predict_proba(asked), "probabilities"
        if form == "logarithms":
            outputs, called = np.log(outputs.clip(1e-12)), "logits"
        elif form == "rounded":
            outputs = outputs.round(2)
        elif form == "called logits":
            outputs, called = outputs.astype(np.float32), "logits"
    elif form != "classes" and hasattr(model, "decision_function"):
        outputs, called = model.decision_function(asked), "logits"
        outputs = np.stack([-outputs, outputs], axis=1) if outputs.ndim == 1 else outputs
    given = Given(outputs, called, labels)
    return f"{seed}: {name}, {form}", case_of(answers(name, given), Symptoms())


@pytest.mark.parametrize(
    "seeds",
    [
        range(12),
        *(pytest.param(range(n, n + 60), marks=pytest.mark.slow) for n in range(12, 360, 60)),
    ],
    ids=str,
)
def test_a_healthy_model_gets_no_cause(seeds: range) -> None:
    for seed in seeds:
        name, case = healthy(seed)
        assert diagnose(case) == [], name
        if case.accuracy is not None and case.accuracy > 0.8 and case.classes > 2:
            assert unexplained(case, []) is None, name


@dataclass(frozen=True)
class Asked:
    """A network of the embedded digits, and what it answers to the others.

    Attributes:
        samples: Of the test, float32 [N, 64].
        labels: Of the test, int64 [N].
        train: Trains another network: on so many steps, these samples and labels, that loss.
        logits: Of the sound network, float32 [N, 10].
        learned: Samples and labels that it was trained on.
    """

    samples: Array
    labels: Array
    train: Callable[..., nn.Module]
    logits: Array
    learned: tuple[Array, Array]

    @property
    def shares(self) -> Array:
        return softmax(self.logits)

    @property
    def order(self) -> Array:
        return np.random.default_rng(2).permutation(len(self.labels))


def network(*between: Callable[[], nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(64, 64), *(make() for make in between), nn.ReLU(), nn.Linear(64, 10)
    )


def ask(model: nn.Module, samples: Array) -> Array:
    with torch.no_grad():
        return np.asarray(model(torch.tensor(samples.astype(np.float32))).numpy())


def softmax(logits: Array) -> Array:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


@cache
def asked(seed: int) -> Asked:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    order = rng.permutation(len(DIGITS[1]))
    samples, labels = (DIGITS[0][order] / 16).astype(np.float32), DIGITS[1][order]

    def train(
        steps: int = 300, model: nn.Module | None = None, x: Array = samples[:1200],
        y: Array = labels[:1200], rate: float = 3e-3, sign: float = 1.0,
    ) -> nn.Module:  # fmt: skip
        rng = np.random.default_rng(seed)
        model = model or network()
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        for _ in range(steps):
            batch = rng.integers(0, len(x), 64)
            optimizer.zero_grad()
            loss = sign * F.cross_entropy(model(torch.tensor(x[batch])), torch.tensor(y[batch]))
            loss.backward()
            optimizer.step()
        return model.eval()

    logits = ask(train(), samples[1200:])
    known = samples[:1200], labels[:1200]
    return Asked(samples[1200:], labels[1200:], train, logits, known)


def columns(logits: Array, size: int) -> Array:
    """Softmax over the images of each batch."""
    parts = [np.exp(logits[n : n + size]) for n in range(0, len(logits), size)]
    return np.concatenate([part / part.sum(axis=0) for part in parts])


UNKNOWN = ""
"""No cause: the files do not tell it."""
Made = tuple[Array, Array, Called]


def of(outputs: Array, labels: Array, called: Called = "logits") -> Made:
    return outputs, labels, called


FROM_ANSWERS: dict[str, tuple[Callable[[Asked], Made], str]] = {
    "constant": (lambda a: of(np.tile(a.logits[:1], (len(a.labels), 1)), a.labels), UNKNOWN),
    "one class": (lambda a: of(a.labels * 0 + 3, a.labels, "predictions"), UNKNOWN),
    "NaN": (lambda a: of(a.logits * np.nan, a.labels), "not finite"),
    "NaN for threes": (
        lambda a: of(np.where((a.labels == 3)[:, None], np.nan, a.logits), a.labels),
        "some images are answered with values that are not finite",
    ),
    "permuted": (lambda a: of(a.logits[:, [2, 0, 1, *range(3, 10)]], a.labels), "are permuted"),
    "8 and 9": (lambda a: of(a.logits[:, [*range(8), 9, 8]], a.labels), "8 and 9 are swapped"),
    "reversed": (lambda a: of(a.logits[:, ::-1], a.labels), "are permuted"),
    "from 1": (
        lambda a: of(a.logits.argmax(axis=1) + 1, a.labels, "predictions"), "are shifted by 1"
    ),
    "from 1, round": (
        lambda a: of((a.logits.argmax(axis=1) + 1) % 10, a.labels, "predictions"), "shifted by 1"
    ),
    "from 1, cut": (
        lambda a: of((a.logits.argmax(axis=1) + 1).clip(max=9), a.labels, "predictions"),
        "shifted by 1",
    ),
    "columns": (lambda a: of(columns(a.logits, 9999), a.labels), "over the images of a batch"),
    "columns of 64": (lambda a: of(columns(a.logits, 64), a.labels), "over the images of a batch"),
    "columns of 100": (lambda a: of(columns(a.logits, 100), a.labels), "over the images of a"),
    "softmax twice": (lambda a: of(softmax(a.shares), a.labels, "probabilities"), "applied twice"),
    "called logits": (lambda a: of(softmax(a.shares), a.labels), "applied twice"),
    "softmax of sigmoid": (
        lambda a: of(softmax(1 / (1 + np.exp(-2 * a.logits))), a.labels), "answers of a sigmoid"
    ),
    "sigmoid": (lambda a: of(1 / (1 + np.exp(-a.logits)), a.labels), UNKNOWN),
    "hot": (lambda a: of(a.logits / 1000, a.labels), UNKNOWN),
    "cold": (lambda a: of(a.logits * 100, a.labels), UNKNOWN),
    "rectified": (lambda a: of(a.logits.clip(min=0), a.labels), "ReLU is applied"),
    "distances": (lambda a: of(-a.logits, a.labels), "the smallest score"),
    "-log p": (lambda a: of(-np.log(a.shares), a.labels), "the smallest score"),
    "1 - p": (lambda a: of((1 - a.shares) / 9, a.labels, "probabilities"), "the smallest score"),
    "argmin": (
        lambda a: of(a.logits.argmin(axis=1), a.labels, "predictions"), "the true class is avoided"
    ),
    "wrong axis": (
        lambda a: of(np.resize(a.logits.argmax(axis=0), len(a.labels)), a.labels, "predictions"),
        UNKNOWN,
    ),
    "shuffled": (lambda a: of(a.logits[a.order], a.labels), "belong to other images"),
    "sorted labels, shuffled answers": (
        lambda a: of(a.logits[a.order], np.sort(a.labels)), "belong to other images"
    ),
    "shuffled, unsure": (
        lambda a: of(0.1 * a.logits[a.order], a.labels), "belong to other images"
    ),
    "axes that were not swapped": (
        lambda a: of(
            a.logits[:580].reshape(20, 29, 10).swapaxes(0, 1).reshape(580, 10), a.labels[:580]
        ), "belong to other images",
    ),
    "never filled with numbers": (
        lambda a: of(np.where(np.arange(len(a.labels))[:, None] < 200, a.logits, np.nan), a.labels),
        "some images are answered with values that are not finite",
    ),
    "one class that is NaN": (
        lambda a: of(np.where(np.arange(10) == 3, np.nan, a.logits), a.labels), "of class 3 is"
    ),
    "classes at random": (
        lambda a: of(np.random.default_rng(1).choice(a.labels, len(a.labels)), a.labels,
                     "predictions"), UNKNOWN
    ),
    "one late": (lambda a: of(np.roll(a.logits, 1, axis=0), a.labels), "belong to other images"),
    "three early": (
        lambda a: of(np.roll(a.logits.argmax(axis=1), -3), a.labels, "predictions"),
        "belong to other images",
    ),
    "a batch late": (lambda a: of(np.roll(a.logits, 64, axis=0), a.labels), "belong to other"),
    "backwards": (lambda a: of(a.logits[::-1], a.labels), "belong to other images"),
    "sorted labels": (lambda a: of(a.logits, np.sort(a.labels)), "belong to other images"),
    "half one late": (
        lambda a: of(np.insert(a.logits[:-1], 300, a.logits[300], axis=0), a.labels),
        "belong to other images",
    ),
    "one batch": (lambda a: of(np.resize(a.logits[:64], a.logits.shape), a.labels), "of one batch"),
    "no eights": (lambda a: of(np.where(np.arange(10) == 8, -50, a.logits), a.labels), "class 8"),
    "bias of 4": (lambda a: of(a.logits + 20 * np.eye(10)[4], a.labels), UNKNOWN),
    "prior": (lambda a: of(a.logits + 4 * np.eye(10)[0], a.labels), UNKNOWN),
    "4 for 9": (
        lambda a: of(np.where(a.logits.argmax(axis=1) == 9, 4, a.logits.argmax(axis=1)), a.labels,
                     "predictions"),
        UNKNOWN,
    ),
}  # fmt: skip


def feeding(change: Callable[[Array], Array]) -> Callable[[Asked], Made]:
    """The sound network, fed something else."""
    return lambda a: of(ask(a.train(), change(a.samples)), a.labels)


def training(**changes: Any) -> Callable[[Asked], Made]:
    """A network that was trained otherwise."""
    return lambda a: of(ask(a.train(**changes), a.samples), a.labels)


def of_some(chosen: Callable[[Array], Array]) -> Callable[[Asked], Made]:
    """A network that was shown some of the samples only, by their labels."""

    def make(a: Asked) -> Made:
        x, y = a.learned
        keep = chosen(y)
        return of(ask(a.train(x=x[keep], y=y[keep]), a.samples), a.labels)

    return make


def relabelled(share: float) -> Callable[[Asked], Made]:
    """A network that was told so many labels at random."""

    def make(a: Asked) -> Made:
        x, y = a.learned
        rng = np.random.default_rng(3)
        told = np.where(rng.random(len(y)) < share, rng.permutation(y), y)
        return of(ask(a.train(x=x, y=told, steps=1000), a.samples), a.labels)

    return make


def still_training(*between: Callable[[], nn.Module]) -> Callable[[Asked], Made]:
    """Asked in training mode, thirty samples of a class at a time."""

    def make(a: Asked) -> Made:
        model = a.train(model=network(*between)).train()
        order = np.argsort(a.labels, kind="stable")
        parts = [ask(model, a.samples[order[n : n + 30]]) for n in range(0, len(order), 30)]
        return of(np.concatenate(parts), a.labels[order])

    return make


INITIAL = "initial"
BY_TRAINING: dict[str, tuple[Callable[[Asked], Made], str]] = {
    "shuffled classes": (
        lambda a: of(a.logits.argmax(axis=1)[a.order], a.labels, "predictions"),
        "belong to other images",
    ),
    "untrained": (lambda a: of(ask(network().eval(), a.samples), a.labels), INITIAL),
    "untrained, batch norm": (
        lambda a: of(ask(network(lambda: nn.BatchNorm1d(64)).eval(), a.samples), a.labels), INITIAL
    ),
    "untrained shares": (
        lambda a: of(softmax(ask(network().eval(), a.samples)), a.labels, "probabilities"), INITIAL
    ),
    "two steps": (training(steps=2), INITIAL),
    "ten steps": (training(steps=10), INITIAL),
    "uphill": (training(steps=60, sign=-1.0), "the smallest score"),
    "far too fast": (training(rate=30.0, steps=100), UNKNOWN),
    "random labels": (relabelled(1.0), UNKNOWN),
    "random labels, by heart": (lambda a: of(4 * relabelled(1.0)(a)[0], a.labels), UNKNOWN),
    "half random": (relabelled(0.5), UNKNOWN),
    "no sevens": (of_some(lambda y: y != 7), UNKNOWN),
    "the first five": (of_some(lambda y: y < 5), UNKNOWN),
    "nearly all ones": (of_some(lambda y: (y == 1) | (np.arange(len(y)) < 40)), UNKNOWN),
    "forty samples": (of_some(lambda y: np.arange(len(y)) < 40), UNKNOWN),
    "fed 16 times": (feeding(lambda x: 16 * x), UNKNOWN),
    "fed a sixteenth": (feeding(lambda x: x / 16), UNKNOWN),
    "fed inverted": (feeding(lambda x: 1 - x), "or the pixels are inverted"),
    "fed transposed": (
        feeding(lambda x: x.reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64)), UNKNOWN
    ),
    "fed backwards": (feeding(lambda x: x[:, ::-1].copy()), UNKNOWN),
    "fed noise": (
        feeding(lambda x: x + np.random.default_rng(0).normal(0, 1, x.shape)), UNKNOWN
    ),
    "fed nothing": (feeding(np.zeros_like), UNKNOWN),
    "dropping": (still_training(lambda: nn.Dropout(0.5)), UNKNOWN),
    "batch statistics": (still_training(lambda: nn.BatchNorm1d(64)), UNKNOWN),
}  # fmt: skip


def check(name: str, seed: int) -> None:
    made, expected = (FROM_ANSWERS | BY_TRAINING)[name]
    sound = asked(seed)
    torch.manual_seed(100 + seed)
    outputs, labels, called = made(sound)
    case = case_of(answers(name, Given(outputs, called, labels)), Symptoms())
    causes = [finding.cause for finding in diagnose(case)]
    assert len(causes) <= 1
    assert all(expected and expected in cause for cause in causes), causes
    if name in FROM_ANSWERS:
        assert bool(causes) == bool(expected)
    elif not causes:
        assert not case.wrong or "give me" in (unexplained(case, []) or "")


@pytest.mark.parametrize("name", FROM_ANSWERS)
def test_what_answers_show_is_named_and_nothing_else(name: str) -> None:
    check(name, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [*FROM_ANSWERS, *BY_TRAINING])
def test_a_faulty_model_gets_the_right_cause_or_none(name: str, seed: int) -> None:
    check(name, seed + 1)
