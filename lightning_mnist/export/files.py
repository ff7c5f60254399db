"""A trained model as a file that runs without this package, and what that file answers."""

import json
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_mnist.data.mnist_form import SIDE
from lightning_mnist.data.sources import RawDigits
from lightning_mnist.errors import InputError
from lightning_mnist.export.agreement import Written
from lightning_mnist.instruments import interchange
from lightning_mnist.page.build import LARGEST, build
from lightning_mnist.sentences import check_installed
from lightning_mnist.trained import Trained
from parity.mlp_file import MLPFileError, load, save


def write_onnx(trained: Trained, path: Path) -> Written:
    """Write an ONNX file: raw ``images`` in, ``logits`` out, any number of images at once.

    Raises:
        InputError: onnx or onnxruntime is not installed.
    """
    check_installed("--to onnx", "export", "onnx", "onnxscript", "onnxruntime")
    example = torch.zeros(2, SIDE, SIDE, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # torch 2.13 of itself
        program = torch.onnx.export(
            trained.model,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        )
    assert program is not None
    import onnx

    model = program.model_proto
    onnx.helper.set_model_props(model, trained.metadata())
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return _onnx_session(path)


def _onnx_session(path: Path) -> Written:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def answers(images: Tensor) -> Tensor:
        logits: NDArray[np.float32] = session.run(["logits"], {"images": images.numpy()})[0]
        return torch.from_numpy(logits)

    return Written(answers)


def write_torchscript(trained: Trained, path: Path) -> Written:
    """Write a TorchScript file, with what is known of the model in ``metadata.json``."""
    example = torch.zeros(2, SIDE, SIDE, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what was asked for is deprecated
        script = torch.jit.trace(trained.model, example)  # type: ignore[no-untyped-call]
        metadata = {"metadata.json": json.dumps(trained.metadata(), indent=2)}
        torch.jit.save(script, str(path), _extra_files=metadata)
        read = torch.jit.load(str(path))  # type: ignore[no-untyped-call]

    def answers(images: Tensor) -> Tensor:
        logits: Tensor = read(images)
        return logits

    return Written(answers)


def write_safetensors(trained: Trained, path: Path) -> Written:
    """Write the interchange format of ``parity convert``: weights and what rebuilds the network.

    Raises:
        InputError: a network that the format cannot say.
    """
    try:
        save(path, *interchange.read_module(trained.path))
        plan, tensors = load(path)
    except MLPFileError as error:
        raise InputError(f"{trained.path}: {error}") from None
    module = interchange.module_of(plan, tensors).eval()

    def answers(images: Tensor) -> Tensor:
        logits: Tensor = module(images)
        return logits

    return Written(answers)


def write_page(
    trained: Trained, path: Path, digits: RawDigits | None, beside: Trained | None
) -> Written:
    """Write a page of a model, or of two.

    Raises:
        InputError: there are no digits to show, or a network that a page cannot compute.
    """
    if digits is None:
        raise InputError(
            "--to page: the digits that the model was trained on are not at hand; expected "
            "--data.source mnist, digits or an .npz: a page shows a thousand test digits"
        )
    page = build([trained] if beside is None else [trained, beside], digits)
    content = page.html.encode()
    path.write_bytes(content)
    remarks = [f"Size: {len(content):,} bytes."]
    if page.steps is not None:
        remarks.append(
            f"Weights are rounded to {2 * page.steps + 1} levels in each row, as many as fit into "
            f"{LARGEST:,} bytes, 255 at most and 9 at least; those of the last layer to 255."
        )
    remarks.append(
        "The page marks as unsure what is stranger than the images that the network was validated "
        "on. Shadows, ruled lines and frames, which `predict` tells from a digit, it does not know."
    )
    if beside is not None:
        remarks.append(f"Beside it the page shows {beside.path}, weights {beside.sha256[:12]}.")
    rounded = page.steps is not None
    return Written(partial(page.network.logits, trained), tuple(remarks), rounded)
