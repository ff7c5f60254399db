"""What is said of measured seconds: pure functions."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any


def summary(seconds: Sequence[float]) -> dict[str, Any]:
    """All of them, and their smallest, median and largest."""
    return {
        "seconds": list(seconds),
        "min": min(seconds),
        "median": statistics.median(seconds),
        "max": max(seconds),
    }


def against(seconds: Sequence[float], reference: Sequence[float]) -> dict[str, float]:
    """Two ratios to a reference that was measured in the same rounds.

    Returns:
        ``ratio`` of the medians, and ``paired``, the median of the ratios within each round, which
        a machine that slows down for a while disturbs less.
    """
    pairs = zip(seconds, reference, strict=True)
    return {
        "ratio": statistics.median(seconds) / statistics.median(reference),
        "paired": statistics.median(own / other for own, other in pairs),
    }


def compared(seconds: Mapping[str, Sequence[float]], reference: str) -> dict[str, dict[str, Any]]:
    """Summary and ratios of each competitor, by name."""
    return {
        name: summary(values) | against(values, seconds[reference])
        for name, values in seconds.items()
    }
