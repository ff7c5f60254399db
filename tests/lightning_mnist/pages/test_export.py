"""A model that leaves the house: it answers alike, says what it is, and its card is true."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightning_mnist.__main__ import main as start
from lightning_mnist.data.sources import RawDigits, load
from lightning_mnist.export import model as exporting
from lightning_mnist.export.agreement import Written
from lightning_mnist.trained import Trained
from parity.run_record import RECORD_FILE, RunRecord
from tests.conftest import Here, make_digits, write_npz

FORMS = {"onnx": ".onnx", "torchscript": ".pt", "safetensors": ".safetensors"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory, the network as odd as it can be: inverted, standardised, batch norm."""
    from lightning_mnist.command_line.command import main

    folder = tmp_path_factory.mktemp("export")
    source = write_npz(make_digits(train_per_class=40, test_per_class=8), folder / "tiny.npz")
    flags = ["--data.source", str(source), "--model.hidden", "[16, 8]", "--model.invert", "true"]
    flags += ["--model.standardize", "dataset", "--trainer.enable_progress_bar", "false"]
    flags += ["--trainer.max_epochs", "2", "--run_dir", str(folder / "run")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["lightning_mnist"])
        assert main(["fit", *flags]) == 0
    return folder / "run"


def best(run: Path) -> Path:
    return run / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def exported(run: Path) -> dict[str, Path]:
    """The model of the run in every form."""
    with pytest.MonkeyPatch.context() as patch:
        paths = {}
        for form, ending in FORMS.items():
            paths[form] = run / f"model{ending}"
            words = ["export", "--ckpt_path", best(run), "--to", form, "--output", paths[form]]
            patch.setattr(sys, "argv", ["lightning_mnist", *map(str, words)])
            assert start() == 0
    return paths


def answers_of(path: Path, images: np.ndarray) -> np.ndarray:
    """What a file answers, by its own library alone."""
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {session.get_inputs()[0].name: images})[0])
    return np.asarray(torch.jit.load(str(path))(torch.from_numpy(images)).detach())


@pytest.mark.parametrize("form", ["onnx", "torchscript"])
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:DeprecationWarning")
def test_a_file_takes_raw_digits_and_answers_as_the_checkpoint(
    form: str, run: Path, exported: dict[str, Path]
) -> None:
    digits = load(str(run.parent / "tiny.npz"), Path())
    expected = Trained.read(best(run)).logits(torch.from_numpy(digits.test_images)).numpy()
    for count in (1, 7, len(expected)):
        answers = answers_of(exported[form], digits.test_images[:count])
        assert answers.dtype == np.float32
        np.testing.assert_allclose(answers, expected[:count], atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_card_is_true(form: str, run: Path, exported: dict[str, Path]) -> None:
    card = Path(f"{exported[form]}.md").read_text()
    record = RunRecord.load(run / RECORD_FILE)
    assert f"{record.metrics['accuracy']:.2%} of the {record.metrics['images']} test" in card
    assert re.findall(r"^\| (\d) \| (.*) \|$", card, re.M) == [
        (str(digit), f"{recall:.2%}") for digit, recall in enumerate(record.metrics["recall"])
    ]
    assert f"trained on: {record.data['name']}" in card
    assert record.data["sha256"] in card
    assert f"seed: {record.seed}" in card
    assert "recipe: 16-8, Adam 0.002, batch 128, batch norm, dropout 0.3, inverted" in card
    for name, version in record.versions.items():
        assert f"{name} {version}" in card
    assert record.provenance is not None
    assert (record.provenance.commit or "") in card
    model = Trained.read(best(run)).model
    assert f"{sum(p.numel() for p in model.network.parameters()):,} parameters" in card


def test_files_say_what_they_are(run: Path, exported: dict[str, Path]) -> None:
    import onnx

    model = onnx.load(exported["onnx"])
    said = {item.key: item.value for item in model.metadata_props}
    assert said == Trained.read(best(run)).metadata()
    assert said["classes"] == "0 1 2 3 4 5 6 7 8 9"
    assert len(said["weights_sha256"]) == 64
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    extra = {"metadata.json": ""}
    with pytest.warns(DeprecationWarning, match="deprecated"):
        torch.jit.load(str(exported["torchscript"]), _extra_files=extra)
    assert json.loads(extra["metadata.json"]) == said


def test_the_hash_is_of_the_weights(run: Path) -> None:
    first, again = Trained.read(best(run)), Trained.read(best(run))
    assert first.sha256 == again.sha256
    layer = next(m for m in again.model.network.modules() if isinstance(m, nn.Linear))
    with torch.no_grad():
        layer.bias[0] += 1e-3
    assert first.sha256 != again.sha256


def test_a_file_that_answers_otherwise_is_not_written(
    run: Path, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(trained: Trained, path: Path) -> Written:
        path.write_bytes(b"wrong")

        def answers(images: Tensor) -> Tensor:
            return trained.logits(images) + 1e-3

        return Written(answers)

    monkeypatch.setitem(exporting.WRITERS, "onnx", wrong)
    target = tmp_path / "model.onnx"
    done = here("export", "--ckpt_path", best(run), "--to", "onnx", "--output", target)
    assert done.code == 1
    assert "answers otherwise" in done.err
    assert not list(tmp_path.iterdir())


def test_without_its_test_set_a_card_claims_nothing(
    run: Path, here: Here, tmp_path: Path, tiny_digits: RawDigits
) -> None:
    kept = (run.parent / "tiny.npz").read_bytes()
    target = tmp_path / "model.safetensors"
    flags = ("export", "--ckpt_path", best(run), "--to", "safetensors", "--output", target)
    try:
        (run.parent / "tiny.npz").unlink()
        assert here(*flags).out.splitlines() == [str(target), f"{target}.md"]
        assert "Not measured" in Path(f"{target}.md").read_text()
        other = RawDigits(
            tiny_digits.train_images, tiny_digits.train_labels, tiny_digits.test_images[:40],
            tiny_digits.test_labels[:40], "tiny",
        )  # fmt: skip
        write_npz(other, run.parent / "tiny.npz")
        assert here(*flags).code == 0
        assert "Not measured" in Path(f"{target}.md").read_text()  # other digits of that name
        assert here(*flags, "--data.source", run.parent / "tiny.npz").code == 0
        assert "of the 40 test images" in Path(f"{target}.md").read_text()
    finally:
        (run.parent / "tiny.npz").write_bytes(kept)


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ((), 2, "expected DIR"),
        (("out", "--ckpt_path", "x.ckpt"), 2, "expected DIR"),
        (("--ckpt_path", "x.ckpt"), 2, "--to onnx | "),
        (("--ckpt_path", "x.ckpt", "--to", "tflite"), 2, "invalid choice"),
        (("--ckpt_path", "x.ckpt", "--to", "onnx", "--beside", "y.ckpt"), 2, "--to page"),
        (("--ckpt_path", "x.ckpt", "--to", "onnx"), 1, "no such file"),
        (("--ckpt_path", "x.ckpt", "--to", "onnx", "--output", "x.pt"), 1, "ending in .onnx"),
    ],
    ids=str,
)
def test_what_cannot_be_exported_is_said(
    flags: tuple[str, ...], code: int, said: str, here: Here
) -> None:
    done = here("export", *flags)
    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err


def test_a_missing_library_is_named(
    run: Path, here: Here, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "lightning_mnist.sentences.find_spec",
        lambda name: None if name == "onnxruntime" else find(name),
    )
    target = tmp_path / "model.onnx"
    done = here("export", "--ckpt_path", best(run), "--to", "onnx", "--output", target)
    assert done.code == 1
    assert "takes onnxruntime, which is not installed; pip install" in done.err


@pytest.mark.parametrize(
    "callbacks",
    [None, {}, [], {"RunRecorder": None}, {"RunRecorder": {"recipe": "[", "data": {}}},
     {"RunRecorder": {"recipe": "1", "data": 3}}],
    ids=str,
)  # fmt: skip
def test_a_checkpoint_that_says_nothing_of_itself_is_exported(
    callbacks: object, run: Path, here: Here, tmp_path: Path
) -> None:
    checkpoint = torch.load(best(run), weights_only=True) | {"callbacks": callbacks}
    torch.save(checkpoint, tmp_path / "mute.ckpt")
    done = here("export", "--ckpt_path", tmp_path / "mute.ckpt", "--to", "safetensors")
    assert (done.code, done.err) == (0, "")
    card = (tmp_path / "mute.safetensors.md").read_text()
    assert "recipe: not known" in card
    assert "Not measured" in card
    page = here("export", "--ckpt_path", tmp_path / "mute.ckpt", "--to", "page")
    assert page.code == 1
    assert "expected --data.source" in page.err
