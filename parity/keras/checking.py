"""The check before the first step for any Keras model: `parity.watch.check` decides."""

from contextlib import suppress
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from parity.keras.behaviour import ascends, beyond_table, broadcasts, mixes, swapped, unbounded
from parity.keras.calls import undrawn
from parity.keras.facts import Facts, facts_of
from parity.keras.heads import causes_of_heads
from parity.keras.late import steps_itself
from parity.keras.losses import loss_of
from parity.keras.metrics import misjudging
from parity.keras.probe import Probe, probe_of
from parity.keras.traced import Traced
from parity.keras.unmoved import no_slope
from parity.keras.updates import (
    clipped_of,
    momentum_of,
    name_of,
    no_eps_of,
    optimizer_of,
    penalties_of,
    rate_of,
    trainable,
    untracked,
)  # fmt: skip
from parity.watch.check import Program, causes_of
from parity.watch.check.parts import PLAIN
from parity.watch.check.words import beyond, findings_of, say
from parity.watch.diagnosis import Finding

MOST = 500
"""Samples that the network is asked for."""
BATCHES = 3
"""Batches whose order is looked at."""


def check(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    validation: tuple[Any, Any] | None = None,
    test: tuple[Any, Any] | None = None,
) -> list[Finding]:
    """Look at a program before its first step, print what looks wrong, and give it back.

    Nothing is trained and nothing changes. What is left out is not looked at.

    Args:
        model: Compiled as it is about to be trained.
        x: Samples: array(s) [N, ...], or a ``tf.data.Dataset`` or ``keras.utils.PyDataset`` of
            batches.
        y: Targets, [N] or [N, C]; None for data in batches.
        validation: Samples and targets that are held out.
        test: Likewise.

    Returns:
        Causes with their figures and the line to change, the surest first; none if all looks well.

    Raises:
        TypeError: the samples can be read only once.
    """
    probe = probe_of(x, y, MOST)
    if probe is None:
        raise TypeError(
            f"check was given {type(x).__name__}, which can be read only once; expected arrays, a "
            "tf.data.Dataset or a keras.utils.PyDataset"
        )
    held = {"validation": validation, "test": test}
    others = {n: found for n, pair in held.items() if pair and (found := probe_of(*pair, MOST))}
    findings = _look(model, x, probe, others, held)
    say(findings)
    return findings


def _look(
    model: keras.Model,
    x: Any,
    probe: Probe,
    others: dict[str, Probe],
    held: dict[str, tuple[Any, Any] | None],
) -> list[Finding]:
    try:
        traced = Traced(model)
        seen = traced(probe.x)
        facts = facts_of(*seen)
        fed = {name: facts_of(*traced(other.x)).fed for name, other in others.items()}
    except Exception as error:  # a model is anyone's code
        return [refused_by(model, error, probe)]
    whole = {name: array_of((held[name] or (None,))[0]) for name in others}
    program = program_of(
        traced,
        probe,
        facts,
        inputs=array_of(x),
        repeats=repeats(x),
        others={name: values for name, values in fed.items() if values is not None},
        other_inputs={name: values for name, values in whole.items() if values is not None},
    )
    heads = causes_of_heads(model, *seen, probe) if facts.several else []
    return findings_of([*heads, *causes_of(program), *misjudging(model, program)])


def program_of(traced: Traced, probe: Probe, facts: Facts, **known: Any) -> Program:
    """What is known of a program.

    Args:
        traced: The model, before its first step.
        probe: Samples that it trains on.
        facts: Of the model, asked for these samples.
        known: More of `Program`.
    """
    model, optimizer = traced.model, optimizer_of(traced.model)
    targets = probe.y if probe.targets is None else probe.targets
    loss = None if facts.several else loss_of(getattr(model, "loss", None), facts.last)
    own = loss is None and not facts.several
    judged = model, facts.outputs, probe.y, facts.last
    cuts = no_slope(model, probe.x, facts.outputs, probe.y)
    order: list[Any] = []
    if probe.batch and targets is not None:
        order = [targets[n : n + probe.batch] for n in range(0, len(targets), probe.batch)]
    return Program(
        "keras",
        facts.layers,
        facts.fed,
        facts.outputs,
        None if facts.several else targets,
        fair=probe.whole,
        last=facts.last,
        ends=facts.ends,
        loss=loss,
        shapes=(facts.outputs.shape, facts.outputs.shape[:1])
        if own and broadcasts(*judged[:3])
        else None,
        optimizer=name_of(optimizer),
        rate=rate_of(optimizer),
        trainable=trainable(model),
        penalties=penalties_of(model, optimizer),
        momentum=momentum_of(optimizer),
        course=PLAIN._replace(no_eps=no_eps_of(model, optimizer), cuts=cuts),
        clipped=clipped_of(model, optimizer),
        stuck=facts.stuck,
        masked=facts.masked,
        ascends=own and ascends(*judged),
        swapped=own and swapped(*judged[:3]),
        unbounded=own and unbounded(*judged),
        undrawn=facts.undrawn,
        fitted=facts.fitted,
        own=probe.y,
        unregistered=0 if steps_itself(model) else untracked(model),
        mixes=not facts.several and mixes(traced, probe.x, facts.outputs),
        **({"batch": probe.batch, "order": tuple(order[:BATCHES])} | known),
    )


def repeats(x: Any) -> int:
    """Samples of the batch that a ``PyDataset`` gives whatever it is asked for; 0 of any other."""
    if not isinstance(x, keras.utils.PyDataset) or len(x) < BATCHES:
        return 0
    with undrawn():
        first, *others = (keras.tree.flatten(x[n]) for n in (0, 1, len(x) - 1))
    same = all(all(map(np.array_equal, first, other)) for other in others)
    return len(first[0]) if same else 0


def one_batch(probe: Probe, held: Probe | None) -> int:
    """Samples of a pipeline whose first batches are one, where more than these are held out.

    Args:
        probe: Of what is trained on.
        held: Of what is held out; whoever trains on all there is in one batch holds out less.
    """
    size = probe.batch or 0
    if held is None or held.targets is None or not 0 < size < len(held.targets):
        return 0
    if probe.ids[-1] < BATCHES * size - 1:
        return 0
    _, first, place = np.unique(probe.ids % size, return_index=True, return_inverse=True)
    same = (bool((part == part[first][place]).all()) for part in keras.tree.flatten(probe.x))
    return size if all(same) else 0


def held_out_of(traced: Traced, held: Probe | None, *, split: bool) -> dict[str, Any]:
    """What a `Program` knows of held out samples; such as cannot be asked hide nothing else.

    Args:
        traced: The model.
        held: Samples that are held out.
        split: Whether they are a part of those that it is trained on.
    """
    if held is None:
        return {}
    with suppress(Exception):
        if (fed := facts_of(*traced(held.x)).fed) is not None:
            own = None if split else array_of(held.x)
            return {"others": {"validation": fed}} | (
                {} if own is None else {"other_inputs": {"validation": own}}
            )
    return {}


def array_of(x: Any) -> NDArray[Any] | None:
    """Samples as one array, where they are one."""
    return x if isinstance(x, np.ndarray) else None


def refused_by(model: keras.Model, error: Exception, probe: Probe) -> Finding:
    """Why a model cannot take samples, as far as that is known."""
    if (found := beyond_table(model, probe.x)) is not None:
        return beyond(*found, "Embedding({}, ...)")
    shapes = [list(part.shape[1:]) for part in keras.tree.flatten(probe.x)]
    return Finding(
        "the network cannot take these samples",
        f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
        f"Compare with what they are: {shapes[0] if len(shapes) == 1 else shapes}",
    )
