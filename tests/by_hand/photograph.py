"""Takes the pictures in README and docs/: ``python -m tests.by_hand.photograph [NAME ...]``.

What they show is made first, by the commands that a user would give, in runs/pictures; what lies
there is used again. It takes the environment of ``make test``, Chromium, MNIST
(``LIGHTNING_MNIST_DATA``) and a quarter of an hour.
Those of speed are ``python -m benchmarks`` and ``benchmarks growth``.
"""

import argparse
import html
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

from tests.conftest import ROOT
from tests.support.chromium import Chromium, chromium

DOCS, MADE = ROOT / "docs", ROOT / "runs" / "pictures"
WIDE = 1100
ON_MNIST = ("--data.source", "mnist")
RUN, OTHER = MADE / "fit", MADE / "other"
SEVEN = "[[[90,60],[200,62],[185,100],[140,222]],[[105,145],[195,142]]]"
TRAIN = """(() => {
    find('tab-train').click();
    const form = find('recipe');
    form.feed.value = '255-x';
    form.requestSubmit();
})()"""
TERMINAL = """<body style="margin:0;padding:16px;width:max-content;background:#1c1c1c;color:#ddd">
<pre style="margin:0;font:14px/1.35 'DejaVu Sans Mono',monospace">$ {command}\n{code}</pre>"""

INSIDE = "find('wrong-title').getBoundingClientRect().top + scrollY - 24"
SURE = "find('gallery').children[21].getBoundingClientRect().top + scrollY"
BOTTOM = "document.body.getBoundingClientRect().bottom"

Act = Callable[[Chromium], None]


def draw(tab: Chromium) -> None:
    """A seven, inverted on its way to the network; without the tiles of the first layer."""
    tab.run("find('tiles').closest('.columns').style.display = 'none'")
    tab.run(f"page.pad.strokes = {SEVEN}; page.pad.changed(); find('wrong').invert.click()")
    tab.wait_for("find('thousand').className === 'alarm'")


def look(tab: Chromium) -> None:
    """A seven, and what is inside the network; a unit that answers to it."""
    tab.run(f"page.pad.strokes = {SEVEN}; page.pad.changed()")
    tab.wait_for("page.inside.seen")
    tab.run(
        "find('unit').value = largest(page.inside.seen.layers[0].values); find('unit').oninput()"
    )


def train(tab: Chromium) -> None:
    """The collapse of a network that is fed 255 - x."""
    tab.run(TRAIN)
    tab.wait_for("page.report && page.report.epoch === page.report.epochs")


def compare(tab: Chromium) -> None:
    """Where two networks disagree, on a seven and on the test digits."""
    tab.run(f"page.pad.strokes = {SEVEN}; page.pad.changed(); find('tab-compare').click()")
    tab.wait_for("find('gallery').children.length > 0")


def of_any_machine(tab: Chromium) -> None:
    """Without where and when it was made."""
    tab.run(
        "for (const row of document.querySelectorAll('tr'))"
        " if (/^(command line|started|commit)/.test(row.innerText)) row.remove()"
    )


@dataclass(frozen=True)
class Shot:
    """A picture of a file that a command leaves, or of what it prints.

    Attributes:
        command: That is run, without the interpreter; none where `after` leaves the file.
        file: PNG or page; the terminal's text where there is none.
        after: What is made first.
        act: What is done with the page.
        upto: The pixel where the picture ends, in JavaScript; the whole page where it is None.
        ready: A JavaScript expression that is true once the page can be used.
    """

    command: tuple[str, ...] = ()
    file: Path | None = None
    after: "Shot | None" = None
    act: Act = lambda tab: None
    upto: str | None = None
    ready: str = "true"


FIT = ("lightning_mnist", "fit", *ON_MNIST, "--run_dir")
CONFUSION = Shot((*FIT, str(RUN)), RUN / "confusion.png")
SMALL = Shot((*FIT, str(OTHER), "--model.hidden", "[32]"), OTHER / "confusion.png", CONFUSION)
EXPORT = (
    "lightning_mnist", "export", "--to", "page", "--ckpt_path", f"{RUN}/checkpoints/best.ckpt",
    "--out",
)  # fmt: skip
DRAWN = Shot(
    (*EXPORT, f"{MADE}/page.html"), MADE / "page.html", CONFUSION, draw,
    ready="page.ready === true",
)  # fmt: skip
BESIDE = (f"{MADE}/beside.html", "--beside", f"{OTHER}/checkpoints/best.ckpt")
DIFF = ("lightning_mnist", "runs", "diff", *(str(r.relative_to(ROOT)) for r in (RUN, OTHER)))
GUARD = Shot(("examples.all_ones", f"{MADE}/guard"), upto=BOTTOM)
PARITY = ("parity", "run", "-c", "configs/parity.yaml", *ON_MNIST, "--out", f"{MADE}/parity")
FAULTS = ("parity", "faults", *ON_MNIST, "--out", f"{MADE}/faults")
LADDER = ("parity", "ladder", *ON_MNIST, "--out")
SEARCH = ("lightning_mnist", "search", "-c", "configs/search.yaml", "--data.source", "digits")
SHOTS = {
    "confusion": CONFUSION,
    "run": Shot(file=RUN / "index.html", after=CONFUSION, act=of_any_machine, upto="1190"),
    "page": DRAWN,
    "page-inside": replace(DRAWN, act=look, upto=INSIDE),
    "page-train": replace(DRAWN, act=train),
    "page-compare": Shot(
        (*EXPORT, *BESIDE), MADE / "beside.html", SMALL, compare, SURE, "page.ready === true"
    ),
    "runs": Shot(DIFF, after=SMALL, upto=BOTTOM),
    "report": Shot(PARITY, MADE / "parity" / "report.html", upto="1330"),
    "faults": Shot(FAULTS, MADE / "faults" / "faults.html", upto="1120"),
    "ladder": Shot((*LADDER, f"{MADE}/ladder"), MADE / "ladder" / "ladder.png"),
    "ladder_torch": Shot(
        (*LADDER, f"{MADE}/ladder_torch", "--port", "torch"), MADE / "ladder_torch" / "ladder.png"
    ),
    "search": Shot(
        (*SEARCH, "--out", f"{MADE}/search"), MADE / "search" / "search.html", upto="2130"
    ),
    "guard": GUARD,
    "guard-page": Shot(file=MADE / "guard" / "training.html", after=GUARD, upto="1290"),
}


def made(shot: Shot) -> Path:
    """The file that is to be seen, made where it is not there."""
    if shot.file is not None and shot.file.exists():
        return shot.file
    if shot.after is not None:
        made(shot.after)
        if shot.file is not None and not shot.command:
            return shot.file
    command = [sys.executable, "-m", *shot.command]
    said = "python -m " + " ".join(shot.command).replace(f"{ROOT}/", "")
    print(said, flush=True)
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": "110"}
    kept = subprocess.PIPE if shot.file is None else None
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, stdout=kept, stderr=kept, text=True
    )
    if shot.file is not None:
        return shot.file
    return terminal(said, done.stdout + done.stderr)


def terminal(command: str, printed: str) -> Path:
    """A page that looks as the terminal does."""
    console = Console(record=True, width=110, file=StringIO())
    console.print(Text.from_ansi(printed))
    code = console.export_html(inline_styles=True, code_format="{code}")
    path = MADE / "terminal.html"
    page = TERMINAL.format(command=html.escape(command), code=code)
    path.write_text(f"<!doctype html><meta charset=utf-8>{page}", encoding="utf-8")
    return path


def take(name: str, shot: Shot, tab: Chromium) -> None:
    """Make what is to be seen, and its picture."""
    source, path = made(shot), DOCS / f"{name}.png"
    if source.suffix == ".png":
        shutil.copy(source, path)
        return
    tab.open(source, width=WIDE, height=900, ready=shot.ready)
    shot.act(tab)
    tab.run("new Promise((done) => { setTimeout(done, 300); })")  # bars move
    tab.picture(path, shot.upto)
    with Image.open(path) as picture:  # with 256 colours it takes half of the room
        few = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    few.save(path, optimize=True)


def main() -> int:
    """Take the pictures that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.by_hand.photograph")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SHOTS))
    names = parser.parse_args().names
    if unknown := set(names) - set(SHOTS):
        parser.error(f"{', '.join(sorted(unknown))}: expected {', '.join(SHOTS)}")
    MADE.mkdir(parents=True, exist_ok=True)
    with chromium() as tab:
        for name in names or SHOTS:
            take(name, SHOTS[name], tab)
            print(f"docs/{name}.png", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
