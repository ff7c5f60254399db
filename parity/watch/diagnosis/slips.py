"""Orders in which answers may be: late, early, backwards, sorted, as text, process by process.

Of each, how many of the answers would be right if it is undone.
"""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

SHIFTS = 20
"""Rows by which labels and answers may have slipped; renamed answers that are no chance."""
PROCESSES = 16
"""That may have answered every so many-th image each."""
APART = 0.2
"""By which the right shift must stand out from all others: labels in a pattern fit several."""
MOST = 50_000_000
"""Cells of the table of images and classes that shifts of any length are looked for in."""


def orders(predicted: Ints, labels: Ints) -> dict[str, float]:
    """Share right by order, for orders of all rows."""
    rows = np.arange(len(labels))
    right = {
        f"{abs(s)} row{'s' * (abs(s) > 1)} {'late' if s > 0 else 'early'}": float(
            (np.roll(predicted, -s) == labels).mean()
        )
        for s in range(-SHIFTS, SHIFTS + 1)
        if s and abs(s) < len(labels) / 2
    }
    right["in reversed order"] = float((predicted[::-1] == labels).mean())
    right["sorted by class"] = float((predicted == np.sort(labels)).mean())
    as_text = [np.argsort((rows + start).astype(str), kind="stable") for start in (0, 1)]
    right["sorted as text: 1, 10, 100, 2"] = max(
        float((one[order] == other).mean())
        for order in as_text
        for one, other in ((predicted, labels), (labels, predicted))
    )
    for processes in range(2, PROCESSES + 1):
        order = np.argsort(rows % processes, kind="stable")
        by_process = float((predicted == labels[order]).mean())
        right[f"by {processes} processes, one after the other"] = by_process
    for width in range(PROCESSES + 1, len(labels) // 2):
        if len(labels) % width == 0:
            columns = labels.reshape(-1, width).T.reshape(-1)
            right[f"by columns of {width} rows: reshaped where axes were to be swapped"] = float(
                (predicted == columns).mean()
            )
    return right


def slips(predicted: Ints, labels: Ints, least: float) -> dict[str, float]:
    """Share right by the shift that fits best, of any length; of all rows, or from one on.

    Args:
        predicted: int64 [N].
        labels: int64 [N].
        least: Share of right answers below which there is no slip.
    """
    count, classes = len(labels), np.unique(labels)
    if count * len(classes) > MOST:
        return {}
    hits = np.zeros(count)  # by shift, circular: a correlation for each class
    for c in classes:
        answer, truth = (np.fft.rfft(values == c) for values in (predicted, labels))
        hits += np.fft.irfft(answer * truth.conj(), count)
    as_it_is = hits[0]
    hits[0] = 0
    best = int(hits.argmax())
    second = np.delete(hits, best).max()
    shift = best if best <= count / 2 else best - count
    name = f"{abs(shift)} row{'s' * (abs(shift) > 1)} {'late' if shift > 0 else 'early'}"
    if hits[best] - second < APART * (hits[best] + as_it_is):
        return {}
    right = {name: hits[best] / count}
    now, then = (predicted == labels), (np.roll(predicted, -shift) == labels)
    until = (
        np.concatenate([[0], np.cumsum(now)]) + np.concatenate([[0], np.cumsum(then[::-1])])[::-1]
    )  # right before each row as they stand, and from it on once shifted back
    row = int(until.argmax())
    parts = now[:row], then[row:]
    if min(map(len, parts)) >= SHIFTS and min(part.mean() for part in parts) >= least - APART:
        right[f"{name} from row {row} on"] = until[row] / count
    return right
