"""Causes in what should have been fitted to the data first: vocabularies, scalings (NumPy only)."""

import numpy as np

from parity.watch.check.cause import Belief, Cause, Match, Remedy
from parity.watch.check.data import STANDARDISED, numeric, scale_of
from parity.watch.check.parts import ROWS
from parity.watch.check.program import Program

UNKNOWN = 0.9
"""Share of the words of a text, from which on a network can tell nothing by the others."""
WORDS = 20
"""Rows of an embedding from which on they are a vocabulary."""
OTHERWISE = 20.0
"""Times that samples vary more, or less, than those on which layers were trained, which no other
kind of samples does, and a scale of 0 to 255 in place of 0 to 1, -1 to 1, or the reverse, does."""
BOTH = 180.0
"""Ratio up to which 0 to 255 was -1 to 1, and not 0 to 1."""
COPY = 1e-6
"""How far from 1 a correlation may be by rounding to float32."""


def unknown(program: Program) -> Match | None:
    """Texts or names of which the vocabulary knows next to nothing."""
    share = program.fitted.unknown
    if share is None or share < UNKNOWN:
        return None
    return Match(
        "the vocabulary does not know the words that it is given",
        f"{share:.0%} of them are the one number for unknown words, so that samples look alike",
        program.words(
            torch="Build the vocabulary on the texts of training, and prepare both alike: lower "
            "case, punctuation, type",
            keras="Call adapt() on the texts of training, or give them as they are in the "
            "vocabulary: lower case, punctuation, type",
        ),
    )


def unadapted(program: Program) -> Match | None:
    """A layer of normalisation that normalises nothing."""
    fed = program.fed
    if not program.fitted.unadapted or fed is None or fed.dtype.kind != "f" or fed.ndim < 2:
        return None
    scale = scale_of(fed)
    if not np.isfinite(scale.deviation).all() or not scale.deviation.max():
        return None
    if 0.2 < scale.size.max() < 3 and scale.deviation.max() > 0.1:
        return None
    return Match(
        "a layer of normalisation was never adapted, and normalises nothing",
        f"its mean is 0 and its variance 1 as it was made; behind it features are "
        f"{fed.min():.3g} to {fed.max():.3g}",
        "Call normalization.adapt(x_train) before the model is trained",
        remedy=STANDARDISED,
    )


def leaked(program: Program) -> Match | None:
    """Targets among the features of a table or a sequence, up to their scale."""
    fed, wanted = numeric(program), program.own
    if fed is None or wanted is None or fed.ndim not in (2, 3) or program.pictures:
        return None
    wanted = wanted.reshape(len(wanted), -1)
    if wanted.dtype.kind not in "iufb" or len(wanted) != len(fed) or len(fed) < ROWS:
        return None
    rows, y = fed.reshape(len(fed), -1).astype(np.float64), wanted.astype(np.float64)
    if y.shape[1] != 1 or not np.isfinite(y).all() or not y.std() or program.columns != 1:
        return None
    varying = np.flatnonzero(rows.std(axis=0) > 0)
    if len(varying) < 2:
        return None
    columns = rows[:, varying] - rows[:, varying].mean(axis=0)
    y = (y - y.mean(axis=0)) / y.std()
    same = np.abs(columns.T @ y[:, 0]) / len(y) / columns.std(axis=0)
    copies = varying[same > 1 - COPY]
    if not 0 < len(copies) < len(varying):
        return None
    last = fed.shape[-1]
    where = f"column {copies[0] % last + 1} of {last}"
    where = f"step {copies[0] // last + 1} of {fed.shape[1]}" if fed.ndim == 3 else where
    return Match(
        "the targets are among the features: the network need only copy them",
        f"{where} is the target itself, but for its scale (correlation 1.000000 in {len(y)} "
        "samples)",
        "Let the targets begin after the last step that is fed: targets=series[length:]"
        if fed.ndim == 3
        else "Leave this column out of x; what is known only afterwards belongs to y",
        Belief.LIKELY,
    )


def trained_otherwise(program: Program) -> Match | None:
    """Trained layers whose statistics are those of samples on another scale."""
    ratio = program.fitted.varies
    if ratio is None or not np.isfinite(ratio) or 1 / OTHERWISE < ratio < OTHERWISE:
        return None
    return Match(
        "the trained layers were trained on samples of another scale",
        f"what their first batch normalisation is given varies {ratio:.2g} times as much as what "
        "it was trained on",
        program.words(
            torch="Prepare the samples as for these weights: weights.transforms()",
            keras="Prepare the samples as for these weights, once: preprocess_input of the same "
            "module of keras.applications",
        ),
        Belief.SURE if program.fitted.frozen else Belief.LIKELY,
        Remedy("with 255 times x", features="times 255")
        if ratio < 1
        else Remedy("with x / 127.5 - 1", features="minus 1 to 1")
        if ratio < BOTH
        else Remedy("with x / 255", features="bytes"),
    )


CAUSES = (
    Cause(
        "trained otherwise",
        trained_otherwise,
        explains=("unlike scales", "unscaled", "bytes", "dead at start", "saturated", "vanishing"),
    ),
    Cause("unknown", unknown, explains=("constant",)),
    Cause("unadapted", unadapted, explains=("unlike scales", "unscaled", "bytes", "dead at start")),
    Cause("leaked", leaked),
)
