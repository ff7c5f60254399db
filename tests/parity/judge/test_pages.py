"""The look and the parts that all pages share."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from parity.pages import rendered
from tests.support.chromium import chromium, installed

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
WHAT = "[...document.querySelectorAll('td:first-child')].map((cell) => cell.textContent).join('')"
LINKS = "[...document.querySelectorAll('nav a')].map((link) => [link.hash, link.textContent])"


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


@pytest.mark.skipif(installed() is None, reason="needs Chromium")
def test_sections_are_listed_and_a_table_is_sorted(page: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page)
    with chromium() as browser:
        browser.open(file, ready="true")
        seen = []
        for _ in range(2):
            browser.run("document.querySelectorAll('th button')[1].click()")
            seen.append(browser.run(WHAT))
        assert seen == ["wyxz", "xywz"]
        links = browser.run(LINKS)
        assert links == [[f"#section-{n}", heading] for n, heading in enumerate("abcd", 1)]
        assert all(browser.run(f"document.querySelector('{place}') !== null") for place, _ in links)
        assert browser.complaints == []
