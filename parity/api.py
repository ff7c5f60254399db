"""What other programs call: files, folders or arrays in, a verdict or causes out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parity.judge.answers import Run, Side, answers
from parity.judge.case_files import case_of, load_case
from parity.judge.comparable import CannotCompareError
from parity.judge.loading import load_side
from parity.judge.outcome import Outcome, judge_sides
from parity.judge.shapes import Called, Given
from parity.judge.verdict import Thresholds, Verdict
from parity.watch.diagnosis import Finding
from parity.watch.diagnosis import diagnose as causes
from parity.watch.symptoms import Symptoms


class Comparison(Outcome):
    """Two sides, what was measured of them, and what is said of it."""

    def write(self, folder: Path | str, command: str = "parity.compare(a, b)") -> dict[str, Any]:
        """Write ``report.html``, ``report.json``, ``report.md`` and ``junit.xml`` into a folder.

        Returns:
            What ``report.json`` holds.

        Raises:
            OSError: the folder cannot be written.
        """
        from parity.report.document import document  # with Matplotlib, slow to import
        from parity.report.files import write_report

        values = document(self, command)
        write_report(self, values, Path(folder))
        return values


def compare(
    a: Side | Path | str | ArrayLike,
    b: Side | Path | str | ArrayLike,
    thresholds: Thresholds | None = None,
    views: Sequence[str] = (),
    *,
    labels: ArrayLike | None = None,
) -> Comparison:
    """Compare two sides.

    Args:
        a: The path of a run directory, of a folder of run directories (one a seed) or of a file of
            predictions; or, in memory, the logits or probabilities float [N, C] or the classes
            int [N] of one model, or a list of them, one a seed.
        b: The other side; differences are B - A.
        thresholds: What counts as different.
        views: Versions of the test set that are judged like the test set itself. Others that the
            runs have answered are measured only.
        labels: The truth, int [N], of what is given in memory; files have their own.

    Raises:
        RunRecordError: a file is missing, unreadable or breaks the contract.
        CannotCompareError: arrays that are no answers, or sides that do not answer the same
            questions.
    """
    first, second = _side(a, "A", labels), _side(b, "B", labels)
    return Comparison(**vars(judge_sides(first, second, thresholds or Thresholds(), views)))


def assert_parity(
    a: Side | Path | str | ArrayLike,
    b: Side | Path | str | ArrayLike,
    thresholds: Thresholds | None = None,
    views: Sequence[str] = (),
    *,
    labels: ArrayLike | None = None,
) -> Comparison:
    """Compare two sides in a test suite; arguments as for `compare`.

    Raises:
        AssertionError: the verdict is not EQUIVALENT; the message has verdict and reasons.
    """
    comparison = compare(a, b, thresholds, views, labels=labels)
    if comparison.verdict is not Verdict.EQUIVALENT:
        reasons = "".join(f"\n  {n}. {r}" for n, r in enumerate(comparison.judgement.reasons, 1))
        raise AssertionError(f"{comparison.verdict.name}{reasons}")
    return comparison


def diagnose(
    run: Path | str | ArrayLike,
    images: Sequence[Path | str] = (),
    *,
    labels: ArrayLike | None = None,
) -> list[Finding]:
    """Name the causes of what is wrong with a model, the likeliest first; none where all is well.

    Args:
        run: The path of a run directory or of a file of predictions; or, in memory, logits or
            probabilities float [N, C], or classes int [N].
        images: Files of what the model is fed: one .npy or .npz, or pictures.
        labels: The truth, int [N], of what is given in memory.

    Raises:
        RunRecordError: a file is missing, unreadable or breaks the contract.
        CannotCompareError: an array that is no answers.
    """
    if isinstance(run, str | Path):
        return causes(load_case(Path(run), [Path(image) for image in images]))
    return causes(case_of(_run(_array(run, "run"), "run", labels), Symptoms()))


def _side(given: Side | Path | str | ArrayLike, name: str, labels: ArrayLike | None) -> Side:
    if isinstance(given, Side):
        return given
    if isinstance(given, str | Path):
        return load_side(Path(given))
    several = isinstance(given, list | tuple) and given and np.ndim(given[0]) > 0
    arrays = [_array(one, name) for one in given] if several else [_array(given, name)]  # type: ignore[union-attr]
    if len(arrays) == 1 and arrays[0].ndim == 3:
        arrays = list(arrays[0])  # [R, N, C], one of R seeds each
    return Side(name, [_run(array, f"seed{n}", labels) for n, array in enumerate(arrays)])


def _array(given: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:  # such as a tensor with a gradient
        raise CannotCompareError(f"{name}: cannot be read as an array ({error})") from error


def _run(array: NDArray[Any], name: str, labels: ArrayLike | None) -> Run:
    called: Called = "scores" if array.ndim == 2 else "predictions"
    truth = None if labels is None else _array(labels, "labels")
    try:
        if array.dtype.kind not in "biuf":
            raise ValueError(f"values of type {array.dtype}; expected numbers")
        return answers(name, Given(array, called, truth))
    except ValueError as error:
        raise CannotCompareError(f"{name}: {error}") from error
