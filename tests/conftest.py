"""Shared by all tests: small networks use one thread, and real MNIST is named or skipped."""

import os

# Before torch and TensorFlow are imported, and inherited by every command that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENCV_FOR_THREADS_NUM"] = "1"
os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
os.environ["TF_NUM_INTEROP_THREADS"] = "1"
# Lightning 2.6 calls functions of jsonargparse that have been renamed.
os.environ["JSONARGPARSE_DEPRECATION_WARNINGS"] = "off"

import fcntl
import gc
import importlib
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import numpy as np
import pytest
from PIL import Image

from lightning_mnist.data import sources
from lightning_mnist.data.sources import RawDigits
from parity import provenance
from parity.watch.trials import proving
from parity.watch.trials.ranking import tried

hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("suite")  # neither chance nor a slow machine fails a test

ROOT = Path(__file__).parent.parent
LONG = (
    "lightning_mnist/test_mnist.py",
    "parity/diagnosis/test_pixels.py",
    "parity/judge/test_run.py",
    "lightning_mnist/training/test_healthy.py",
)
"""Files whose slow tests take minutes: they begin first, or one worker waits for the other."""
Command = Callable[..., subprocess.CompletedProcess[str]]


class Done(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Here = Callable[..., Done]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """No garbage is looked for while frameworks are imported: it takes a third of that time.

    Nor is JAX imported, which TensorFlow asks for where it is there, and needs for its lite form.
    """
    gc.disable()
    sys.modules["jax"] = None  # type: ignore[assignment]
    try:
        return (yield)
    finally:
        del sys.modules["jax"]
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; ``--no-loadscope-reorder`` keeps that order on several workers."""
    items.sort(key=lambda item: item.path.relative_to(ROOT / "tests").as_posix() not in LONG)


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """The folder of the real MNIST files."""
    root = os.environ.get("LIGHTNING_MNIST_DATA")
    if not root or sources.find_mnist(Path(root)) is None:
        pytest.skip("real MNIST: set LIGHTNING_MNIST_DATA to the folder of its four files")
    return Path(root)


@pytest.fixture(scope="session")
def mnist_run(
    mnist_root: Path, lightning_mnist_command: Command, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What `fit` leaves of MNIST as it comes, trained once for all processes of this suite."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    run = shared / "mnist_run"
    with (shared / "mnist_run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (run / "predictions.npz").exists():
            flags = ("--data.source", "mnist", "--data.root", mnist_root, "--run_dir", run)
            done = lightning_mnist_command("fit", *flags, timeout=1800)
            assert done.returncode == 0, done.stderr
    return run


@pytest.fixture(autouse=True)
def _no_mnist_by_accident(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fast tests give the same result with and without MNIST on the machine."""
    if "mnist_root" not in request.fixturenames:
        monkeypatch.delenv("LIGHTNING_MNIST_DATA", raising=False)


@pytest.fixture(autouse=True, scope="module")
def _seeded_file() -> None:
    """What the fixtures of a file draw does not depend on the files before it."""
    seed()


@pytest.fixture(autouse=True, scope="module")
def _what_is_imported_stays() -> None:
    """Keras collects garbage often, and need not look among all that frameworks have made."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Nor does what a test draws: which weights a network begins with, say."""
    seed()


def seed() -> None:
    """Set every generator that draws without being told a seed, of what is imported already."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - it is the one that libraries draw from
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def _float32_again() -> Iterator[None]:
    """A climb in float64 within this process leaves Keras as it was for the next test."""
    yield
    if "keras" in sys.modules:
        config = sys.modules["keras"].config
        config.set_floatx("float32")
        if config.dtype_policy().name != "float32":  # made from floatx when it was first asked for
            config.set_dtype_policy("float32")


@pytest.fixture(autouse=True, scope="session")
def _nothing_waits_for_the_disk() -> Iterator[None]:
    """What a killed process leaves does not depend on it, and no test pulls the plug."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def _remedies_are_tried_however_slow_the_machine() -> Iterator[None]:
    """What a trial finds is then a matter of its steps, not of who computes beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proving, "tried", lambda one, all_, _, steps: tried(one, all_, 600.0, steps))
        yield


@pytest.fixture(autouse=True)
def _pictures_undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """To draw what a run leaves takes longer than its training: for those who look at it only."""
    if request.node.get_closest_marker("pictures") is None:
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", save_blank)


def save_blank(*drawn: Any, **settings: object) -> None:
    """A picture of nothing where the last of `drawn` says, in place of a figure's own."""
    Image.new("L", (8, 8)).save(drawn[-1], format="png")


def leave_undrawn(patch: pytest.MonkeyPatch, package: str) -> None:
    """What a run of Lightning leaves is not even composed."""
    patch.setattr("matplotlib.figure.Figure.savefig", save_blank)
    if package == "lightning_mnist":
        for name in ("draw_curves", "draw_confusion", "draw_digits"):
            patch.setattr(f"lightning_mnist.plots.{name}", save_blank)


@pytest.fixture(autouse=True, scope="session")
def _git_is_asked_once() -> Iterator[None]:
    """The commit of this checkout is noted by every run, and stays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "checkout_of", cache(provenance.checkout_of))
        yield


@pytest.fixture(scope="session")
def lightning_mnist_command() -> Command:
    """Run ``python -m lightning_mnist`` as a user would, in a process of its own."""

    def run(
        *flags: object, cwd: Path = ROOT, timeout: float = 300, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lightning_mnist", *map(str, flags)],
            cwd=cwd,
            env={**os.environ, "COLUMNS": "200", **environment},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def in_process(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Here:
    """Run ``python -m PACKAGE`` in this process, which saves seconds, in `tmp_path`."""

    def run(package: str, *flags: object) -> Done:
        with capsys.disabled():  # Lightning's log handlers must outlive a test's capture
            module = importlib.import_module(package)
            if hasattr(module, "__path__"):
                module = importlib.import_module(f"{package}.__main__")
            main = module.main
            if package == "lightning_mnist":
                importlib.import_module("lightning_mnist.command_line.command")
                read_signatures_once()
                if request.node.get_closest_marker("pictures") is None:
                    leave_undrawn(monkeypatch, package)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [package, *map(str, flags)])
        capsys.readouterr()
        try:
            code = main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Done(code, *capsys.readouterr())

    return run


@cache
def read_signatures_once() -> None:
    """The flags of a command are made from signatures by its first run in this process only."""
    cli: Any = importlib.import_module("lightning_mnist.command_line.own_flags").AskedCLI
    prepare, known = cli._prepare_subcommand_parser, {}

    def prepared(self: Any, klass: type, subcommand: str, **settings: Any) -> Any:
        which = str((self.words[:1], subcommand, settings))
        if which not in known:
            parser = prepare(self, klass, subcommand, **settings)
            known[which] = parser, self._subcommand_method_arguments
        parser, named = known[which]
        self._subcommand_method_arguments |= named
        return parser

    cli._prepare_subcommand_parser = prepared


def start(package: str, *flags: object, cwd: Path, drawn: bool = False) -> int:
    """Run ``python -m PACKAGE`` in this process and in `cwd`: what several tests may share."""
    main = importlib.import_module(f"{package}.__main__").main
    if package == "lightning_mnist":
        read_signatures_once()
    with pytest.MonkeyPatch.context() as patch:
        if not drawn:
            leave_undrawn(patch, package)
        patch.chdir(cwd)
        patch.setattr(sys, "argv", [package, *map(str, flags)])
        code: int = main()
    return code


@pytest.fixture
def here(in_process: Here) -> Here:
    """``python -m lightning_mnist``."""
    return partial(in_process, "lightning_mnist")


@pytest.fixture
def keras_here(in_process: Here) -> Here:
    """``python -m keras_reference``."""
    return partial(in_process, "keras_reference")


@pytest.fixture
def parity_here(in_process: Here) -> Here:
    """``python -m parity``."""
    return partial(in_process, "parity")


@pytest.fixture
def tiny_digits() -> RawDigits:
    """Forty images of each class, which a network learns in a few steps: a bar for each digit."""
    return make_digits(train_per_class=40, test_per_class=8)


@pytest.fixture
def tiny_npz(tiny_digits: RawDigits, tmp_path: Path) -> Path:
    """The tiny digits in Keras' ``mnist.npz`` format."""
    return write_npz(tiny_digits, tmp_path / "tiny.npz")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same for the tests of a file, in a folder of theirs, which none of them changes."""
    digits = make_digits(train_per_class=40, test_per_class=8)
    return write_npz(digits, tmp_path_factory.mktemp("source") / "tiny.npz")


def write_npz(digits: RawDigits, path: Path) -> Path:
    """The digits in Keras' ``mnist.npz`` format; gives `path`."""
    np.savez(
        path,
        x_train=digits.train_images,
        y_train=digits.train_labels,
        x_test=digits.test_images,
        y_test=digits.test_labels,
    )
    return path


@cache
def embedded_digits() -> RawDigits:
    """scikit-learn's, read and enlarged once for all files of a process; none changes them."""
    return sources.load("digits", Path("nowhere"))


def make_digits(train_per_class: int, test_per_class: int) -> RawDigits:
    """Noisy images whose class is the height of a bright bar."""
    rng = np.random.default_rng(0)

    def part(per_class: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat(np.arange(10), per_class)
        images = rng.integers(0, 60, (len(labels), 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4 + 2 * label : 6 + 2 * label, 4:24] = 255
        return images, labels

    return RawDigits(*part(train_per_class), *part(test_per_class), name="tiny")


def mostly_slow(values: Iterable[Any], *fast: Any) -> list[Any]:
    """Parameters of a test, tuples of several, of which only `fast` belong to the fast suite."""
    return [
        value
        if value in fast
        else pytest.param(*(value if type(value) is tuple else (value,)), marks=SLOW)
        for value in values
    ]


SLOW = pytest.mark.slow


def assert_part_of(part: object, whole: object) -> None:
    """All that a recipe says, the resolved one says too."""
    if isinstance(part, dict):
        assert isinstance(whole, dict)
        for key, value in part.items():
            assert_part_of(value, whole[key])
    else:
        assert part == whole
