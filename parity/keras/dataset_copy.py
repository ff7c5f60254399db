"""A copy of a ``tf.data.Dataset`` that shares no state with it.

Reading a data set changes what the next reading gives: it reshuffles, fills a cache, draws at
random. A guard that reads what a training is fed must read a copy.
"""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

_IGNORE_STATE = 1
"""As in `tf.data.experimental.ExternalStatePolicy`: copies are made all the same."""


def copy_of(dataset: tf.data.Dataset) -> tf.data.Dataset | None:
    """The same data set, without caches and with a shuffling of its own.

    None where it has state that cannot be copied: Python functions, variables, generators.
    """
    variant = tf.data.experimental.to_variant(dataset)
    graph = tf.raw_ops.DatasetToGraphV2(input_dataset=variant, external_state_policy=_IGNORE_STATE)
    definition = tf.compat.v1.GraphDef.FromString(graph.numpy())
    _without_shared_state(definition.node)
    functions = (node for part in definition.library.function for node in part.node_def)
    if any("PyFunc" in node.op for node in (*definition.node, *functions)) or any(
        map(_is_state, _used(definition.node))
    ):
        return None
    copy = tf.raw_ops.DatasetFromGraph(graph_def=definition.SerializeToString())
    return tf.data.experimental.from_variant(copy, dataset.element_spec)


def _without_shared_state(nodes: Any) -> None:
    """Every shuffle gets a state of its own, every cache is left out."""
    instead: dict[str, str] = {}
    for node in nodes:
        if node.op == "ShuffleDatasetV3":
            node.op = "ShuffleDataset"  # the same but for the shared generator, its last input
            del node.input[-1]
        elif node.op.startswith("CacheDataset"):
            instead[node.name] = node.input[0]
    for node in nodes:
        for place, name in enumerate(node.input):
            while name in instead:
                name = instead[name]
            node.input[place] = name


def _used(nodes: Iterable[Any]) -> list[Any]:
    """The nodes that the data set, the last one, is made from."""
    by_name = {node.name: node for node in nodes}
    used, waiting = {}, [next(node.name for node in nodes if node.op == "_Retval")]
    while waiting:
        name = waiting.pop().removeprefix("^").split(":")[0]
        if name not in used:
            used[name] = by_name[name]
            waiting.extend(by_name[name].input)
    return list(used.values())


def _is_state(node: Any) -> bool:
    """Whether a node is something that changes while it is used; a lookup table does not."""
    handles = node.attr["value"].tensor.resource_handle_val if node.op == "Const" else ()
    return any("lookup" not in handle.maybe_type_name for handle in handles)
