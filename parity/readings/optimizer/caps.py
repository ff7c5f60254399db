"""What keeps weights small after a step: limits on values, and on norms (NumPy only)."""

from typing import Any

import numpy as np

from parity.arrays import Floats
from parity.readings.optimizer.record import Record

UNREACHED = 1e300
"""A cap that no weight reaches: Keras divides by norms plus 1e-7 all the same."""


def limited(rule: Any, record: Record, weights: Floats) -> Floats:
    """Weights [T, N] of whole tensors, those that have a cap shrunk where they are above it."""
    if not np.isfinite(rule.cap):
        return weights
    shrunk = _shrunk(rule, record, weights)
    return np.where(record.of(rule.capped), shrunk, weights) if rule.capped else shrunk


def _shrunk(rule: Any, record: Record, weights: Floats) -> Floats:
    if rule.cap_kind in ("value", "negative"):
        most = rule.cap if rule.cap_kind == "value" else np.inf
        return np.clip(weights, -rule.cap, most)
    norms = record.norms_of(weights, rule.cap_kind)
    if rule.cap_form == "exact":
        least: Floats = weights * np.minimum(1, rule.cap / np.maximum(norms, 1e-300))
        return least
    shrunk: Floats = weights * (np.minimum(norms, rule.cap) / (norms + 1e-7))
    return shrunk if rule.cap_form == "keras" else np.where(norms > rule.cap, shrunk, weights)
