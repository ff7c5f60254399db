"""Connected parts of the ink, and which of them make up the digit."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lightning_mnist.pictures.page import Place
from lightning_mnist.pictures.paper import Ink

GAP = 0.005  # of the longer side: the width of a break in a stroke that is none
NEAR = 0.35  # of the digit's size: how far apart its strokes may be
SPECK = 0.06  # of the digit's ink: a part with less is none of its strokes
PALE = 0.7  # of the digit's ink at a pixel: a part that has less is a shadow or another pen's
TALL = 0.5  # of the digit's height: a part beside it that is as tall is another digit
CUT_OFF = 0.4  # of the digit's ink: a part at the border that has less is the rest of a neighbour
INSIDE = 0.25  # of a frame's height: what is as tall within it is a digit, not a dot in a zero
PENS = 0.15  # of the darkest ink, at least, by which marks of two pens differ
PALEST = 0.66  # of the darkest ink: where a pen was pressed on less, it leaves more than that
FEWEST = 0.03  # of a part's pixels have the ink of either
STRAY = 0.004  # of a part's pixels may have any ink between the two
CUT = 0.08  # of the digit's size, at most, is the gap that cuts through its strokes
MATCHED = 0.6  # of the strokes' ends on both sides of such a gap, at least, face each other
NARROWEST, NARROW = 0.45, 0.9  # width by height of a digit that is cut
DOT = 0.3  # of the digit's size, at most, is a dot of its pen
ROUND = 0.6  # shorter by longer side of a dot, and its share of the box around it, at least
THICK = 0.7  # of the pen's width, at least, is a dot
LIFTED = 0.4  # of the digit's height, at most, lies between it and its dot
DIRTY = 3  # round spots elsewhere, at least, are no dots of a sign
SMALL = 40  # pixels: in smaller pictures every pixel counts


class Parts:
    """The connected parts of a page's ink.

    Args:
        ink: Of the page.
        limit: Ink counts from here on.
    """

    def __init__(self, ink: Ink, limit: float) -> None:
        self.ink = ink
        mask = (ink > limit).astype(np.uint8)
        if max(ink.shape) > SMALL:
            gap = 2 * max(1, round(GAP * max(ink.shape))) + 1
            window = np.ones((gap, gap), np.uint8)
            mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, window), np.uint8)
        count, self.labels, stats, _ = cv2.connectedComponentsWithStats(mask)
        self.left, self.top, self.width, self.height = stats[:, :4].T
        self.right, self.bottom = self.left + self.width, self.top + self.height
        on_border = (self.left == 0) | (self.top == 0)
        on_border |= (self.right == ink.shape[1]) | (self.bottom == ink.shape[0])
        self.on_border = on_border
        self.weight = np.bincount(
            self.labels.ravel(), weights=np.maximum(ink, 0).ravel(), minlength=count
        )
        self.area = stats[:, cv2.CC_STAT_AREA]
        self.darkness = self.weight / self.area
        self.remaining = set(range(1, count))

    def place(self, part: int) -> Place:
        """Rows and columns of a part."""
        rows = slice(int(self.top[part]), int(self.bottom[part]))
        return rows, slice(int(self.left[part]), int(self.right[part]))

    def size(self, part: int) -> int:
        """The longer side of a part, pixels."""
        return int(max(self.width[part], self.height[part]))

    def main(self) -> int | None:
        """The part that is most of the digit: long strokes with much ink, not at the border.

        What reaches the border is the digit only where nothing else is large enough.
        """
        ranked = sorted(self.remaining, key=self._rank, reverse=True)
        inside = [part for part in ranked if not self.on_border[part]]
        if not ranked or not inside:
            return ranked[0] if ranked else None
        crumb = self._rank(inside[0]) < 0.05 * self._rank(ranked[0])
        return ranked[0] if crumb else inside[0]

    def _rank(self, part: int) -> float:
        return float(self.weight[part]) * self.size(part)

    def encloses_a_digit(self, part: int) -> bool:
        """Whether a large other part lies within this one: it is a box or a ring around it."""
        return any(
            self.height[other] > INSIDE * self.height[part] and self._surrounds(part, other)
            for other in self.remaining
        )

    def _surrounds(self, part: int, other: int) -> bool:
        """Whether a part ends beyond another one on all four sides."""
        return bool(
            self.left[part] < self.left[other]
            and self.top[part] < self.top[other]
            and self.right[other] < self.right[part]
            and self.bottom[other] < self.bottom[part]
        )

    def paler_below(self, part: int) -> float | None:
        """What parts a pen's ink from paler marks that it crosses; None where none are seen.

        A shadow, a stain, a crease or a line has an ink of its own; between it and that of the pen
        there is hardly any, but at the edges of strokes, which count as their darkest neighbour.
        """
        if max(self.ink.shape) <= SMALL:
            return None
        place = self.place(part)
        own = self.labels[place] == part
        edge = 2 * max(1, round(0.01 * max(self.ink.shape))) + 1
        ink = np.where(own, self.ink[place], 0).astype(np.float32)
        levels = cv2.dilate(ink, np.ones((edge, edge), np.uint8))[own]
        darkest = float(np.quantile(levels, 0.98))
        shares, steps = np.histogram(levels / darkest, bins=40, range=(0, 1))
        inked = np.flatnonzero(shares > STRAY * len(levels))
        gap = max((run[1:] for run in np.split(np.arange(40), inked)[1:]), key=len)
        pressed_less = not self.on_border[part] and len(gap) and steps[gap[0]] > PALEST
        if len(gap) < PENS * 40 or pressed_less:
            return None
        if min(shares[: gap[0]].sum(), shares[gap[-1] :].sum()) < FEWEST * len(levels):
            return None
        return darkest * float(steps[gap].mean())

    def mask(self, parts: list[int]) -> NDArray[np.bool_]:
        """Where parts are, bool [H, W]."""
        among = np.zeros(len(self.weight), np.bool_)
        among[parts] = True
        return np.asarray(among[self.labels])

    def digit(self, main: int) -> tuple[list[int], bool]:
        """The parts that make up the digit with the main one, and whether another digit is seen.

        A stroke that belongs to it is near, as dark, and not below: no digit has one there.
        """
        large = self.weight >= SPECK * self.weight[main]
        others = [part for part in sorted(self.remaining - {main}) if large[part]]
        cut_off = [part for part in others if self._goes_on(part, main)]
        others = [part for part in others if part not in cut_off]
        digits = [part for part in others if self._is_another(part, main)]
        strokes = [part for part in others if part not in digits and self._is_stroke_of(part, main)]
        if strokes:
            distance = cv2.distanceTransform(
                (self.labels != main).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
            )
            reach = NEAR * self.size(main)
            strokes = [part for part in strokes if distance[self.labels == part].min() < reach]
        return [main, *cut_off, *strokes], bool(digits)

    def dotted(self, main: int, pen: float) -> bool:
        """Whether dots of a pen of that width are above or below a part, as in i, ! and ?.

        On a sheet with spots all over none is a dot.
        """
        top, bottom = self.top[main], self.bottom[main]
        largest, far = DOT * self.size(main), LIFTED * (bottom - top)
        dots = [
            part
            for part in self.remaining - {main}
            if self._is_dot(part, pen, largest) and self.darkness[part] > PALE * self.darkness[main]
        ]
        near = [
            part
            for part in dots
            if self.left[main] < self.right[part]
            and self.left[part] < self.right[main]
            and (0 <= self.top[part] - bottom < far or 0 <= top - self.bottom[part] < far)
        ]
        return bool(near) and len(dots) - len(near) < DIRTY

    def _is_dot(self, part: int, pen: float, largest: float) -> bool:
        """Whether a part is round, filled, and of the width of a pen at least."""
        shorter, longer = sorted((self.width[part], self.height[part]))
        round_ = shorter > ROUND * longer and self.area[part] > ROUND * shorter * longer
        return bool(round_ and shorter > THICK * pen and longer < largest)

    def _is_stroke_of(self, part: int, main: int) -> bool:
        """Whether a part may be of the same pen as the main one, and is not below it or around."""
        pale = self.darkness[part] < PALE * self.darkness[main]
        below = self.top[part] >= self.bottom[main]
        return not (pale or below or self.on_border[part] or self._surrounds(part, main))

    def _is_another(self, part: int, main: int) -> bool:
        """Whether a part is as tall as the main one, and beside it or above or below.

        At the border, where tables, fingers and shadows are, it has to be of the same pen and size,
        and more than the rest of a neighbour that was cut off.
        """
        if self.height[part] < TALL * self.height[main]:
            return False
        if self.on_border[part] and not (
            self.height[part] < self.height[main] / TALL
            and PALE < self.darkness[part] / self.darkness[main] < 1 / PALE
            and self.weight[part] > CUT_OFF * self.weight[main]
        ):
            return False
        across = min(self.right[part], self.right[main]) - max(self.left[part], self.left[main])
        down = min(self.bottom[part], self.bottom[main]) - max(self.top[part], self.top[main])
        narrower = min(self.width[part], self.width[main])
        shorter = min(self.height[part], self.height[main])
        return bool(across < 0.3 * narrower or down < 0.3 * shorter)

    def _goes_on(self, part: int, main: int) -> bool:
        """Whether strokes end at a narrow gap and go on behind it, as in a display or a stencil."""
        both = [part, main]
        if self.on_border[both].any():
            return False
        height = max(self.bottom[both]) - min(self.top[both])
        width = max(self.right[both]) - min(self.left[both])
        low, high = sorted(both, key=self.top.item)
        starts, ends, labels = self.top, self.bottom, self.labels
        if starts[high] < ends[low]:
            low, high = sorted(both, key=self.left.item)
            starts, ends, labels = self.left, self.right, self.labels.T
        gap = int(starts[high] - ends[low])
        # Narrower or wider than that they are rather two, one above the other or side by side.
        if not NARROWEST < width / height < NARROW:
            return False
        if not 0 <= gap <= CUT * (ends[high] - starts[low]):
            return False
        deep = max(2, round(gap / 2))
        last = (labels[ends[low] - deep : ends[low]] == low).any(axis=0)
        first = (labels[starts[high] : starts[high] + deep] == high).any(axis=0)
        alike = np.count_nonzero(last & first) > MATCHED * np.count_nonzero(last | first)
        runs = np.diff(np.flatnonzero(np.diff(np.pad(last | first, 1).astype(np.int8))))[::2]
        shorter = min(ends[at] - starts[at] for at in (low, high))
        return bool(alike and gap < runs.max() <= shorter)
