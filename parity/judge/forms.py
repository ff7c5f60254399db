"""Answers in other forms than [N, C]: batch by batch, of two classes by one score, by sign."""

from dataclasses import replace

import numpy as np

from parity.judge.shapes import Given, flat, fractional, one_hot, whole, wide


def unbatched(given: Given) -> Given:
    """Answers [N, C] and labels [N] that were kept batch by batch: [B, n, C] and [B, n].

    Or with a column an image, both of them, as MATLAB's networks have them.
    """
    outputs, labels = given.outputs, given.labels
    as_columns = labels is not None and wide(labels) and labels.shape == outputs.shape
    if labels is not None and as_columns and one_hot(labels.T) and not one_hot(labels):
        return replace(given, outputs=outputs.T, labels=labels.T)
    if outputs.ndim == 3 and labels is not None and labels.shape == outputs.shape[:2]:
        rows = outputs.reshape(-1, outputs.shape[2])
        return replace(given, outputs=rows, labels=labels.reshape(-1))
    return replace(given, outputs=flat(outputs))


def of_some(given: Given) -> Given:
    """Labels 3, 5 and 8, or 1 to 10, by the columns' order, where that is right far too often."""
    labels, outputs = given.labels, given.outputs
    if labels is None or wide(labels) or not wide(outputs) or not whole(labels):
        return given
    names, places = np.unique(labels, return_inverse=True)
    count = outputs.shape[1]
    if len(names) != count or names[-1] < count:
        return given
    chance = float((np.bincount(places) / len(places)).max())
    if (outputs.argmax(axis=1) == places.reshape(-1)).mean() < (1 + chance) / 2:
        return given
    called = tuple(f"{name:g}" for name in names)
    return replace(given, labels=places.reshape(-1), class_names=given.class_names or called)


def of_signs(given: Given) -> Given:
    """Classes 0 and 1 for -1 and 1, where labels are these, and answers these or scores."""
    if given.labels is None or set(np.unique(given.labels)) != {-1, 1}:
        return given
    outputs = given.outputs
    if given.called == "predictions" and whole(outputs):
        if not set(np.unique(outputs)) <= {-1, 1}:
            return given
        outputs = (outputs + 1) / 2
    return replace(given, outputs=outputs, labels=(given.labels + 1) / 2)


def of_two(given: Given) -> Given:
    """Scores [N, 2] where there are only those of the second of two classes, [N] or [N, 1].

    Raises:
        ValueError: the labels do not tell that there are two classes.
    """
    outputs, labels = given.outputs, given.labels
    if outputs.ndim == 0 or outputs.size != len(outputs):
        return given
    values = outputs.reshape(-1)
    if not fractional(values):
        return given
    known = values[np.isfinite(values)]
    are_shares = bool(known.min() >= 0 and known.max() <= 1)
    two = labels is not None and not wide(labels) and set(np.unique(labels)) == {0, 1}
    if two and (are_shares or given.called != "predictions"):
        as_shares = are_shares and given.called != "logits"
        first = 1 - values if as_shares else np.zeros_like(values)
        called = "scores" if given.called == "predictions" else given.called
        return replace(given, outputs=np.stack([first, values], axis=1), called=called)
    if given.called == "predictions":
        return given
    raise ValueError(
        f"{given.called} of shape {outputs.shape}, one an image, such as {known[0]:.6g}: of which "
        "class? expected [N, C] of at least 2 classes, or labels 0 and 1 beside those of class 1"
    )
