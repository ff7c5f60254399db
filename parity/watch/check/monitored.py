"""A number that a program watches while it trains, the wrong way round (NumPy only)."""

import re

from parity.watch.check.cause import Match

FALLS = ("loss", "err", "error", "mse", "mae", "rmse", "mape", "nll", "perplexity", "ppl")
RISES = ("acc", "accuracy", "f1", "auc", "auroc", "precision", "recall", "iou", "dice", "r2", "map")
"""Parts of the names of what gets better as it falls, and as it rises."""


def upside_down(who: str, monitor: str, mode: str) -> Match | None:
    """A mode that does not fit the name of what is watched; None where the name tells nothing.

    Args:
        who: Watches it, as ``EarlyStopping``.
        monitor: What is watched, as ``val_acc``.
        mode: ``min`` or ``max``.
    """
    parts = re.split(r"[^a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", monitor).lower())
    falls, rises = (any(name in parts for name in names) for names in (FALLS, RISES))
    wanted = "min" if falls else "max" if rises else mode
    if wanted == mode or mode not in ("min", "max"):
        return None
    better = "falls" if wanted == "min" else "rises"
    return Match(
        f"{who} takes {monitor} the wrong way round",
        f"its mode is {mode!r}, and {monitor} gets better as it {better}",
        f"Set mode={wanted!r}",
    )
