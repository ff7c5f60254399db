"""A trained model as a page to draw on."""

from functools import partial
from pathlib import Path

from lightning_mnist.data.sources import RawDigits
from lightning_mnist.errors import InputError
from lightning_mnist.export.agreement import Written
from lightning_mnist.page.build import LARGEST, build
from lightning_mnist.trained import Trained


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
