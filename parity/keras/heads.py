"""A model with several outputs, each looked at as a program of its own."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np

from parity.keras.calls import Call
from parity.keras.facts import facts_of
from parity.keras.losses import loss_of
from parity.keras.private import given_to_compile
from parity.keras.probe import Probe
from parity.watch.check import AT_HEADS, TARGETS, Belief, Match, Program, causes_of


def causes_of_heads(
    model: keras.Model, outputs: Any, calls: list[Call], probe: Probe
) -> list[Match]:
    """Mistakes in what single outputs end in and are compared with; those of no other kind.

    The model is compiled, with a name for each output; `probe` are the samples, with targets in a
    list or by name.
    """
    names: list[str] = list(getattr(model, "output_names", None) or [])
    parts = keras.tree.flatten(outputs)
    if isinstance(outputs, dict):
        names = sorted(outputs)  # as the parts are
    if len(names) != len(parts):
        return []
    # Whoever weights the losses of the outputs has thought of their sizes.
    unweighted = given_to_compile(model).get("loss_weights", ()) is None
    found: list[Match] = []
    for place, (name, given) in enumerate(zip(names, parts, strict=True)):
        wanted, loss = (_of(each, name, place, len(names)) for each in (probe.heads, model.loss))
        last = next((n for n, call in enumerate(calls, 1) if call.outputs is given), None)
        if last is None or wanted is None or not hasattr(wanted, "shape"):
            continue
        facts, targets = facts_of(given, calls[:last]), np.asarray(wanted)
        program = Program(
            "keras",
            facts.layers[-1:],
            facts.fed,
            facts.outputs,
            targets,
            fair=probe.whole,
            last=facts.last,
            ends=facts.ends,
            loss=loss_of(loss, facts.last),
        )
        matches = causes_of(program, Belief.SURE, AT_HEADS)
        if unweighted:
            matches += causes_of(program, Belief.LIKELY, TARGETS)
        found += [replace(m, cause=f"output {name}: {m.cause}", remedy=None) for m in matches]
    return found


def _of(given: Any, name: str, place: int, count: int) -> Any:
    """What is given for an output, by its name or its place; None where that is unclear."""
    if isinstance(given, dict):
        return given.get(name)
    if isinstance(given, list | tuple):
        return given[place] if len(given) == count else None
    return given if isinstance(given, str) else None
