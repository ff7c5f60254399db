"""A page in one file: its pictures and styles are within it."""

import base64
import io
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from parity.provenance import versions_of
from parity.writing import written_whole

DPI = 110


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill a template of this package, whole or not at all."""
    environment = Environment(
        loader=PackageLoader("lightning_mnist", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: "-" if share is None else f"{share:.2%}"
    text = environment.get_template(template).render(**values)
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def as_png(figure: Figure) -> bytes:
    """A figure as the bytes of a picture."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def inline(picture: bytes) -> str:
    """The address of a picture that is within its page."""
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def command_line() -> str:
    """What was typed."""
    return shlex.join(["python", "-m", "lightning_mnist", *sys.argv[1:]])


def versions(*packages: str) -> dict[str, str]:
    """Of Python, of this package, and of `packages`."""
    ours = version("lightning-mnist")
    return {"lightning-mnist": ours, **versions_of("torch", "lightning", "numpy", *packages)}
