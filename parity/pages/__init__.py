"""What people look at: pages of one file, with one look and the same parts.

A page loads nothing from elsewhere. It reads in light and dark and on paper, lists its sections,
and sorts a table by the column whose heading is chosen.
"""

import base64
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from parity.writing import write_file


def rendered(package: str, template: str, **values: Any) -> str:
    """A page as HTML; all that comes from a file is escaped.

    Args:
        package: Whose template it is.
        template: Its path within the package; it extends ``pages/page.html.j2``.
        values: What it shows. A picture is the bytes of a PNG, through the filter `inline`.
    """
    return _environment(package).get_template(template).render(**values)


@cache
def _environment(package: str) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, ""), PackageLoader("parity", "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": lambda share: "-" if share is None else f"{share:.2%}",
        "points": lambda share: "?" if share is None else f"{100 * share:+.2f}",
        "bare_points": lambda share: "?" if share is None else f"{100 * share:.2f}",
        "number": lambda value: "-" if value is None else f"{value:.3g}",
        "inline": lambda picture: f"data:image/png;base64,{base64.b64encode(picture).decode()}",
    }
    return environment


def write_page(path: Path, package: str, template: str, **values: Any) -> None:
    """Write what `rendered` gives, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    write_file(path, rendered(package, template, **values))
