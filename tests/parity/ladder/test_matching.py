"""The ladder on models whose layers are called, cut and laid out otherwise; in one process too."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("keras", reason="the extra keras is not installed")

import keras
from keras import layers as kl
from torch import Tensor, nn

import parity
from parity.ladder.bundle import BundleError, Recorder, Replay, Shadow
from parity.ladder.climb import Climb
from parity.ladder.plan import Plan
from parity.ladder.rung import Rung
from parity.ladder.together import Climbed
from parity.sides.local import Local
from parity.sides.lockstep import Server
from tests.conftest import ROOT
from tests.support.random_pairs import Shift

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 5, 5, 2)), RNG.integers(0, 3, 24)


def compiled(*parts: Any) -> keras.Model:
    in_float64()
    return finished(keras.Sequential([keras.Input((5, 5, 2)), *(part() for part in parts)]))


def in_float64() -> None:
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


def finished(model: keras.Model) -> keras.Model:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
    return model


def plain() -> keras.Model:
    return compiled(
        lambda: kl.Conv2D(3, 3, activation="relu"), kl.Flatten, lambda: kl.Dense(4),
        lambda: kl.Activation("tanh"), lambda: kl.Dense(3),
    )  # fmt: skip


class Net(nn.Module):
    """The same, declared from behind, with a bias of its own and channels first."""

    def __init__(
        self, function: Callable[[Tensor], Tensor] = torch.tanh, rate: float = 0.1
    ) -> None:
        super().__init__()
        self.last, self.shift = nn.Linear(4, 3), Shift(4, 0)
        self.middle, self.first = nn.Linear(27, 4, bias=False), nn.Conv2d(2, 3, 3)
        self.function, self.rate = function, rate

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x.movedim(-1, 1))).flatten(1)
        given: Tensor = self.last(self.function(self.shift(self.middle(x))))
        return given

    def trained(self) -> tuple[Any, ...]:
        return self, torch.optim.SGD(self.parameters(), self.rate), nn.CrossEntropyLoss()


def branched() -> keras.Model:
    in_float64()
    given = keras.Input((5, 5, 2))
    x = kl.Flatten()(given)
    first = kl.Dense(4, activation="tanh")(x)
    second = kl.Dense(4, activation="sigmoid")(x)
    return finished(keras.Model(given, kl.Dense(3)(kl.Multiply()([first, second]))))


class Branched(nn.Module):
    """The same with its branches in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(50, 4), nn.Linear(50, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.a(x.flatten(1)))
        given: Tensor = self.c(gate * torch.tanh(self.b(x.flatten(1))))
        return given


def trained(module: nn.Module) -> tuple[Any, ...]:
    return module, torch.optim.SGD(module.parameters(), 0.1), nn.CrossEntropyLoss()


def climbed(a: Any, b: Any, **options: Any) -> Climbed:
    found: Climbed = parity.ladder(a, b, X, Y, batch_size=8, **options)  # type: ignore[operator]
    return found


@pytest.mark.parametrize("swapped", [False, True])
def test_a_port_with_habits_of_its_own_climbs_to_the_top(swapped: bool) -> None:
    pair = (plain(), Net().trained())
    done = climbed(*(pair[::-1] if swapped else pair))
    assert done.passed, done
    assert done.rungs[2].note == "layers were matched by order, kind and shape"


def test_models_in_float32_are_measured_by_what_an_ulp_does() -> None:
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    parts = [kl.Flatten(), kl.Dense(4, activation="tanh"), kl.Dense(3)]
    model = finished(keras.Sequential([keras.Input((5, 5, 2)), *parts]))
    port = nn.Sequential(nn.Flatten(), nn.Linear(50, 4), nn.Tanh(), nn.Linear(4, 3))
    done = climbed(trained(port), model)
    assert done.passed, done
    assert "one ulp in the initial weights" in done.rungs[-2].note


def test_branches_in_another_order_are_matched_by_what_they_give() -> None:
    done = climbed(trained(Branched()), branched())
    assert done.passed, done
    assert "dense_1 = dense_2, dense_2 = dense_1" in done.rungs[2].note


def test_a_mistake_is_found_behind_layers_that_were_matched() -> None:
    done = climbed(Net(torch.sigmoid).trained(), plain())
    assert not done.passed
    assert done.rungs[-1].name == "logits"
    assert "applies sigmoid" in done.rungs[-1].causes[0].text
    assert "matched by order, kind and shape" in done.rungs[2].note


def test_a_layer_without_a_partner_is_said_with_what_was_tried() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(50, 3))
    done = climbed(trained(module), plain())
    assert [rung.passed for rung in done.rungs] == [True, False]
    assert "tried were the layers' order, kinds, shapes and outputs" in done.rungs[-1].note
    assert "conv_1 (kernel [3, 3, 2, 3]" in done.rungs[-1].note


def test_map_says_which_layer_is_which() -> None:
    done = climbed(
        trained(Branched()), branched(), told={"dense_1": "dense_2", "dense_2": "dense_1"}
    )
    assert done.passed, done
    assert done.rungs[2].note == "layers were matched as --map says"
    done = climbed(trained(Branched()), branched(), told={"dense_1": "dense_3"})
    assert not done.rungs[-1].passed


def local(name: str, built: Any, path: Path) -> Local:
    from parity.sides.lockstep import adapted

    server = Server()
    server.side = adapted(built, "float64")
    return Local(name, server)


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    path = tmp_path / "digits.npz"
    np.savez(path, x_train=X, y_train=Y, x_test=X, y_test=Y)
    return path


def climb(a: Any, b: Any, data: Path) -> list[Rung]:
    return list(Climb(a, b, None, Plan(data, 8), lambda _: None).rungs())


def bundles(digits: Path, rate: float = 0.1) -> tuple[Path, Path]:
    """The Keras side alone, the torch side beside it."""
    first, second = digits.with_name("a.zip"), digits.with_name("b.zip")
    recorder = Recorder(local("keras", plain(), digits))
    assert all(rung.passed for rung in climb(Shadow(recorder), recorder, digits))
    recorder.save(first, 8, beside=False)
    other = Recorder(local("torch", Net(rate=rate).trained(), digits))
    climb(other, Replay(first), digits)
    other.save(second, 8, beside=True)
    return first, second


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "tensorflow", "keras", "lightning", "torchmetrics"):
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Blocked())
from parity.__main__ import main
sys.exit(main())
"""


def test_bundles_are_compared_where_neither_framework_is(digits: Path) -> None:
    first, second = bundles(digits)
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, "ladder", first, second, "--out", digits.with_name("out")],
        env=os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT)},
        cwd=digits.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "compute the same thing" in done.stdout


def test_a_bundle_shows_what_its_side_does_otherwise(digits: Path) -> None:
    first, second = bundles(digits, rate=0.2)
    rungs = climb(Replay(second), Replay(first), digits)
    broken = next(rung for rung in rungs if not rung.passed)
    assert broken.name == "1 step"
    assert broken.causes[0].name == "learning rate"


def test_what_is_no_bundle_is_said(digits: Path) -> None:
    for content in (b"", b"PK\x03\x04 and no more", digits.read_bytes()):
        path = digits.with_name("odd.zip")
        path.write_bytes(content)
        with pytest.raises(BundleError, match="cannot be read as a bundle"):
            Replay(path)


class Wrong(Net):
    """Three mistakes at once: a leaky ReLU, a forgotten bias, and a sigmoid for a tanh."""

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.leaky_relu(self.first(x.movedim(-1, 1))).flatten(1)
        given: Tensor = self.last(torch.sigmoid(self.shift(self.middle(x)))) * 2
        return given


def test_mistakes_that_hide_each_other_are_all_named() -> None:
    done = climbed(Wrong().trained(), plain())
    texts = [cause.text for cause in done.rungs[-1].causes]
    assert done.rungs[-1].name == "logits"
    assert len(texts) == 3, texts
    for what, text in zip(("leaky_relu", "applies sigmoid", "divides by 0.5"), texts, strict=True):
        assert what in text
