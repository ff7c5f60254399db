"""A few samples of what a Keras training is given, taken so that it notices nothing."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from parity.keras.calls import undrawn
from parity.keras.dataset_copy import copy_of
from parity.watch.fingerprint import sample

VALUES = 2**21
"""Numbers that a probe holds at most: all layers' answers to it are in memory together."""
LEAST = 16
"""Samples that it holds all the same."""
READ = 50_000
"""Samples of which the targets are read while these are all alike."""


class Probe(NamedTuple):
    """Samples and their targets, and which they are.

    Attributes:
        x: Array [N, ...], or several in the structure that the model takes.
        y: Targets, array [N, ...], or None where there are none or several.
        ids: int64 [N], their places among all that were given.
        targets: Those of all samples that are known, [M, ...].
        batch: Samples of a batch, where they were given in batches.
        whole: Whether `targets`, or `heads`, are all that there are.
        heads: Targets of several outputs, as they are given: in a list or by name.
    """

    x: Any
    y: NDArray[Any] | None
    ids: NDArray[np.int64]
    targets: NDArray[Any] | None
    batch: int | None
    whole: bool = True
    heads: Any = None

    def first(self, most: int) -> "Probe":
        """At most that many of the samples, evenly spaced."""
        chosen = sample(len(self.ids), most)
        y = None if self.y is None else self.y[chosen]
        return self._replace(x=_take(self.x, chosen), y=y, ids=self.ids[chosen])


def batch_of(trained: Probe, steps: int, asked: int | None) -> int | None:
    """Samples of a batch: one where as many make an epoch, or what ``fit`` was asked for."""
    count = 0 if trained.targets is None else trained.targets
    if len(np.atleast_1d(count)) == steps:
        return 1
    return None if trained.batch else asked


def probe_of(x: Any, y: Any, most: int) -> Probe | None:
    """At most `most` samples, evenly spaced, or the first ones of data in batches.

    `x` is what `fit` is given: arrays, a ``tf.data.Dataset`` or a ``keras.utils.PyDataset``.

    Returns:
        None for what can be read only once, as a generator, and so belongs to the training.
    """
    batches = _batches(x)
    if batches is None:
        return _from_arrays(x, y, most)
    pairs: list[tuple[Any, Any]] = []
    more: list[Any] = []
    count, whole = 0, True
    for batch in batches:
        if not isinstance(batch, tuple | list) or len(batch) < 2:
            return None
        if count < most:
            pairs.append((batch[0], batch[1]))
        else:
            more.append(batch[1])
        count += len(keras.tree.flatten(batch[0])[0])
        known = [pair[1] for pair in pairs] + more[-1:]
        if count >= most and (count >= READ or not _alike(known)):
            whole = False
            break
    if not pairs:
        return None
    xs, ys = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *pairs)
    found = _from_arrays(xs, ys, most)
    if found is None:
        return None
    targets = np.concatenate([ys, *more]) if more else found.targets
    batch = len(keras.tree.flatten(pairs[0])[0])
    return found._replace(batch=batch, whole=whole, targets=targets)


def _alike(targets: list[Any]) -> bool:
    """Whether all of them are one number."""
    if not all(isinstance(part, np.ndarray) for part in targets):
        return False
    return all(bool((part == targets[0].flat[0]).all()) for part in targets if targets[0].size)


def _from_arrays(x: Any, y: Any, most: int) -> Probe | None:
    parts = keras.tree.flatten(x)
    if not parts or not all(hasattr(part, "shape") for part in parts):
        return None
    count = parts[0].shape[0]
    each = sum(int(np.prod(part.shape[1:])) for part in parts)
    chosen = sample(count, min(most, max(LEAST, VALUES // max(each, 1))))
    known = y is not None and not isinstance(y, tuple | list | dict)
    targets = _array(y) if known else None
    own = None if targets is None else targets[chosen]
    heads = y if isinstance(y, tuple | list | dict) else None
    return Probe(_take(x, chosen), own, chosen, targets, None, heads=heads)


def _take(x: Any, chosen: NDArray[np.int64]) -> Any:
    return keras.tree.map_structure(lambda part: _array(part)[chosen], x)


def _array(values: Any) -> NDArray[Any]:
    if keras.ops.is_tensor(values):
        return np.asarray(keras.ops.convert_to_numpy(values))
    return np.asarray(values)


def _batches(x: Any) -> Iterator[Any] | None:
    """Batches as NumPy; none of what can be read only once, None for arrays."""
    if isinstance(x, tf.data.Dataset):
        copy = copy_of(x)
        return iter(()) if copy is None else copy.as_numpy_iterator()
    if isinstance(x, keras.utils.PyDataset):
        return _read(x)
    return iter(()) if isinstance(x, Iterator) else None


def _read(batches: keras.utils.PyDataset) -> Iterator[Any]:
    """One after the other; what they draw at random, the training draws again."""
    with undrawn():
        for place in range(len(batches)):
            yield keras.tree.map_structure(_array, batches[place])
