"""Sound ports climb to the top, and each planted mistake stops the climb at its rung, by name."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_mnist.command_line.command import BuiltCLI, open_cli
from lightning_mnist.instruments.lockstep import LockStep
from parity.arrays import Table
from parity.ladder.climb import Climb
from parity.ladder.plan import Plan
from parity.ladder.rung import Rung
from parity.report.ladder import summary
from parity.sides.jobs import ENTRIES
from parity.sides.recipe import Optimizer, Recipe
from parity.sides.remote import Remote
from parity.sides.runner import export_data
from tests.conftest import ROOT, SLOW, Here, make_digits, mostly_slow, write_npz
from tests.support import planted
from tests.support.in_process import InProcess

BATCH = 64


@pytest.fixture(autouse=True)
def _no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """LightningCLI warns where it is given arguments and the process has some too."""
    monkeypatch.setattr("sys.argv", ["ladder"])


class Replayed(InProcess):
    """A side that computes once what it is asked in several climbs, all from its beginning."""

    def __init__(self, flags: list[str]) -> None:
        super().__init__("keras")
        self.flags = flags
        self.answers: dict[str, Table] = {}
        """By all that was asked up to there."""
        self.asked: list[tuple[str, Table | None, dict[str, Any]]] = []
        self.trail = self.computed = ""

    def rewind(self) -> "Replayed":
        self.asked, self.trail = [], ""
        return self

    def send(self, call: str, table: Table | None = None, **arguments: Any) -> None:
        before = self.trail
        self.asked.append((call, table, arguments))
        self.trail = digest(before, call, table, arguments)
        if self.trail not in self.answers:
            with float64():
                if self.computed != before or not before:
                    self.server.open(ENTRIES["keras"], list(self.flags), "float64")
                    for earlier, given, more in self.asked[:-1]:
                        super().send(earlier, given, **more)
                super().send(call, table, **arguments)
            self.answers[self.trail], self.computed = self.answer, self.trail
        self.answer = self.answers[self.trail]


def digest(before: str, call: str, table: Table | None, arguments: dict[str, Any]) -> str:
    """Of a call and all those before it."""
    parts = [before, call, sorted(arguments.items())]
    parts += [(name, array.tobytes()) for name, array in sorted((table or {}).items())]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@contextmanager
def float64() -> Iterator[None]:
    """Keras in float64; other tests share this process."""
    import keras

    keras.config.set_floatx("float64")
    try:
        yield
    finally:
        keras.config.set_floatx("float32")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """810 images: 13 batches of 64, the last one of 42."""
    digits = make_digits(train_per_class=81, test_per_class=8)
    return write_npz(digits, tmp_path_factory.mktemp("ladder") / "tiny.npz")


@pytest.fixture(scope="module")
def reference(data: Path) -> Callable[[Recipe], Replayed]:
    """The Keras side of a recipe."""

    @cache
    def built(flags: tuple[str, ...]) -> Replayed:
        return Replayed(list(flags))

    def of(recipe: Recipe) -> Replayed:
        return built(tuple(recipe.flags("keras", str(data), 0, "unused"))).rewind()

    return of


Reference = Callable[[Recipe], Replayed]


def port(kind: type[LockStep], recipe: Recipe, data: Path) -> InProcess:
    """The Lightning side of a recipe, as it is or with a mistake."""
    flags = recipe.flags("lightning", str(data), 0, "unused")
    return InProcess("port", kind(open_cli(BuiltCLI, flags), torch.float64))


def climb(a: InProcess, b: InProcess, data: Path) -> list[Rung]:
    """All rungs up to the first broken one."""
    rungs = []
    for rung in Climb(a, b, None, Plan(data, BATCH), lambda _: None).rungs():
        rungs.append(rung)
        if not rung.passed:
            break
    return rungs


OPTIMIZERS: tuple[Optimizer, ...] = (
    "adam", "adamw", "sgd", "rmsprop", "adagrad", "nadam", "muon",
)  # fmt: skip
PLAIN = Recipe(hidden=(16, 16), batch_size=BATCH)
NORM = replace(PLAIN, batch_norm=True)
GELU = replace(PLAIN, activation="gelu")
NESTEROV = replace(PLAIN, optimizer="sgd", optimizer_settings={"momentum": 0.9, "nesterov": True})
ADAMW = replace(PLAIN, optimizer="adamw")


@pytest.mark.parametrize("optimizer", mostly_slow(OPTIMIZERS, "adam"))
def test_a_sound_port_climbs_to_the_top(optimizer: Any, data: Path, reference: Reference) -> None:
    """With batch norm; without it, each climbs on MNIST."""
    recipe = replace(NORM, optimizer=optimizer)
    rungs = climb(port(LockStep, recipe, data), reference(recipe), data)
    assert [rung.name for rung in rungs] == [
        "raw arrays", "pixels", "initial weights", "logits", "loss", "gradients",
        "1 step", "10 steps", "epoch, 13 steps", "test images",
    ]  # fmt: skip
    assert all(rung.passed for rung in rungs), rungs[-1]


@pytest.mark.slow
@pytest.mark.parametrize("changed", [
    {"activation": "silu"}, {"activation": "tanh"}, {"invert": True}, {"standardize": "dataset"},
    {"standardize": "image"}, {"hidden": ()},
    {"optimizer": "sgd", "optimizer_settings": {"momentum": 0.9, "nesterov": True}},
    {"optimizer": "rmsprop", "optimizer_settings": {"momentum": 0.9, "centered": True}},
    {"optimizer": "adam", "optimizer_settings": {"amsgrad": True, "weight_decay": 0.01}},
    {"label_smoothing": 0.1, "max_norm": 0.5},
    {"optimizer": "adamw", "weight_decay_on": "matrices", "batch_norm": True},
], ids=str)  # fmt: skip
def test_so_does_every_other_setting(
    changed: dict[str, Any], data: Path, reference: Reference
) -> None:
    recipe = replace(PLAIN, **changed)
    rungs = climb(port(LockStep, recipe, data), reference(recipe), data)
    assert rungs[-1].name == "test images"
    assert rungs[-1].passed


@pytest.mark.slow
def test_decay_on_other_tensors_is_named(data: Path, reference: Reference) -> None:
    # Biases and offsets begin at 0, so that the first steps shrink hardly any.
    decays = replace(ADAMW, batch_norm=True, optimizer_settings={"weight_decay": 0.5})
    matrices = replace(decays, weight_decay_on="matrices")
    last = climb(port(LockStep, matrices, data), reference(decays), data)[-1]
    assert (last.name, last.passed) == ("1 step", False), last
    assert last.causes[0].name == "weight decay's tensors", last.causes


def test_tensorflows_own_gelu_is_found_out(data: Path, reference: Reference) -> None:
    """It rounds the root of two to float32, even in float64: 5e-9, and nobody's mistake."""
    rungs = climb(port(LockStep, GELU, data), reference(GELU), data)
    logits = next(rung for rung in rungs if rung.name == "logits")
    assert "no mistake, activation_1" in logits.note
    assert "gelu" in logits.note
    assert max(rung.worst.absolute for rung in rungs) < 1e-6
    assert all(rung.passed for rung in rungs)


PLANTED = [
    (planted.OneLabelWrong, PLAIN, "raw arrays", None),
    (planted.ScaledTwice, PLAIN, "pixels", "scale"),
    (planted.Inverted, PLAIN, "pixels", "invert"),
    (planted.Turned, PLAIN, "pixels", "transposed"),
    (planted.RoundedToFloat32, PLAIN, "pixels", "float32"),
    (planted.Transposed, PLAIN, "initial weights", "transposed"),
    (planted.BiasOff, PLAIN, "initial weights", "off"),
    (planted.LayersSwapped, PLAIN, "initial weights", "swapped"),
    (planted.WeightsInFloat32, PLAIN, "initial weights", "float32"),
    (planted.NormEpsilon, NORM, "logits", "epsilon"),
    (planted.Leaky, PLAIN, "logits", "activation"),
    (planted.TanhGelu, GELU, "logits", "activation"),
    (planted.DropoutAlwaysOn, PLAIN, "logits", "dropout"),
    (planted.DropoutInTraining, PLAIN, "logits", "dropout"),
    (planted.SoftmaxOutput, PLAIN, "logits", "softmax"),
    (planted.SummedLoss, PLAIN, "loss", "sum"),
    (planted.SmoothedLabels, PLAIN, "loss", "smoothing"),
    (planted.LabelsOffByOne, PLAIN, "loss", "labels"),
    (planted.SoftmaxTwice, PLAIN, "loss", "softmax"),
    (planted.Clipped, PLAIN, "gradients", "clip"),
    (planted.Penalised, PLAIN, "gradients", "L2"),
    (planted.Frozen, PLAIN, "gradients", "dense_1.kernel"),
    (planted.NormMomentum, NORM, "1 step", "batch-norm momentum"),
    (planted.NesterovOff, NESTEROV, "1 step", "Nesterov"),
    (planted.DecayCoupled, ADAMW, "1 step", "decay"),
    (planted.TorchAdam, PLAIN, "1 step", "epsilon"),
    (planted.EpsilonValue, PLAIN, "1 step", "epsilon"),
    (planted.LearningRate, PLAIN, "1 step", "learning rate"),
    (planted.Amsgrad, PLAIN, "10 steps", "amsgrad"),
    (planted.ScheduleOffByOne, PLAIN, "10 steps", "learning-rate schedule"),
    (planted.BatchesSwapped, PLAIN, "10 steps", "swapped"),
    (planted.LastBatchDropped, PLAIN, "epoch, 13 steps", "last batch"),
]


# One of each rung is fast.
FAST = {rung: mistake for mistake, _, rung, _ in reversed(PLANTED)}.values()


@pytest.mark.parametrize(
    ("mistake", "recipe", "rung", "cause"),
    [pytest.param(*row, marks=() if row[0] in FAST else SLOW) for row in PLANTED],
    ids=[mistake.__name__ for mistake, *_ in PLANTED],
)
def test_a_planted_mistake_is_found_at_its_rung_and_named(
    mistake: type[LockStep],
    recipe: Recipe,
    rung: str,
    cause: str | None,
    data: Path,
    reference: Reference,
) -> None:
    torch.manual_seed(0)
    last = climb(port(mistake, recipe, data), reference(recipe), data)[-1]
    assert (last.name, last.passed) == (rung, False), last
    if cause is not None:
        assert last.causes, last
        named = f"{last.causes[0].name} {last.causes[0].text}"
        assert cause in named, last.causes
        if "batches" not in named:  # there the gap is between losses
            assert last.causes[0].gap < last.worst.absolute


@pytest.mark.slow
def test_torchs_adam_stops_at_the_first_step_for_two_reasons(
    data: Path, reference: Reference
) -> None:
    last = climb(port(LockStep, replace(PLAIN, port="torch"), data), reference(PLAIN), data)[-1]
    assert (last.name, last.passed) == ("1 step", False), last
    causes = {cause.name: cause.gap for cause in last.causes}
    assert set(causes) == {"epsilon's place", "epsilon's value", "bias correction"}
    assert min(causes.values()) < 1e-15


@pytest.mark.slow
@pytest.mark.pictures
def test_the_command_shows_each_rung_and_leaves_a_record_and_a_picture(
    parity_here: Here, data: Path, tmp_path: Path
) -> None:
    flags = ["--data.source", data, "--hidden", "[16]", "--batch_size", BATCH, "--out", "out"]
    done = parity_here("ladder", *flags, "--precision", "float32", "--dropout", "0.2")
    assert done.code == 0, done.err
    assert "in lock step they are off" in done.out
    assert "1 step" in done.out
    assert "one ulp in the initial weights of keras alone has grown to" in done.out
    values = json.loads((tmp_path / "out" / "ladder.json").read_text())
    assert values["passed"]
    assert values["precision"] == "float32"
    assert [rung["passed"] for rung in values["rungs"]] == [True] * 10
    picture = (tmp_path / "out" / "ladder.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize("keep_going", [False, True])
def test_a_pair_of_ones_own_stops_where_it_parts_unless_told_to_go_on(
    keep_going: bool, parity_here: Here, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    ours, port = "examples.own_pair:in_torch", "tests.support.planted:by_hand_in_a_hurry"
    entries = ["--a", port, "--b", ours]
    flags = ["--data.source", data, "--batch_size", BATCH, "--out", "out"]
    done = parity_here("ladder", *entries, *flags, *["--keep-going"] * keep_going)
    assert done.code == 1, done.err
    names = [rung["name"] for rung in json.loads(Path("out/ladder.json").read_text())["rungs"]]
    assert names[-1] == ("test images" if keep_going else "loss")
    assert "sum" in done.out


@SLOW
def test_the_example_pair_climbs_to_the_top(
    parity_here: Here, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    entries = ["--a", "examples.own_pair:by_hand", "--b", "examples.own_pair:in_torch"]
    done = parity_here("ladder", *entries, "--data.source", data, "--out", "out")
    assert done.code == 0, done.err
    assert "compute the same thing" in done.out


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (["--a", "nothing:here"], 5, "'nothing:here' cannot be imported"),
        (["--a", "json"], 5, "expected MODULE:FUNCTION"),
        (["--a", "json:dumps"], 5, "json:dumps"),
        (["--batch_size", "0"], 2, "expected at least 1"),
        (["--precision", "float16"], 2, "precision"),
        (["--data.source", "missing.npz"], 5, "missing.npz"),
    ],
    ids=str,
)
def test_what_cannot_be_climbed_is_said_in_a_sentence(
    flags: list[str], code: int, sentence: str, parity_here: Here, data: Path
) -> None:
    done = parity_here("ladder", "--data.source", data, *flags, "--out", "out")
    assert done.code == code
    assert done.err.startswith("error: ")
    assert sentence in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("out/ladder.json").exists()


def test_networks_of_two_shapes_part_at_their_weights(data: Path, reference: Reference) -> None:
    last = climb(port(LockStep, NORM, data), reference(PLAIN), data)[-1]
    assert (last.name, last.passed) == ("initial weights", False)
    assert "batch_norm_1" in last.causes[0].text


@pytest.mark.slow
def test_an_epoch_of_mnist_in_lock_step_with_every_optimizer(
    mnist_root: Path, tmp_path: Path
) -> None:
    """469 steps of Adam and of the large network, 100 of the others; one process builds a side."""
    whole = export_data(tmp_path, "mnist", str(mnist_root))
    with np.load(whole) as arrays:
        cut = {n: a[:12_800] if n.endswith("train") else a for n, a in arrays.items()}
    part = tmp_path / "part.npz"
    np.savez(part, **cut)
    recipes = [(replace(Recipe(), optimizer=name), part, 1e-12) for name in OPTIMIZERS[1:]]
    recipes.append((Recipe(), whole, 1e-12))
    recipes.append((Recipe(hidden=(512, 512), batch_norm=True), whole, 1e-9))
    with Remote("lightning", tmp_path / "a") as a, Remote("keras", tmp_path / "b") as b:
        for recipe, source, limit in recipes:
            for side in (a, b):
                flags = recipe.flags(side.name, str(source), 0, "unused")
                side.open(ENTRIES[side.name], flags, "float64")
            rungs = list(Climb(a, b, None, Plan(source, 128), lambda _: None).rungs())
            assert all(rung.passed for rung in rungs), (recipe, summary(rungs, ("a", "b")))
            epoch = rungs[-2]
            assert epoch.name == f"epoch, {100 if source == part else 469} steps"
            assert epoch.worst.absolute <= limit
            assert "0 of 10,000 predictions differ" in rungs[-1].note
