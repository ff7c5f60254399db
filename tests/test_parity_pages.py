"""The look and the parts that all pages share."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from parity.pages import rendered

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
BODY = """
{% extends "pages/page.html.j2" %}
{% block title %}{{ name }}{% endblock %}
{% block main %}
{% for heading in "abcd" %}<section><h2>{{ heading }}</h2></section>{% endfor %}
<table><tr><th>what</th><th>how much</th></tr>
{% for what, amount in rows %}<tr><td>{{ what }}</td><td>{{ amount }}</td></tr>{% endfor %}</table>
{% endblock %}
"""
ROWS = [("x", "1,000"), ("z", "-"), ("y", "20.5%"), ("w", "-3")]
CLICKS = """<script>
const what = () => [...document.querySelectorAll("td:first-child")].map((cell) => cell.textContent);
const button = document.querySelectorAll("th button")[1], seen = [];
button.click(); seen.push(what().join(""));
button.click(); seen.push(what().join(""));
document.title = seen.join(" then ");
</script>"""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a package that has a template and nothing else."""
    package = tmp_path / "a_package_with_a_page"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "own.html.j2").write_text(BODY)
    monkeypatch.syspath_prepend(tmp_path)
    return rendered(package.name, "own.html.j2", name="<b>", rows=ROWS)


def test_what_is_shown_is_escaped_and_what_is_missing_is_an_error(page: str) -> None:
    assert "<title>&lt;b&gt;</title>" in page
    with pytest.raises(UndefinedError, match="rows"):
        rendered("a_package_with_a_page", "own.html.j2", name="")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_sections_are_listed_and_a_table_is_sorted(page: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page.replace("</body>", CLICKS + "</body>"))
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "<title>wyxz then xywz</title>" in done.stdout, done.stderr
    assert re.findall(r'<a href="#(section-\d)">(\w)</a>', done.stdout) == [
        (f"section-{place}", heading) for place, heading in enumerate("abcd", 1)
    ]
    assert all(f'id="section-{place}"' in done.stdout for place in (1, 2, 3, 4))
