"""Takes the pictures of the page in docs/: ``python -m tests.by_hand.photograph PAGE.html``."""

import sys
from pathlib import Path

from PIL import Image

from tests.conftest import ROOT
from tests.support.chromium import Chromium, chromium

SEVEN = "[[[90,60],[200,62],[185,100],[140,222]],[[105,145],[195,142]]]"
TRAIN = """(() => {
    find('tab-train').click();
    const form = find('recipe');
    form.feed.value = '255-x';
    form.requestSubmit();
})()"""


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


SCENES = (
    ("page", draw, None), ("page-inside", look, "wrong-title"), ("page-train", train, None),
)  # fmt: skip
"""Names, what is done, and what does not belong to the picture any more."""


def main() -> int:
    """Write the pictures."""
    with chromium() as tab:
        for name, scene, upto in SCENES:
            tab.open(Path(sys.argv[1]), width=1100, height=900)
            scene(tab)
            tab.run("new Promise((done) => { setTimeout(done, 300); })")  # the bars move
            path = ROOT / "docs" / f"{name}.png"
            tab.picture(path, upto)
            with Image.open(path) as picture:  # with 256 colours it takes half of the room
                few = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
            few.save(path, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
