"""What is asked once a training has taken many steps: what it left as it was, or made of no use."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from parity.arrays import Array
from parity.keras.calls import Call, as_array, training_mode, unchanged
from parity.keras.names import kind_of
from parity.keras.probe import Probe
from parity.keras.traced import Traced
from parity.watch.check import Belief, Match, Program
from parity.watch.check.telling import unseen
from parity.watch.trials.ranking import AS_IT_IS, SECONDS, STEPS, Trial, told
from parity.watch.trials.stall import MUCH, learned_nothing, reads

ROWS = 64
"""Times that one sample is asked for, and samples beside it."""
PRIOR = 0.1
"""Root mean square of a code below which it is that of the prior, whose deviation is 1."""
LAGS = 0.05
"""Part of what running statistics began with, from which on they are not those of the samples."""
DRAWS = 0.3
"""Deviation of what one sample gives, from which on it is drawn at random."""
ALIKE = 1.25
"""Deviation of answers to different samples, as a multiple of that to one, up to which they tell
nothing of the samples."""


def no_code(traced: Traced, program: Program, x: Any) -> Match | None:
    """A variational autoencoder whose codes are the prior's for every sample: posterior collapse.

    Bowman et al. 2016, "Generating sentences from a continuous space", section 3.1.

    Args:
        traced: The model, after many steps.
        program: As it was before the first.
        x: Samples for it, [N, ...].
    """
    if not isinstance(x, np.ndarray) or len(x) < ROWS or x.dtype.kind not in "iuf":
        return None
    if program.outputs[:1].size != x[:1].size:
        return None
    outputs, calls = traced(x[:ROWS])
    answers = as_array(outputs)
    places = [n for n, call in enumerate(calls) if _is_code(call)]
    if not places:
        return None
    same, again = traced(np.repeat(x[:1], ROWS, axis=0))
    drawn = [as_array(call.inputs).std(axis=0).max() for call in again[places[-1] + 1 :]]
    if max(drawn, default=0.0) < DRAWS:
        return None
    if answers.std(axis=0).mean() > ALIKE * as_array(same).std(axis=0).mean():
        return None
    code = as_array(calls[places[-1]].outputs)
    return Match(
        "posterior collapse: the code says nothing of the sample, nor does what is made of it",
        f"the encoder gives {code.min():.2g} to {code.max():.2g} for all samples, as the prior has "
        "it, and what is drawn from it is noise: the divergence from the prior outweighs the "
        "reconstruction",
        "Add the reconstruction up over the features of a sample, as the divergence is over the "
        "code, or weight the divergence less: loss = reconstruction + 0.1 * kl",
        Belief.LIKELY,
    )


def _is_code(call: Call) -> bool:
    if call.fused or kind_of(call) != "dense":
        return False
    values = as_array(call.outputs)
    return values.ndim == 2 and bool(np.sqrt((values**2).mean()) < PRIOR)


def not_seen(traced: Traced, program: Program, x: Any, targets: Array | None) -> Match | None:
    """See `unseen`.

    Args:
        traced: The model, after many steps.
        program: As it was before the first.
        x: Samples for it.
        targets: Of these samples.
    """
    if targets is None or not isinstance(x, np.ndarray):
        return None
    if not learned_nothing(program, as_array(traced(x)[0]), targets):
        return None
    return unseen(program, x, targets, lambda other: as_array(traced(other)[0]))


def lagging(traced: Traced, program: Program, probe: Probe, step: int) -> Match | None:
    """A batch normalisation that has had too few steps to know the mean of its samples.

    Args:
        traced: The model, after its last step.
        program: As it was before the first.
        probe: Samples for it.
        step: Its steps.
    """
    outputs, calls = traced(probe.x)
    layers = [c.layer for c in calls if isinstance(c.layer, keras.layers.BatchNormalization)]
    first = max((each.momentum for each in layers if each.trainable), default=0.0) ** step
    if probe.y is None or first < LAGS:
        return None
    with unchanged(traced.model):
        given = traced.model(probe.x, **training_mode(traced.model, True))
    now, trains = (reads(program, as_array(each), probe.y) for each in (outputs, given))
    if now is None or trains is None or trains < now + MUCH:
        return None
    return Match(
        "the running mean and variance of batch normalisation lag behind",
        f"after {step} steps they still are what they began with to {first:.0%}: with those of "
        f"its batch the network scores {trains:.0%}, with the running ones, as in use, {now:.0%}",
        "Train for more steps: more epochs, or smaller batches; or BatchNormalization(momentum="
        "0.9), which forgets sooner",
        Belief.LIKELY,
    )


def elsewhere(
    program: Program,
    source: str,
    outputs: Array,
    targets: Array | None,
    trial: Callable[[], Trial | None],
    least: float,
) -> Match | None:
    """Samples that `fit` has from elsewhere, where those which the guard was given teach much more.

    Args:
        program: That has trained.
        source: What `fit` draws its samples from.
        outputs: Of the network now, [N, ...].
        targets: Of the same samples.
        trial: Makes what trains copies.
        least: Of a score that these must bring.
    """
    now = None if targets is None else reads(program, outputs, targets)
    copies = None if now is None or now > 1 - least else trial()
    if copies is None or now is None:
        return None
    score, steps = copies.run(AS_IT_IS, STEPS, SECONDS)
    if score < now + least:
        return None
    return Match(
        "fit is fed other samples than the guard was given, and learns less of them",
        f"it draws them from a {source}; after {steps} steps on those of the guard the same "
        f"network {told(copies.task, score)}, and as it is {told(copies.task, now)}",
        "Look at two batches of what fit is given: whether they differ, each sample has its own "
        "target, and values are scaled and augmented as they should be",
        Belief.LIKELY,
    )


def steps_itself(model: keras.Model) -> bool:
    """Whether a model has a ``train_step`` of its own."""
    return type(model).train_step is not keras.Model.train_step


def own_step(program: Program, told: str = ", and in steps of fit's own it learns") -> Match:
    """A ``train_step`` of its own that learns nothing where that of Keras does.

    Args:
        program: As it was before the first step.
        told: What the same network reads after steps of Keras' own, in words.
    """
    targets = program.targets
    broadcast = targets is not None and targets.ndim == 1 and program.outputs.shape[1:] == (1,)
    return Match(
        "train_step trains something else than the loss that was compiled",
        f"the network has learned next to nothing{told}"
        + (
            "; the targets have shape [B] and the answers [B, 1], so that their difference is "
            "[B, B], and the mean is all that can be learned"
            if broadcast
            else ""
        ),
        "Give both one shape: y = tf.expand_dims(y, -1), or use self.compute_loss(y=y, y_pred=...)"
        if broadcast
        else "Use self.compute_loss(y=y, y_pred=self(x, training=True)), its gradients, and "
        "self.optimizer.apply_gradients",
        Belief.LIKELY,
    )
