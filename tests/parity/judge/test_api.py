"""What other programs call: the public names, arrays in memory, and reports from a program."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity
from tests.conftest import ROOT
from tests.support.parity_sides import healthy

LABELS, LIGHTNING, KERAS = (array[..., :2000] for array in healthy())
LOOSE = parity.Thresholds(
    accuracy_margin=0.05, recall_margin=0.2, share_margin=0.05, disagreement_margin=0.05
)


def scores(predicted: np.ndarray) -> np.ndarray:
    """Logits [N, 10] of a model that is sure of what it predicts."""
    return np.asarray(9 * np.eye(10, dtype=np.float32)[predicted] - 3)


def test_the_public_names_are_these() -> None:
    assert sorted(parity.__all__) == [
        "CannotCompareError", "CollapsedError", "Comparison", "Finding", "ParityError",
        "RunRecordError", "SideFailedError", "Thresholds", "Verdict", "__version__",
        "assert_parity", "compare", "diagnose",
    ]  # fmt: skip
    assert all(getattr(parity, name) is not None for name in parity.__all__)
    assert not hasattr(parity, "secret")


def test_the_ladder_can_be_called_whatever_was_imported_before() -> None:
    command = [sys.executable, "-c", "import parity; print(callable(parity.ladder))"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_the_errors_have_one_base() -> None:
    for error in (parity.CannotCompareError, parity.RunRecordError, parity.SideFailedError):
        assert issubclass(error, parity.ParityError)


def test_importing_the_package_imports_nothing() -> None:
    code = "import sys, parity; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not set(done.stdout.split()) & {"numpy", "scipy", "rich", "msgspec", "torch", "keras"}


@pytest.mark.parametrize("form", ["a list", "one array [R, N, C]", "classes"])
def test_several_seeds_in_memory(form: str) -> None:
    sides = [[scores(p) for p in runs[:4]] for runs in (LIGHTNING, KERAS)]
    forms: dict[str, list[Any]] = {
        "a list": sides,
        "one array [R, N, C]": [np.stack(side) for side in sides],
        "classes": [list(LIGHTNING[:4]), list(KERAS[:4])],
    }
    a, b = forms[form]
    comparison = parity.compare(a, b, LOOSE, labels=LABELS)
    assert comparison.verdict is parity.Verdict.EQUIVALENT, comparison.judgement.reasons
    assert [len(side.runs) for side in (comparison.a, comparison.b)] == [4, 4]
    assert comparison.evidence.over_seeds
    assert parity.assert_parity(a, b, LOOSE, labels=list(LABELS)).verdict is comparison.verdict


def test_one_model_a_side_and_no_labels() -> None:
    comparison = parity.compare(scores(LIGHTNING[0]), scores(LIGHTNING[0]))
    assert comparison.evidence.accuracy is None
    with pytest.raises(AssertionError, match="COLLAPSED"):
        parity.assert_parity(scores(LIGHTNING[0]), np.ones((2000, 10)), labels=LABELS)


def test_an_array_beside_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "theirs.npz", labels=LABELS, predictions=KERAS[0])
    comparison = parity.compare(scores(KERAS[0]), tmp_path / "theirs.npz", labels=LABELS)
    assert comparison.evidence.disagreement.between == 0


def test_a_comparison_writes_its_reports(tmp_path: Path) -> None:
    values = parity.compare(scores(KERAS[0]), scores(KERAS[1]), labels=LABELS).write(tmp_path / "r")
    written = {path.name for path in (tmp_path / "r").iterdir()}
    assert written == {"report.html", "report.json", "report.md", "junit.xml"}
    assert json.loads((tmp_path / "r" / "report.json").read_text()) == values


def test_what_is_no_answer_is_named() -> None:
    good = scores(KERAS[0])
    for bad, labels, said in (
        (good[:, :1], LABELS, r"B, seed0|seed0: .*2 classes"),
        (good, LABELS[:7], r"labels of shape \(7,\); expected \[2000\]"),
        (np.array(["a"] * 2000), LABELS, "values of type <U1; expected numbers"),
        ([[1, 2], [1]], LABELS, "cannot be read as an array|labels of shape"),
        (good[:5], None, "2,000 images"),
    ):
        with pytest.raises(parity.CannotCompareError, match=said):
            parity.compare(good, bad, labels=labels)


def test_a_tensor_that_has_a_gradient_is_named() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(scores(KERAS[0]))
    assert parity.compare(tensor, tensor).evidence.disagreement.between == 0
    with pytest.raises(parity.CannotCompareError, match="detach"):
        parity.compare(tensor.requires_grad_(), tensor)


def test_causes_of_arrays_and_of_files(tmp_path: Path) -> None:
    swapped = np.arange(10)
    swapped[[4, 9]] = 9, 4
    answers = swapped[KERAS[0]]
    np.savez(tmp_path / "theirs.npz", labels=LABELS, predictions=answers)
    for found in (
        parity.diagnose(scores(answers), labels=LABELS),
        parity.diagnose(answers, labels=LABELS),
        parity.diagnose(tmp_path / "theirs.npz"),
    ):
        assert [finding.cause for finding in found] == ["classes 4 and 9 are swapped"]
    assert parity.diagnose(scores(KERAS[0]), labels=LABELS) == []
