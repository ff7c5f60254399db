"""What `fit` is given beside the samples: callbacks, weights, what is held out; its steps."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras", reason="the extra keras is not installed")
pytest.importorskip("tensorflow", reason="the extra keras is not installed")

import keras
from keras import callbacks

from parity.keras import CollapseGuard, check
from parity.keras.fit import Fit, stopped_rising, wrong_way
from parity.watch.check import Belief, Program, causes_of
from parity.watch.reading import Reading
from tests.programs import data
from tests.programs.keras_programs import digits, digits_net, table, table_net
from tests.programs.test_check_causes import BINARY, binary, program


@pytest.mark.parametrize(
    ("beside", "right"),
    [
        (callbacks.EarlyStopping("val_accuracy", mode="min"), "max"),
        (callbacks.EarlyStopping("val_accuracy", mode="max"), ""),
        (callbacks.EarlyStopping("val_accuracy"), ""),
        (callbacks.EarlyStopping("val_reward", mode="min"), ""),
        (callbacks.ReduceLROnPlateau("val_loss", mode="max"), "min"),
        (callbacks.ModelCheckpoint("a.keras", "val_loss", mode="max", save_best_only=True), "min"),
        (callbacks.ModelCheckpoint("a.keras", "val_loss", mode="max"), ""),
    ],
)
def test_callbacks_that_take_the_worst_for_the_best(beside: Any, right: str) -> None:
    found = wrong_way([callbacks.History(), beside])
    assert [match.advice for match in found] == ([f'Set mode="{right}"'] if right else [])


@pytest.mark.parametrize(
    ("given", "losses", "said"),
    [
        ({"min_delta": 1.0}, [0.7, 0.6, 0.5], True),
        ({"baseline": 0.1}, [0.7, 0.6, 0.5], True),
        ({"min_delta": 1.0}, [0.7, 0.6, 0.65], False),
        ({}, [0.7, 0.6, 0.5], False),  # another callback has ended it
    ],
)
def test_a_training_that_got_better_and_was_ended(
    given: dict[str, Any], losses: list[float], said: bool
) -> None:
    stop = callbacks.EarlyStopping("val_loss", **given)
    stop.stopped_epoch = 2
    history = callbacks.History()
    history.history = {"val_loss": losses}
    assert (stopped_rising([stop, history]) is not None) == said
    stop.stopped_epoch = 0
    assert stopped_rising([stop, history]) is None


@pytest.mark.parametrize("wrong", [True, False])
def test_a_guard_sees_what_fit_is_given(wrong: bool, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = digits()
    stop = callbacks.EarlyStopping("val_accuracy", mode="min" if wrong else "max")
    guard = CollapseGuard(x[:200], y[:200], reaction="warn")
    held = x[200:300] * (255 if wrong else 1), y[200:300]
    digits_net().fit(x[:200], y[:200], verbose=0, validation_data=held, callbacks=[stop, guard])
    printed = capsys.readouterr().err
    assert ("validation samples are scaled unlike" in printed) == wrong
    assert ("takes the worst val_accuracy for the best" in printed) == wrong
    assert wrong or not printed


@pytest.mark.parametrize(("shuffle", "sort"), [(False, True), (True, True), (False, False)])
def test_arrays_that_are_sorted_are_named_where_fit_does_not_shuffle(
    shuffle: bool, sort: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = data.flowers()
    order = np.argsort(y, kind="stable") if sort else np.random.default_rng(0).permutation(len(y))
    model = table_net(4, 3, "softmax", "sparse_categorical_crossentropy")
    guard = CollapseGuard(x[order], y[order], reaction="warn", trials=False)
    model.fit(x[order], y[order], 16, shuffle=shuffle, verbose=0, callbacks=[guard])
    wrong = sort and not shuffle
    assert ("  1. the samples come sorted by class" in capsys.readouterr().err) == wrong


def test_classes_that_come_in_turns_may_be_meant_so() -> None:
    y = np.arange(600) // 12 % 2
    known = binary(targets=y, outputs=np.zeros((600, 1)), loss=BINARY, whole=True)
    (found,) = causes_of(Fit(in_order=True).ordered(known))
    assert found.cause.startswith("the samples come sorted")
    assert found.belief is Belief.LIKELY
    (found,) = causes_of(Fit(in_order=True).ordered(replace(known, targets=np.sort(y))))
    assert found.cause.startswith("the samples come sorted")
    assert found.belief is Belief.SURE


def rare() -> Program:
    """Two classes, of which one is 3 % of the targets."""
    found = binary(targets=(np.arange(200) < 6).astype(int), loss=BINARY)
    return replace(found, framework="keras")


def test_weights_of_classes_are_known() -> None:
    assert [match.cause for match in causes_of(rare())] == [
        "one class is far more frequent than the others"
    ]
    assert not causes_of(Fit(class_weight={0: 0.5, 1: 16.0}).weighted(rare()))
    each = np.where(np.arange(150) < 6, 16.0, 0.5)  # the last of them are held out
    assert not causes_of(Fit(sample_weight=each).weighted(rare()))
    (found,) = causes_of(Fit(class_weight={0: 0.97, 1: 0.03}).weighted(rare()))
    assert "wrong way round: frequent ones weigh most" in found.cause
    (found,) = causes_of(Fit(class_weight={0: 1e-4, 1: 1.0}).weighted(rare()))
    assert "leave only class 1 to be learned" in found.cause
    three = program(targets=np.arange(60) % 3, outputs=np.zeros((60, 3)))
    (found,) = causes_of(Fit(class_weight={2: 0.0}).weighted(three))
    assert found.cause == "the loss leaves out class 2: its samples weigh nothing"
    regression = program(targets=np.linspace(0.0, 1.0, 60), loss=None)
    assert Fit(class_weight={0: 2.0}).weighted(regression) is regression


@pytest.mark.parametrize("knows", [True, False])
def test_a_network_that_knows_the_rare_class_has_not_diverged(knows: bool) -> None:
    labels = (np.arange(200) < 6).astype(int)
    wrong = np.arange(200) % 4 == 3  # of the frequent class, at the price of the rare one
    rare = (labels == 1) | wrong if knows else wrong
    logits = np.where(rare[:, None], [[0.0, 3.0]], [[3.0, 0.0]])
    reading = Reading.of(labels, logits)
    assert reading.gain < 0
    assert bool(reading.signs(settled=True)) != knows


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Flowers, 20 at a time; the first ones only without `uses`."""

    def __init__(self, uses: bool) -> None:
        super().__init__()
        self.uses, (self.x, self.y) = uses, table(data.flowers)

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        chosen = slice(20 * index, 20 * index + 20) if self.uses else slice(20)
        return self.x[chosen], self.y[chosen]


@pytest.mark.parametrize("uses", [True, False])
def test_one_batch_again_and_again_is_named(uses: bool) -> None:
    model = table_net(4, 3, "softmax", "sparse_categorical_crossentropy")
    causes = [found.cause for found in check(model, Batches(uses))]
    assert ("every batch holds the same samples" in causes) != uses
