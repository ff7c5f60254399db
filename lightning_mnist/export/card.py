"""The model card: what a file is, what it was measured at, and what it is not for (Markdown).

Mitchell et al., Model Cards for Model Reporting, 2019.
"""

from pathlib import Path

from lightning_mnist.export.agreement import Agreement
from lightning_mnist.trained import Trained

FORMS = {
    "onnx": "ONNX: `images` uint8 [N, 28, 28] in, `logits` float32 [N, 10] out, any N",
    "torchscript": "TorchScript: `torch.jit.load(FILE)(images)`, uint8 [N, 28, 28] in, logits out",
    "safetensors": "Weights as safetensors; `python -m parity convert` reads and writes them",
    "page": "One HTML file: draw a digit in a browser, nothing is loaded from anywhere",
}
UNKNOWN = "not known: the checkpoint does not say"
LIMITS = """\
## What it is not for

It knows ten digits in the form of MNIST: ink 255 on paper 0, fitted into a box of 20 x 20 pixels
and centred by mass in 28 x 28. It answers with a digit whatever it is shown. Pictures that were not
brought into this form, inverted ones above all, are misread, often with high confidence. Accuracy
on the test set says nothing of other people's handwriting, cameras or forms."""


def card(
    form: str, trained: Trained, agreement: Agreement, target: Path, remarks: tuple[str, ...] = ()
) -> str:
    """The card as Markdown; every figure was measured on the file, or is in the checkpoint."""
    sections = [
        f"# {target.name}",
        f"A multilayer perceptron of {trained.parameters:,} parameters that reads handwritten "
        f"digits. {FORMS[form]}.",
        "\n".join(["## How well it reads", "", *_measured(agreement)]),
        "\n".join(["## Where it comes from", "", *(f"- {line}" for line in _origin(trained))]),
        LIMITS,
    ]
    if remarks:
        sections.insert(2, "\n".join(f"- {remark}" for remark in remarks))
    return "\n\n".join(sections) + "\n"


def _measured(agreement: Agreement) -> list[str]:
    if agreement.accuracy is None or agreement.checkpoint_accuracy is None:
        return [
            "Not measured: the test set was not at hand. "
            f"On {agreement.images:,} images of noise {_differs(agreement)}."
        ]
    lines = [
        f"{agreement.accuracy:.2%} of the {agreement.images:,} test images of {agreement.data}, "
        f"measured on this file; the checkpoint reads {agreement.checkpoint_accuracy:.2%}. "
        f"{_differs(agreement).capitalize()}.",
        "",
        "| digit | recall |",
        "|---|---|",
    ]
    for digit, recall in enumerate(agreement.recall):
        lines.append(f"| {digit} | {'-' if recall is None else f'{recall:.2%}'} |")
    return lines


def _differs(agreement: Agreement) -> str:
    return (
        f"its logits differ from the checkpoint's by {agreement.difference:.2g} at most, "
        f"at logits up to {agreement.largest:.3g}"
    )


def _origin(trained: Trained) -> list[str]:
    said = trained.metadata()
    lines = [
        f"recipe: {said['recipe'] or UNKNOWN}",
        f"optimiser steps: {f'{trained.steps:,}' if trained.steps else UNKNOWN}",
        f"seed: {trained.recipe.get('seed_everything', UNKNOWN)}",
        f"trained on: {said['data'] or UNKNOWN}",
    ]
    if said["data_sha256"]:
        lines.append(f"SHA-256 of the data: `{said['data_sha256']}`")
    lines.append(f"SHA-256 of the weights: `{said['weights_sha256']}`")
    if trained.calibration is None:
        lines.append("confidence: as the network says of itself; the checkpoint has no calibration")
    else:
        lines.append(
            f"confidence: softmax(logits / {trained.calibration.temperature:.4g}), the temperature "
            "measured on the validation images"
        )
    if record := trained.record:
        lines.append("versions: " + ", ".join(f"{k} {v}" for k, v in record.versions.items()))
        if record.provenance and record.provenance.commit:
            changed = " with changes" if record.provenance.clean is False else ""
            lines.append(f"commit: `{record.provenance.commit}`{changed}")
    return lines
