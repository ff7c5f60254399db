"""Which of the images something may have been done to, others being as they were (NumPy only)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parity.watch.pixels.look import Floats, Look, edges

FEWEST = 5
"""Images of a part at least."""
APART = 6.0
"""Difference of the means of two parts of a file at least, in standard errors: much more than the
largest of the thousands that are looked at is by chance."""
PEAKS = 0.85
"""Share of a variance that lies between two peaks at least: of an even distribution 0.75."""

MOST = 3
"""Ways to part what is scattered."""


Part = tuple[NDArray[np.bool_], str]
"""Some of the images: which, bool [N], and the same in words that follow "the pixels"."""


def parts(examples: Floats, *, scattered: bool) -> Iterator[Part]:
    """The ends of a file that becomes another at some place, and what keeps apart all over it.

    Args:
        examples: Images in the order of the file, [N, H, W].
        scattered: Whether the latter are looked for, too.
    """
    if len(examples) < 2 * FEWEST:
        return
    papers, ranges = np.median(edges(examples), axis=1), np.ptp(examples, axis=(1, 2))
    figures = np.column_stack([Look.of(examples).figures, papers, ranges])
    shares = _between(figures)
    place = int(shares.max(axis=1).argmax())
    share = float(shares[place].max())
    if share * (len(figures) - 2) > APART**2 * (1 - share):
        late = np.arange(len(figures)) >= place + FEWEST
        yield late, f"of the last {late.mean():.0%} of the images"
        yield ~late, f"of the first {1 - late.mean():.0%} of the images"
    if not scattered:
        return
    order = np.argsort(figures, axis=0)
    shares = _between(np.take_along_axis(figures, order, axis=0))
    places = shares.argmax(axis=0)
    peaks = shares.max(axis=0)
    told = set[bytes]()
    for column in np.argsort(-peaks):
        high = np.isin(np.arange(len(figures)), order[places[column] + FEWEST :, column])
        if peaks[column] < PEAKS or len(told) == MOST:
            return
        if high.tobytes() not in told:
            told.add(high.tobytes())
            for chosen in (high, ~high):
                yield chosen, f"of about {chosen.mean():.0%} of the images, here and there,"


def _between(values: Floats) -> Floats:
    """Share of the variance [N, F] that is between the first ones and the rest (Otsu 1979).

    For each number of first ones, from FEWEST to N - FEWEST.
    """
    count = len(values)
    first = np.arange(1, count)[:, None]
    sums = np.cumsum(values - values.mean(axis=0), axis=0)[:-1]
    whole = np.maximum(values.var(axis=0), 1e-12)
    result: Floats = sums**2 / (first * (count - first)) / whole
    return result[FEWEST - 1 : count - FEWEST]
