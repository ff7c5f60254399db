"""Watches a Keras model at work as `parity.keras.calls` does, compiled: built once, then quick."""

import warnings
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from parity.keras.calls import Call, unchanged, watch

Watched = tuple[Any, list[Call]]


class Traced:
    """A model in inference; eagerly, 300 steps of an LSTM take thirty times as long.

    Args:
        model: Any Keras model, built or not. One that is compiled to run eagerly does so here too.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._functions: dict[tuple[Any, ...], Callable[[Any], Any]] = {}
        self._noted: list[Callable[[list[Any]], Watched]] = []

    def __call__(self, x: Any) -> Watched:
        """What the model gives, and the calls of its layers, as `watch`; no state changes.

        Layers at work within a loop or a branch of the graph are not among the calls.

        Args:
            x: Samples for it, [N, ...], or several in the structure that the model takes.
        """
        with unchanged(self.model, x), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the program's own, which it has given before
            if getattr(self.model, "run_eagerly", False):
                return watch(self.model, x)
            given = keras.tree.map_structure(tf.convert_to_tensor, x)
            # Held out samples may be float64, or longer, where those of training are not.
            kind = tuple((part.dtype, *part.shape[1:]) for part in keras.tree.flatten(given))
            if kind not in self._functions:
                self._functions[kind] = _compiled(self._trace, given)
            tensors, place = self._functions[kind](given)
            return self._noted[int(place)](tensors)

    def _trace(self, x: Any) -> tuple[list[Any], int]:
        outputs, calls = watch(self.model, x)
        graph = tf.compat.v1.get_default_graph()
        calls = [call for call in calls if _within(graph, (call.inputs, call.outputs))]
        parts = [
            part for each in (outputs, *map(_ends, calls)) for part in keras.tree.flatten(each)
        ]
        tensors = {id(part): part for part in parts if tf.is_tensor(part)}
        places = {each: place for place, each in enumerate(tensors)}

        def values(structure: Any, found: list[Any]) -> Any:
            return keras.tree.map_structure(
                lambda part: found[places[id(part)]] if id(part) in places else part, structure
            )

        def noted(found: list[Any]) -> Watched:
            now = [values(_ends(call), found) for call in calls]
            return values(outputs, found), [
                call._replace(inputs=inputs, outputs=given)
                for call, (inputs, given) in zip(calls, now, strict=True)
            ]

        self._noted.append(noted)
        return list(tensors.values()), len(self._noted) - 1


def _compiled(function: Callable[[Any], Any], x: Any) -> Callable[[Any], Any]:
    """For any number of samples of one kind, so that it is built but once."""
    shape = keras.tree.map_structure(
        lambda part: tf.TensorSpec([None, *part.shape[1:]], part.dtype), x
    )
    return tf.function(function, input_signature=[shape], autograph=False)  # type: ignore[no-any-return]


def _ends(call: Call) -> tuple[Any, Any]:
    return call.inputs, call.outputs


def _within(graph: Any, structure: Any) -> bool:
    """Whether all tensors are of this graph, and not of one within it."""
    parts = [part for part in keras.tree.flatten(structure) if tf.is_tensor(part)]
    return all(getattr(part, "graph", graph) is graph for part in parts)
