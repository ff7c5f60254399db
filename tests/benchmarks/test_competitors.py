"""Every competitor does the work that it is timed for; no test asserts a time."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from benchmarks import crew as crews
from benchmarks.competitors import AUGMENTED, PLAIN, Competitor
from benchmarks.crew import crew
from benchmarks.errors import WorkerFailedError
from benchmarks.processes import fit, once
from benchmarks.work import AUGMENTATION, Work
from benchmarks.workers import bare, ours, usual
from tests.benchmarks.conftest import answers


@pytest.mark.parametrize(
    "name",
    [
        "bare loop, ours",
        "matrix products",
        "ours, augmented",
        "lightning, 0 workers",
        "lightning, 2 workers, torchvision",
    ],
)
@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_competitors_of_torch_train(name: str, work: Work, tmp_path: Path) -> None:
    member = {**PLAIN, **AUGMENTED}[name]
    _, answer = answers(member, replace(work, augmented=member.augmented), tmp_path)
    assert answer["seconds"] > 0
    assert answer["peak_mib"] > 50


@pytest.mark.parametrize(
    "name",
    [
        "keras",
        "keras tuned, validated",
        "keras tuned, augmented",
        "keras tuned, its affine layers",
    ],
)
@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_competitors_of_keras_train_and_are_tuned(
    name: str, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras_fit: Any = pytest.importorskip("benchmarks.workers.keras_fit", exc_type=ImportError)
    monkeypatch.setattr(keras_fit, "CALIBRATION_ROUNDS", 1)
    ways = keras_fit.STEPS_PER_EXECUTION if name == "keras tuned, validated" else (32,)
    monkeypatch.setattr(keras_fit, "STEPS_PER_EXECUTION", ways)
    member = {**PLAIN, **AUGMENTED}[name]
    note, answer = answers(member, replace(work, augmented=member.augmented), tmp_path)
    assert answer["seconds"] > 0
    if name == "keras":
        assert note == {}
        return
    trials = note["calibration_seconds"]
    assert len(trials) == 2 * len(ways)
    assert trials[note["chosen"]] == min(value for value in trials.values() if value is not None)


def test_keras_validates_with_images_that_it_does_not_train_on(work: Work) -> None:
    from benchmarks.workers import keras_fit

    training, validation = keras_fit.read(work)
    assert [len(part) for part in (*training, *validation)] == [367, 367, 33, 33]
    model = Mock()
    keras_fit.seconds(model, training, work, verbose=0, validation=validation)
    assert model.fit.call_args.kwargs["validation_data"] is validation


def test_torchvision_displaces_as_far_as_we_do() -> None:
    elastic = usual.transform(augmented=True).transforms[2]  # type: ignore[attr-defined]
    torch.manual_seed(0)
    image = torch.zeros(1, 28, 28, dtype=torch.uint8)
    half_images = torch.stack([elastic.make_params([image])["displacement"] for _ in range(100)])
    pixels = 14 * half_images[..., 8:20, 8:20, :].square().mean().sqrt()
    assert pixels == pytest.approx(AUGMENTATION["elastic"], rel=0.1)


@pytest.mark.slow
def test_kornia_displaces_as_far_as_we_do() -> None:
    pytest.importorskip("kornia")
    ramp = torch.arange(28.0).expand(100, 1, 28, 28)  # tells each pixel's column
    torch.manual_seed(0)
    pixels = (bare.kornia_elastic()(ramp) - ramp)[..., 8:20, 8:20].square().mean().sqrt()
    assert pixels == pytest.approx(AUGMENTATION["elastic"], rel=0.1)


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_ours_is_held_to_the_same_work(work: Work, tmp_path: Path) -> None:
    """A record of fewer steps, images or epochs is not taken for a fast one."""
    _, record = fit(work, tmp_path / "run", 1)
    assert ours.epoch_seconds(record, work) == record.durations["fit"]
    for other in (
        replace(work, images=366),
        replace(work, batch_size=32),
        replace(work, epochs=2),
    ):
        with pytest.raises(WorkerFailedError, match=r"trained on 367 images for 1 epochs in 6"):
            ours.epoch_seconds(record, other)


@pytest.mark.slow
def test_a_worker_that_fails_says_why_and_where_its_log_is(work: Work, tmp_path: Path) -> None:
    missing = replace(work, data="no.npz")
    with (
        pytest.raises(
            WorkerFailedError, match=r"one failed .*one\.log.*FileNotFoundError.*no\.npz"
        ),
        crew({"one": (PLAIN["bare loop"], missing)}, 1, tmp_path),
    ):
        pass
    with (
        pytest.raises(WorkerFailedError, match=r"one failed .*No module named.*no_such_worker"),
        crew({"one": (Competitor("no_such_worker"), work)}, 1, tmp_path),
    ):
        pass


@pytest.mark.slow
def test_the_crew_ends_with_its_block(work: Work, tmp_path: Path) -> None:
    with crew({"one": (PLAIN["bare loop"], work)}, 1, tmp_path) as (workers, _):
        process = workers["one"].process
        assert process.poll() is None
    assert process.returncode == 0


def test_every_framework_gets_the_same_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    environment = crews.environment(3)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    assert {environment[name] for name in names} == {"3"}


def test_a_process_that_fails_says_why(tmp_path: Path, work: Work) -> None:
    with pytest.raises(
        WorkerFailedError, match=r"no_such ended with exit code 1 .*No module named"
    ):
        once("no_such", work, 1, tmp_path / "log")


@pytest.mark.slow
def test_jax_learns_what_the_bare_loop_learns(work: Work) -> None:
    """From the same weights, in the same order, the smaller last batch too, over two epochs."""
    jnp = pytest.importorskip("jax.numpy")
    from benchmarks.workers import jax_scan

    work = replace(work, epochs=2)
    network = bare.mlp(work.hidden)
    layers: Any = list(network)[::2]
    pairs = [(layer.weight.T, layer.bias) for layer in layers]
    state = jax_scan.initial(work)
    weights = [tuple(jnp.array(tensor.detach().numpy()) for tensor in pair) for pair in pairs]
    assert [w.shape for pair in state[0] for w in pair] == [w.shape for p in weights for w in p]
    images, labels = jax_scan.arrays(work.data, "train")
    training = images[: work.images], labels[: work.images]
    *_, (learned, *_) = jax_scan.train(work, (weights, *state[1:]), *training)

    optimizer = torch.optim.Adam(network.parameters(), lr=work.learning_rate, fused=True)
    batches = bare.Batches(*bare.train_images(work, torch.device("cpu")), work.batch_size)
    rng = np.random.default_rng(work.seed)
    for _ in range(2):
        bare.epoch(network, optimizer, batches, torch.from_numpy(rng.permutation(work.images)))
    for layer, pair in zip(layers, learned, strict=True):
        for tensor, array in zip((layer.weight.T, layer.bias), pair, strict=True):
            np.testing.assert_allclose(tensor.detach().numpy(), array, atol=1e-4)
    logits = network(training_pixels(work)).argmax(1).numpy()
    right = float((logits == np.asarray(training[1])).mean())
    assert jax_scan.accuracy(learned, *training).item() == pytest.approx(right, abs=0.01)


def training_pixels(work: Work) -> torch.Tensor:
    return bare.train_images(work, torch.device("cpu"))[0] / 255


@pytest.mark.slow
@pytest.mark.usefixtures("near")
def test_jax_takes_part(work: Work, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    _, answer = answers(PLAIN["jax, validated"], work, tmp_path)
    assert answer["seconds"] > 0
    result = once("jax_script", work, 1, tmp_path / "jax.log")
    assert 0.1 < result["accuracy"] <= 1
