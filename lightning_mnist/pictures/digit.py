"""The strokes of the digit among all ink of a page, and what else was seen there."""

from dataclasses import dataclass

import cv2
import numpy as np

from lightning_mnist.pictures.lines import without_box, without_lines, without_underline
from lightning_mnist.pictures.page import Place, Sheet, extent
from lightning_mnist.pictures.paper import Ink, without_grain
from lightning_mnist.pictures.parts import SMALL, Parts
from lightning_mnist.pictures.pen import filled, joined, softer_than_strokes, thickness

LINES = "lines were seen"
FRAME = "a frame, or a table around the paper, was seen"
SECOND = "a second digit was seen"
PALER = "paler marks that touch the digit were left out"
UNDERLINE = "a line under the digit was left out"
BROKEN = "dashes or dots were joined"
WIDE = "wider than a digit: perhaps two that touch"
CROWDED = "most of the ink is not the digit's"
DOTTED = "a dot above or below was seen, as in ! or ?"
HIDDEN = "the strokes can hardly be told from the paper"
SOFT = "softer than any stroke: perhaps a shadow"

FAINTEST_INK = 32  # of 255: what contrasts less with its paper is none, unless it is clear:
CLEARLY = 12  # deviations of the grain by which it stands out from even paper
BLANK = 8  # of 255: what contrasts less is no ink, however clear
THRESHOLD = 0.3  # of the darkest ink of the page
GRAIN = 4  # deviations of the grain that do not count as ink
HARDLY = 8  # deviations of the grain, at least, between strokes and paper that are clear
EDGE = 3  # pixels, at least, around a stroke that are its soft edge
CROWD = 0.4  # of the ink of a page: a digit has more
CORNERS = 4  # parts at the border, at most, are what lies around a page
WIDEST = 1.3  # width by height; MNIST's widest digits
THIN, PEN = 1 / 16, 1 / 12  # of the digit's size: a stroke that is thinned by shrinking, MNIST's


@dataclass(frozen=True)
class Found:
    """The digit of a page.

    Attributes:
        ink: Its ink, 0 everywhere else.
        place: Its rows and columns.
        notes: What else was seen.
    """

    ink: Ink
    place: Place
    notes: frozenset[str]

    def seen_from(self, sheet: Sheet, shape: tuple[int, ...]) -> "Found":
        """The same digit of a picture of `shape`, of which the page is a sheet."""
        ink = np.zeros(shape, np.float32)
        ink[sheet.place] = np.where(sheet.mask, self.ink, 0)
        if not ink.any():
            ink[sheet.place] = self.ink
        return Found(ink, extent(ink > THRESHOLD * ink.max()), self.notes | {FRAME})

    def holds(self, other: "Found") -> bool:
        """Whether all of another digit lies within this one's place, but for its soft edges."""
        soft = max(self.ink.shape) // 40
        return all(
            own.start <= theirs.start + soft and theirs.stop <= own.stop + soft
            for own, theirs in zip(self.place, other.place, strict=True)
        )

    @property
    def whole(self) -> bool:
        """Whether it ends within the page on all sides."""
        return all(
            side.start > 0 and side.stop < length
            for side, length in zip(self.place, self.ink.shape, strict=True)
        )


def find_digit(ink: Ink) -> Found | None:
    """The digit in the ink of a page; None where nothing stands out."""
    if ink.max(initial=0) < BLANK:
        return None
    ink, grain = without_grain(ink)
    darkest = _darkest(ink, grain)
    if darkest < max(CLEARLY * grain, BLANK) and darkest < FAINTEST_INK:
        return None
    limit = max(THRESHOLD * darkest, GRAIN * grain, 1.0)
    notes = set()
    bare, *lines = without_lines(ink, limit)
    if any(lines) and (bare > limit).sum() > 0.1 * (ink > limit).sum():  # or it was the digit
        ink = bare
        notes.add(LINES)
    if max(ink.shape) > SMALL:
        ink, broken = _solid(ink, limit, darkest)
        notes |= {BROKEN} if broken else set()
    parts = Parts(ink, limit)
    while (main := parts.main()) is not None:
        place = parts.place(main)
        if parts.encloses_a_digit(main):
            parts.remaining.discard(main)
            notes.add(FRAME)
        elif (inside := without_box(ink[place], limit)) is not None:
            ink, parts = _replaced(ink, place, inside, limit)
            notes.add(FRAME)
        elif ink[place].max() < min(FAINTEST_INK, darkest / 2):
            return None
        elif (darker := parts.paler_below(main)) is not None:
            limit, parts = darker, Parts(ink, darker)
            notes.add(PALER)
        elif (above := without_underline(ink[place], limit)) is not None:
            ink, parts = _replaced(ink, place, above, limit)
            notes.add(UNDERLINE)
        else:
            return _found(ink, parts, main, grain, notes)
    return None


def _darkest(ink: Ink, grain: float) -> float:
    """The level of full ink; on a large page a digit may have less than any share of the pixels."""
    level = float(np.quantile(ink, 0.995) if max(ink.shape) > SMALL else ink.max())
    if level >= max(FAINTEST_INK, CLEARLY * grain):
        return level
    dot = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    highest = float(cv2.erode(ink, dot).max())
    return max(level, highest) if highest >= CLEARLY * grain else level


def _solid(ink: Ink, limit: float, darkest: float) -> tuple[Ink, bool]:
    """Ink with outlines filled, and whether it is of dashes or dots, which are joined."""
    mask = (ink > limit).astype(np.uint8)
    whole = mask | filled(mask, ink, darkest)
    stroke = joined(whole)
    more = (whole if stroke is None else whole | stroke) > mask
    return np.where(more, darkest, ink).astype(np.float32), stroke is not None


def _replaced(ink: Ink, place: Place, part: Ink, limit: float) -> tuple[Ink, Parts]:
    """The ink of a page with another at a place, and its parts."""
    ink = ink.copy()
    ink[place] = part
    return ink, Parts(ink, limit)


def _found(ink: Ink, parts: Parts, main: int, grain: float, notes: set[str]) -> Found:
    own_parts, second = parts.digit(main)
    strokes = parts.mask(own_parts)
    place = extent(strokes)
    height, width = len(ink[place]), len(ink[place][0])
    notes |= {SECOND} if second else set()
    own_weight = parts.weight[sorted(own_parts)].sum()
    everywhere = sorted(parts.remaining)
    inside = [part for part in everywhere if not parts.on_border[part]]
    at_border = len(everywhere) - len(inside)
    # Many are a pattern, and no table, hand or dark corners.
    if at_border > CORNERS or parts.on_border[main]:
        inside = everywhere
    everything = parts.weight[inside].sum()
    notes |= {CROWDED} if own_weight < CROWD * everything else set()
    notes |= {WIDE} if width > WIDEST * height else set()
    notes |= {HIDDEN} if ink[strokes].mean() < HARDLY * grain else set()
    pen = thickness(strokes)
    notes |= {DOTTED} if parts.dotted(main, pen) else set()
    edge = 2 * max(EDGE, round(0.02 * max(height, width))) + 1
    around = cv2.dilate(strokes.astype(np.uint8), np.ones((edge, edge), np.uint8)) > 0
    own = np.where(around & (ink > 3 * grain), np.maximum(ink, 0), 0).astype(np.float32)
    own = _with_a_pen(own, pen, max(height, width))
    notes |= {SOFT} if softer_than_strokes(own[place]) else set()
    return Found(own, place, frozenset(notes))


def _with_a_pen(ink: Ink, stroke: float, size: int) -> Ink:
    """Strokes that shrinking to 20 pixels would thin out, as wide as MNIST's pens made them."""
    if size < SMALL or stroke > THIN * size:
        return ink
    pen = round(PEN * size - stroke) | 1
    return np.asarray(cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (pen, pen))))
