"""Terms of the weights in the loss, L1 and L2, as gradients show them (NumPy)."""

from collections.abc import Iterator

import numpy as np

from parity.readings.change import Change, flat, listed
from parity.readings.readings import Reading

L1, L2 = "L1 penalty", "L2 penalty"
BOTH = "L1 and L2 penalty"
ADVICE = dict.fromkeys((L1, L2, BOTH), "give both the penalty, on the same tensors, or neither")


def readings(change: Change) -> Iterator[tuple[Reading, float]]:
    """B as A with a multiple of the weights added to its gradients, of their signs, or of both.

    Yields:
        The gradients that follow, and what such a penalty adds to the loss.
    """
    names = [name for name in change.parted if name in change.weights]
    if not names:
        return
    weights = {name: change.weights[name] for name in names}
    basis = np.stack([flat(weights), np.sign(flat(weights))], axis=1)
    seen = flat({name: change.b[name] - change.a[name] for name in names})
    for columns in ([0], [1], [0, 1]):
        solved = np.zeros(2)
        solved[columns] = np.linalg.lstsq(basis[:, columns], seen, rcond=None)[0]
        if (solved < 0).any() or not solved[columns].all():
            continue
        squares, magnitudes = map(float, solved)
        terms, settings = [], []
        if squares:
            terms.append(f"{squares:.4g} * w")
            settings.append(f"weight_decay={squares:.4g} in torch, L2({squares / 2:.4g}) in Keras")
        if magnitudes:
            terms.append(f"{magnitudes:.4g} * sign(w)")
            settings.append(f"L1({magnitudes:.4g}) in Keras")
        words = (
            f"adds {' + '.join(terms)} to the gradients of {listed(names)} ({', '.join(settings)})"
        )
        name = BOTH if len(terms) > 1 else L2 if squares else L1
        added = {n: change.a[n] + squares * w + magnitudes * np.sign(w) for n, w in weights.items()}
        every = flat(weights)
        loss = squares / 2 * float((every**2).sum()) + magnitudes * float(np.abs(every).sum())
        yield change.reading(name, words, added), loss
