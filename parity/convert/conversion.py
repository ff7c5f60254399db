"""A model in another framework's file, proven on a test set.

The interchange is a ``.safetensors``; each side translates its own files from it and to it, in a
process of its own. Whatever is converted is brought into all three forms, so that each conversion
is proven in the same way: the Keras file in Keras and the checkpoint in Lightning answer alike.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from parity.run_record import PREDICTIONS_FILE, Predictions
from parity.sides.jobs import SideFailedError
from parity.watch.collapse import COLLAPSED
from parity.writing import written_whole

SAFETENSORS = ".safetensors"
SIDES = {".keras": "keras_reference", ".ckpt": "lightning_mnist"}
"""The package that reads and writes files of that ending."""
ANSWERING = {".keras": ("predict", "--model_file"), ".ckpt": ("test", "--ckpt_path")}
"""How it is told to answer the test set with one."""
ENDINGS = (*SIDES, SAFETENSORS)
TOLERANCE = 1e-5
"""By how much two logits may differ, in units of the largest logit where that is more than 1.

Absolute it would refuse sound networks: on MNIST, logits of up to 40, 53 and 173 were 1.1e-5,
1.7e-5 and 4.2e-4 off by float32's rounding alone, from 3e-7 to 2.4e-6 of the largest.
"""


class DifferentError(RuntimeError):
    """What was converted does not answer as the original does; the message has the figures."""


@dataclass(frozen=True)
class Conversion:
    """What was converted, and how well.

    Attributes:
        size: Layers and parameters, in words.
        gap: The largest difference between two logits.
        images: Test images that both have answered.
    """

    size: str
    gap: float
    images: int


def convert(source: Path, target: Path, data: Path, folder: Path) -> Conversion:
    """Write what `source` holds as `target`, once both sides answer alike.

    Args:
        source: A file with one of `ENDINGS`.
        target: A file with another; it is replaced whole, or left as it was.
        data: The ``.npz`` whose test part is answered.
        folder: For what is made on the way.

    Raises:
        SideFailedError: a side cannot read or say what `source` holds.
        DifferentError: the logits differ.
        OSError: `target` cannot be written.
    """
    forms, size = _forms(source, data, folder)
    answers = _answers(forms, data, folder)
    with np.errstate(invalid="ignore"):  # infinite on both sides
        gaps = np.abs(answers[".keras"] - answers[".ckpt"]).max(axis=1)
    # The smaller of both sides' largest: a logit that was blown up excuses nothing.
    largest = min(float(np.abs(logits).max()) for logits in answers.values())
    allowed = TOLERANCE * max(1.0, largest)
    differ = ~(gaps <= allowed)  # what is not a number differs
    if differ.any():
        worst = int(np.where(np.isnan(gaps), np.inf, gaps).argmax())
        raise DifferentError(
            f"{source} to {target}: the logits of {differ.sum():,} of {len(gaps):,} test images "
            f"differ, by up to {gaps[worst]:.1e} (image {worst}); expected at most {allowed:.1e}, "
            "and so nothing was written"
        )
    with written_whole(target) as temporary:
        shutil.copyfile(forms[target.suffix], temporary)
    return Conversion(size, float(gaps.max()), len(gaps))


def _forms(source: Path, data: Path, folder: Path) -> tuple[dict[str, Path], str]:
    """The model as a file of each ending, `source` among them, and how large it is."""
    forms = {source.suffix: source}
    size = ""
    if source.suffix != SAFETENSORS:
        forms[SAFETENSORS] = folder / f"model{SAFETENSORS}"
        _translate(SIDES[source.suffix], source, forms[SAFETENSORS], data)
    for ending, package in SIDES.items():
        if ending not in forms:
            forms[ending] = folder / f"model{ending}"
            size = _translate(package, forms[SAFETENSORS], forms[ending], data)
    return forms, size


def _translate(package: str, source: Path, target: Path, data: Path) -> str:
    """Have a side read one file and write the other; how large the network is.

    A Keras file may not say how its pixels are scaled; that is tried on `data`.
    """
    command = [sys.executable, "-m", f"{package}.instruments.interchange", str(source), str(target)]
    command += ["--data", str(data)] if source.suffix == ".keras" else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise SideFailedError(_sentence(done.stderr))
    for line in done.stderr.splitlines():
        if line.startswith("note: "):
            print(line, file=sys.stderr)
    return done.stdout.strip()


def _answers(forms: Mapping[str, Path], data: Path, folder: Path) -> dict[str, NDArray[np.float32]]:
    """The logits, float32 [N, 10], that each side gives with its own file, side by side.

    Where one ends in a softmax, probabilities of both.
    """

    def answer(ending: str) -> Predictions:
        run_dir = folder / SIDES[ending]
        flags = [*ANSWERING[ending], str(forms[ending])]
        flags += ["--data.source", str(data), "--run_dir", str(run_dir)]
        command = [sys.executable, "-m", SIDES[ending], *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode not in (0, COLLAPSED):
            raise SideFailedError(_sentence(done.stderr))
        return Predictions.load(run_dir / PREDICTIONS_FILE)

    with ThreadPoolExecutor() as pool:
        given = dict(zip(SIDES, pool.map(answer, SIDES), strict=True))
    as_shares = any(predictions.called == "probabilities" for predictions in given.values())
    return {
        ending: np.asarray(softmax(predictions.logits, axis=1), np.float32)
        if as_shares and predictions.called == "logits"
        else predictions.logits
        for ending, predictions in given.items()
    }


def _sentence(stderr: str) -> str:
    """What a side says is wrong, without what its framework says besides."""
    lines = [line for line in stderr.splitlines() if line.strip()] or ["no word of why"]
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (said or lines)[-1]
