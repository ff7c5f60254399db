"""What a training leaves as it was: no step, no gradient, a layer that none reaches."""

from contextlib import suppress
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from parity.arrays import Array
from parity.keras.calls import Call, as_array, training_mode, unchanged
from parity.keras.late import steps_itself
from parity.keras.outputs import untrained
from parity.watch.check import Belief, Change, Match, Remedy
from parity.watch.check.parts import Cut
from parity.watch.check.words import listed

ASKED, FLAT = 16, 1e-6
"""Samples whose loss is asked for its gradients, and up to which these are rounding."""
NO_STEP = Match(
    "the optimiser takes no step",
    "fit has called train_step, no weight has changed, and optimizer.iterations is 0",
    "Call self.optimizer.apply_gradients(zip(gradients, self.trainable_variables)) in train_step",
    remedy=Remedy("with steps along the gradients", changes=Change.THAWED),
)

NO_CHANGE = Match(
    "no step changes any weight",
    "the optimiser has taken its steps, and all weights are to the bit what they were before",
    "Look at what apply_gradients is given: gradients of 0, or of other variables than those that "
    "the loss was made with; and whether the learning rate is 0",
    Belief.LIKELY,
)


def no_slope(model: keras.Model, x: Any, outputs: Array, targets: Array | None) -> tuple[Cut, ...]:
    """What lets no gradient of the loss through: the loss itself, or a function in the network.

    Args:
        model: Compiled.
        x: Samples for it.
        outputs: What it gives for them, [N, ...].
        targets: Of the same samples.
    """
    weights = [variable.value for variable in model.trainable_variables]
    loss = None if steps_itself(model) else getattr(model, "loss", None)
    if targets is None or loss is None or not weights:
        return ()
    some = keras.tree.map_structure(lambda each: each[:ASKED], x)
    with suppress(Exception), unchanged(model):  # a model is anyone's code
        with tf.GradientTape() as tape:
            given = model(some, **training_mode(model, True))
            loss = model.compute_loss(some, targets[:ASKED], given)
        found = [each for each in tape.gradient(loss, weights) if each is not None]
        if any(np.abs(tf.convert_to_tensor(each)).max() > FLAT for each in found):
            return ()
        shares = np.random.default_rng(0).uniform(0.1, 0.9, outputs.shape).astype(outputs.dtype)
        with tf.GradientTape() as tape:
            tape.watch(answers := tf.constant(shares))
            loss = model.compute_loss(y=targets, y_pred=answers)
        slope = tape.gradient(loss, answers)
        if slope is None or np.abs(slope * shares).sum() <= FLAT:
            return (Cut("the loss that was compiled", 1.0, outside=True),)
        if not found:
            return (Cut("a function within the network", 1.0, outside=True),)
    return ()


def unmoved(
    model: keras.Model, initial: dict[int, NDArray[Any]], calls: list[Call], *, late: bool
) -> Match | None:
    """Say which weights could change and have not, to the bit, and why.

    A loss that is scaled for float16 may leave out steps. Weights that the model has and does not
    call are its own affair: a teacher, a target network.

    Args:
        model: In training, or after it.
        initial: Its weights before the first step, by identity.
        calls: Of its layers.
        late: Whether so many steps have been taken that no part waits for its turn.
    """
    own = getattr(model, "optimizer", None)
    if hasattr(own, "dynamic_scale"):
        return None
    weights = [v for v in model.trainable_variables if id(v) in initial]
    same = {id(v) for v in weights if np.array_equal(as_array(v), initial[id(v)])}
    if not same:
        return None
    if len(same) == len(weights):
        return NO_STEP if _steps(own) == 0 else NO_CHANGE if late else None
    return _unreached(calls, same) if late else None


def still(calls: list[Call]) -> Match | None:
    """A batch normalisation whose mean and variance are those that it was made with.

    Args:
        calls: Of the layers of a model in training, after many steps.
    """
    layers = {id(call.layer): call.layer for call in calls}.values()
    found = [each for each in layers if isinstance(each, keras.layers.BatchNormalization)]
    count = sum(each.trainable and untrained(each) for each in found)
    if not count:
        return None
    return Match(
        "batch normalisation normalises nothing: it is trained as in inference",
        f"in {count} layer{'s' * (count > 1)} the running mean and variance are still 0 and 1",
        "Call the network with training=True while it trains: self(x, training=True)",
    )


def _unreached(calls: list[Call], same: set[int]) -> Match | None:
    """A layer whose weights no gradient changes."""
    found = {}
    for call in calls:
        own = [weight for weight in call.weights if weight.trainable]
        if own and all(id(weight) in same for weight in own):
            found[call.layer.name] = call.layer
    if not found:
        return None
    return Match(
        f"no step changes the weights of {listed(list(found))}",
        "they may be trained and work in the network, and are to the bit what they were before the "
        "first step, while others have changed",
        "Look for an output whose loss is missing or weighs 0, for variables that the step leaves "
        "out, and for what lets no gradient through: round, argmax, a comparison, stop_gradient",
        Belief.LIKELY,
    )


def _steps(optimizer: Any) -> int | None:
    """That it has counted, also those whose gradients are gathered; None without any count."""
    counted = getattr(optimizer, "_iterations", None)
    return None if counted is None else int(as_array(counted))
