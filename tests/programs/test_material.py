"""What trials are fed: which samples are held out, drawn, scaled and turned round."""

from dataclasses import replace

import numpy as np
import pytest

from parity.watch.check import Change, Program, Remedy
from parity.watch.trials import AS_IT_IS, Material, score
from parity.watch.trials.material import shrunk


def test_the_mean_of_each_column_explains_nothing() -> None:
    wanted = np.array([[0.0, 10.0], [2.0, 14.0]])
    assert score("values", np.array([[1.0, 12.0]] * 2), wanted, 0.5) == 0
    assert score("values", wanted, wanted, 0.5) == 1


def test_rare_classes_are_drawn_as_often_where_that_is_the_remedy() -> None:
    y = np.array([0] * 190 + [1] * 10)
    material = Material(np.arange(200.0)[:, None], y, "binary", batch=50)
    batches = material.batches(Remedy("", changes=Change.BALANCED))
    drawn = np.concatenate([y[next(batches)] for _ in range(20)])
    assert 0.4 < drawn.mean() < 0.6


def test_a_part_of_each_class_is_held_out_however_rare_it_is() -> None:
    y = np.array([0] * 300 + [1] * 8 + [2] * 8)
    material = Material(np.arange(316.0)[:, None], y, "classes")
    assert np.bincount(y[material.held]).tolist() == [75, 2, 2]


def test_sequences_beside_their_lengths_stay_in_the_order_in_which_they_came() -> None:
    material = Material((np.zeros((200, 1)), np.arange(200)[::-1]), np.arange(200), "values")
    assert (np.diff(next(material.batches(AS_IT_IS))) > 0).all()
    assert (np.diff(material.held) > 0).all()


def test_samples_come_in_order_unless_they_are_shuffled() -> None:
    material = Material(np.zeros((200, 1)), np.arange(200), "values", batch=20, in_order=True)
    assert (np.diff(next(material.batches(AS_IT_IS))) > 0).all()
    assert (np.diff(next(material.batches(Remedy("", changes=Change.SHUFFLED)))) < 0).any()


def test_features_are_standardised_by_the_samples_that_are_trained_on() -> None:
    rng = np.random.default_rng(0)
    material = Material(rng.normal([5, 100], [1, 30], (400, 2)), np.zeros(400), "values")
    features = material.features(Remedy("", features="standardised"))
    assert features.mean(axis=0) == pytest.approx([0, 0], abs=0.1)
    assert features.std(axis=0) == pytest.approx([1, 1], abs=0.1)


def test_gaps_are_filled_and_batches_widened_where_that_is_the_remedy() -> None:
    features = np.arange(200.0)[:, None]
    features[3], features[7] = np.nan, np.inf
    material = Material(features, np.zeros(200), "values", batch=1)
    assert material.features(Remedy("", features="filled"))[[3, 7]].tolist() == [[0], [0]]
    assert len(next(material.batches(AS_IT_IS))) == 1
    assert len(next(material.batches(Remedy("", batch=16)))) == 16


def test_sequences_are_turned_round_and_classes_drawn_as_the_program_does() -> None:
    x = np.arange(24.0).reshape(2, 4, 3)
    turned = Material(x, np.zeros(2), "values").features(Remedy("", features="reversed"))
    assert turned[:, 0].tolist() == x[:, 3].tolist()
    names = np.repeat([0, 1], 100)
    material = Material(names[:, None], names, "binary", drawn=(1.0, 0.0))
    assert not names[next(material.batches(AS_IT_IS))].any()
    assert names[next(material.batches(Remedy("", changes=Change.BALANCED)))].any()


def test_padding_is_brought_in_front_where_that_is_the_remedy() -> None:
    words = np.array([[1, 2, 0, 0], [3, 0, 4, 0], [5, 6, 7, 8]])
    moved = Material(words, np.zeros(3), "values").features(Remedy("", features="padded before"))
    assert moved.tolist() == [[0, 0, 1, 2], [0, 3, 0, 4], [5, 6, 7, 8]]


def test_features_that_the_network_shrinks_itself_are_scaled_for_its_first_layer() -> None:
    features = np.random.default_rng(0).normal(0, 1, (400, 2)).astype(np.float32)
    seen = Program("keras", (), features / 255, np.zeros((400, 1)), None, inputs=features)
    assert shrunk(seen) == pytest.approx(1 / 255, rel=1e-3)
    assert shrunk(replace(seen, fed=features)) == 1
    scaled = Material(features, np.zeros(400), "values", shrunk=1 / 255)
    fed = scaled.features(Remedy("", features="standardised")) / 255
    assert fed.std() == pytest.approx(1, abs=0.1)
