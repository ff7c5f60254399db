"""Writes a model in another form, sees to it that it answers alike, and describes it."""

from collections.abc import Callable
from pathlib import Path

from lightning_mnist.errors import InputError
from lightning_mnist.export.agreement import Agreement, Written
from lightning_mnist.export.card import card
from lightning_mnist.export.files import (
    write_onnx,
    write_page,
    write_safetensors,
    write_torchscript,
)
from lightning_mnist.sentences import writing
from lightning_mnist.trained import Trained
from parity.writing import write_file, written_whole

TOLERANCE = 1e-5
"""Between logits, relative to the largest where that is above 1: float32 in another order."""
WRITERS: dict[str, Callable[[Trained, Path], Written]] = {
    "onnx": write_onnx,
    "torchscript": write_torchscript,
    "safetensors": write_safetensors,
}


def export_model(
    form: str,
    checkpoint: Path,
    target: Path,
    source: str | None,
    root: str | None,
    beside: Path | None,
) -> list[Path]:
    """Write a model and its card; give their paths.

    It is tried on the digits of `source`, by default those of its training; `beside` is a second
    checkpoint, for a page of two.

    Raises:
        InputError: something cannot be read or written, or the file answers otherwise.
    """
    trained = Trained.read(checkpoint)
    digits = trained.digits(source, root)
    other = None if beside is None else Trained.read(beside)
    with writing(str(target)):
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(target) as path:
            if form == "page":
                written = write_page(trained, path, digits, other)
            else:
                written = WRITERS[form](trained, path)
            agreement = Agreement.of(trained, written.answers, digits)
            alike = agreement.difference <= TOLERANCE * max(1.0, agreement.largest)
            if not (alike or written.rounded):
                raise InputError(
                    f"{target}: answers otherwise than {checkpoint}, by {agreement.difference:.2g} "
                    f"at logits up to {agreement.largest:.3g}; nothing was written"
                )
        described = target.with_name(f"{target.name}.md")
        write_file(described, card(form, trained, agreement, target, written.remarks))
    return [target, described]
