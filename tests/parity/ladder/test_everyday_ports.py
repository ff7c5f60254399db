"""What ordinary ports have: dropout, one column of answers, several inputs, float32 constants."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from parity.ladder import outputs
from parity.ladder.together import Climbed, ladder
from parity.match.by_data import ANSWER, Search
from parity.match.layer import layers_of_both
from parity.readings.optimizer import sampling
from parity.readings.optimizer.explain import explain
from parity.readings.trace import Trace

RNG = np.random.default_rng(0)
ROWS, CLASSES = RNG.normal(size=(16, 6)), RNG.integers(0, 3, 16)
YES = RNG.integers(0, 2, 16).astype(float)
SECOND = RNG.normal(size=(16, 4))


class Net(nn.Module):
    """Dense, whatever is between, and dense again; answers as `last` makes them."""

    def __init__(
        self, *between: nn.Module, last: Callable[[Tensor], Tensor] = lambda x: x, width: int = 3
    ) -> None:
        super().__init__()
        self.first, self.between = nn.Linear(6, 8), nn.Sequential(*between)
        self.second, self.last = nn.Linear(8, width), last

    def forward(self, x: Tensor) -> Tensor:
        answers: Tensor = self.last(self.second(self.between(self.first(x))))
        return answers


class Dropped(Net):
    """Drops by a function."""

    def forward(self, x: Tensor) -> Tensor:
        given: Tensor = self.first(x)
        scores: Tensor = self.second(functional.dropout(given, 0.5, training=self.training))
        return scores


class Two(nn.Module):
    """A network of two inputs."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.one, self.two, self.last = nn.Linear(6, 5), nn.Linear(4, 5), nn.Linear(10, 3)
        self.function = function

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        joined = torch.cat([torch.relu(self.one(x)), self.function(self.two(z))], 1)
        scores: Tensor = self.last(joined)
        return scores


class Placed(nn.Module):
    """Adds what is the same for all samples."""

    def __init__(self, added: Tensor) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)
        self.register_buffer("added", added, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.last(self.first(x) + self.added)
        return scores


def climbed(
    a: nn.Module, b: nn.Module, x: Any, y: np.ndarray, loss: Any = functional.cross_entropy
) -> Climbed:
    losses = loss if isinstance(loss, tuple) else (loss, loss)
    sides = [
        (net, torch.optim.SGD(net.parameters(), 0.1), of)
        for net, of in zip((a, b), losses, strict=True)
    ]
    return ladder(sides[0], sides[1], x, y, batch_size=8)


def said(done: Climbed) -> list[str]:
    return [cause.text for rung in done.rungs for cause in rung.causes]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Net(nn.Dropout(0.5)), Net(nn.Dropout(0.5))),
        (Net(nn.Dropout(0.5)), Dropped()),
        (Net(nn.Dropout(0.5), nn.BatchNorm1d(8)), Net(nn.Dropout(0.5), nn.BatchNorm1d(8))),
    ],
    ids=["layers", "function", "before a norm"],
)
def test_dropout_of_one_rate_is_no_difference(a: nn.Module, b: nn.Module) -> None:
    rates = [m.p for m in a.modules() if isinstance(m, nn.Dropout)]
    done = climbed(a, b, ROWS, CLASSES)
    assert done.passed, str(done)
    assert "dropout is left off" in "".join(rung.note for rung in done.rungs)
    assert [m.p for m in a.modules() if isinstance(m, nn.Dropout)] == rates


@pytest.mark.parametrize(
    ("b", "words"),
    [(Net(nn.Dropout(0.2)), "B drops 0.2"), (Net(), "B drops nothing")],
    ids=["less", "none"],
)
def test_another_rate_of_dropout_is_named(b: nn.Module, words: str) -> None:
    (text,) = said(climbed(Net(nn.Dropout(0.5)), b, ROWS, CLASSES))
    assert "A drops 0.5" in text
    assert words in text


def test_dropout_that_is_on_in_inference_is_seen() -> None:
    class Always(Net):
        def forward(self, x: Tensor) -> Tensor:
            given: Tensor = self.first(x)
            scores: Tensor = self.second(functional.dropout(given, 0.5))
            return scores

    done = climbed(Net(nn.Dropout(0.5)), Always(), ROWS, CLASSES)
    assert "switch it off outside training" in "".join(said(done))


def test_one_column_of_answers_is_a_row_and_sigmoids_belong_to_their_loss() -> None:
    a = Net(width=1, last=lambda x: x.squeeze(1)), nn.BCEWithLogitsLoss()
    b = Net(width=1, last=torch.sigmoid), nn.BCELoss()
    c = Net(width=1, last=lambda x: torch.sigmoid(x).squeeze(1)), nn.BCELoss()
    for one, two in ((a, b), (a, c), (c, b)):
        done = climbed(one[0], two[0], ROWS, YES, (one[1], two[1]))
        assert done.passed, str(done)


def test_models_of_two_inputs_climb() -> None:
    done = climbed(Two(torch.relu), Two(torch.relu), (ROWS, SECOND), CLASSES)
    assert done.passed, str(done)
    done = climbed(Two(torch.relu), Two(torch.tanh), {"x": ROWS, "z": SECOND}, CLASSES)
    assert "relu" in said(done)[0]
    assert "tanh" in said(done)[0]
    with pytest.raises(ValueError, match="inputs of 16, 3 samples"):
        climbed(Two(torch.relu), Two(torch.relu), (ROWS, SECOND[:3]), CLASSES)


def test_norms_that_begin_at_other_values_are_named() -> None:
    norm = nn.BatchNorm1d(8)
    nn.init.constant_(norm.running_var, 0.25)  # type: ignore[arg-type]
    (text,) = said(climbed(Net(nn.BatchNorm1d(8)), Net(norm), ROWS, CLASSES))
    assert "batch_norm_1.variance: A begins with 1, B with 0.25" in text


def test_positions_in_float32_are_no_mistake() -> None:
    added = torch.linspace(-1, 1, 8, dtype=torch.float64)
    rounded = climbed(Placed(added), Placed(added.float()), ROWS, CLASSES)
    assert rounded.passed, str(rounded)
    other = climbed(Placed(added), Placed(1.001 * added), ROWS, CLASSES)
    assert "the same for all samples" in said(other)[0]


def steps(step: Callable[[np.ndarray], np.ndarray], size: int = 40) -> Trace:
    """Four steps on gradients drawn at random, of a norm above 1."""
    rng = np.random.default_rng(0)
    weights = {"dense_1.kernel": rng.normal(size=(size, 8))}
    tables: list[list[dict[str, np.ndarray]]] = [[], [], []]
    for _ in range(4):
        slope = rng.normal(size=(size, 8))
        after = {"dense_1.kernel": weights["dense_1.kernel"] - step(slope)}
        for kept, table in zip(tables, (weights, {"dense_1.kernel": slope}, after), strict=True):
            kept.append(table)
        weights = after
    return Trace(tables[0], tables[1], tables[2])


def clipped(at: float, rate: float, added: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    return lambda g: rate * g * min(1.0, at / (float(np.linalg.norm(g)) + added))


def test_of_gradients_that_are_always_clipped_threshold_times_rate_is_known() -> None:
    a = steps(clipped(0.1, 0.1))
    for b in (steps(clipped(0.5, 0.1)), steps(clipped(0.5, 0.1, 1e-6))):
        (cause,) = explain(a, b, ("A", "B"))
        assert cause.name == "threshold of clipping or learning rate"
        assert "0.01, threshold" in cause.text
        assert "0.05, threshold" in cause.text
    (cause,) = explain(steps(lambda g: 0.1 * g), steps(clipped(0.5, 0.1)), ("A", "B"))
    assert "none (A), clipped by" in cause.text
    assert "at 0.5 (B)" in cause.text


def test_some_weights_stand_for_all_of_a_large_network(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = steps(lambda g: 0.1 * g, 400), steps(lambda g: 0.2 * g, 400)
    assert sampling.telling(a, b) == {}
    monkeypatch.setattr(sampling, "LARGE", 1000)
    monkeypatch.setattr(sampling, "EACH", 160)
    chosen = sampling.telling(a, b)["dense_1.kernel"]
    apart = np.abs(a.after[-1]["dense_1.kernel"] - b.after[-1]["dense_1.kernel"])
    assert len(chosen) < 400
    assert int(apart.argmax()) in chosen
    (cause,) = explain(a, b, ("A", "B"))
    assert cause.name == "learning rate"
    assert cause.gap < 1e-12


class Residual(nn.Module):
    """A residual by functions, added before the last of them or forgotten."""

    def __init__(self, kept: bool) -> None:
        super().__init__()
        self.one, self.two, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.kept = kept

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.one(x))
        x = functional.relu(self.two(x) + x if self.kept else self.two(x))
        scores: Tensor = self.last(x)
        return scores


def test_a_residual_that_is_forgotten_before_a_function_is_named() -> None:
    texts = said(climbed(Residual(True), Residual(False), ROWS, CLASSES))
    assert any(
        "activation_2: A feeds it activation_1 + dense_2, B feeds it dense_2" in t for t in texts
    )
    assert climbed(Residual(True), Residual(True), ROWS, CLASSES).passed


class Last(nn.Module):
    """Takes the last place of what a recurrent layer gives, which is no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(2, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.rnn(x)[0][:, -1])
        return scores


def test_class_weights_are_solved_behind_a_place_that_is_taken() -> None:
    weights = torch.tensor([1.0, 4.0, 0.5], dtype=torch.float64)
    losses = nn.CrossEntropyLoss(weight=weights), nn.CrossEntropyLoss()
    texts = said(climbed(Last(), Last(), ROWS.reshape(16, 3, 2), np.arange(16) % 3, losses))
    assert any(
        "with weights of the classes 0: 2, 1: 8, 2: 1, divided by the sum" in t for t in texts
    )


class ChannelsLast(nn.Module):
    """Turns the axes of a picture and does nothing else."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


def test_a_module_that_only_turns_axes_hides_no_loss_and_is_no_layer() -> None:
    x = RNG.normal(size=(16, 1, 4, 4))
    y = RNG.integers(0, 2, (16, 4, 4, 1)).astype(float)
    nets = [nn.Sequential(nn.Conv2d(1, 1, 1), nn.Sigmoid(), ChannelsLast()) for _ in range(2)]
    losses = nn.BCELoss(), nn.BCELoss(reduction="sum")
    texts = said(climbed(nets[0], nets[1], x, y, losses))
    assert "their sum" in texts[0]
    assert climbed(nets[0], nets[1], x, y, losses[0]).passed


def test_a_recurrent_layer_of_one_direction_ends_in_its_last_place() -> None:
    given = RNG.normal(size=(2, 3, 6))
    both = np.concatenate([given[:, -1, :3], given[:, 0, 3:]], axis=-1)
    for way, names, wanted in (
        ("one", ["lstm_1.kernel"], given[:, -1]),
        ("both", ["lstm_1.kernel_l0_reverse"], both),
    ):
        narrowed, _ = outputs.of_one_shape({"lstm_1": given}, {"lstm_1": both}, names)
        assert np.array_equal(narrowed["lstm_1"], wanted), way


def test_what_a_model_keeps_itself_is_matched_before_what_works_on_it() -> None:
    own = {"dense_1.kernel": RNG.normal(size=(3, 2)), "net_1.weight": RNG.normal(size=(4, 3))}
    theirs = {"places_1.kernel": own["net_1.weight"] * 0, "dense_1.kernel": RNG.normal(size=(3, 2))}
    x = RNG.normal(size=(5, 4, 3))
    answer = (x + own["net_1.weight"]) @ own["dense_1.kernel"]

    def ask(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        table = theirs | weights
        given = (x + table["places_1.kernel"]) @ table["dense_1.kernel"]
        return {"dense_1": given, ANSWER: given}

    seen = {"dense_1": answer, "net_1": answer, ANSWER: answer}
    found = Search(*layers_of_both(own, theirs), own, own, seen, ask, np.allclose).run()
    assert found is not None
    assert {pair.a.name: pair.b.name for pair in found} == {
        "net_1": "places_1",
        "dense_1": "dense_1",
    }
