"""Trains copies of a Keras model's weights with remedies; the model and all randomness stay."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from parity.keras.calls import as_array, training_mode, unchanged
from parity.keras.facts import APPLIED
from parity.keras.intervention import Head, intervention
from parity.keras.names import kind_of
from parity.keras.traced import Traced
from parity.keras.updates import frozen, optimizer_of
from parity.watch.check import Change, Program, Remedy
from parity.watch.check.program import Task
from parity.watch.check.training import MULTIPLIES
from parity.watch.trials import Material, middle, score

HIDDEN = 32
"""Units of a hidden layer that is tried."""
OFF = 1e-7
"""How far from 0 and 1 a remedy keeps answers: Keras' own epsilon."""
Values = dict[int, NDArray[Any]]


def state_of(model: keras.Model) -> Values:
    """Copies of all weights and other state, from which trials start, by identity."""
    return {id(variable): as_array(variable) for variable in _variables(model)}


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.trainable_variables, *model.non_trainable_variables]


class Trial:
    """See `parity.watch.trials.Trial`.

    Args:
        traced: The model, compiled.
        initial: Its state before the first step.
        material: Samples for it.
        program: What is known of it.
    """

    runs = False
    """What the model is asked to do here is what `fit` asks of it."""

    def __init__(
        self, traced: Traced, initial: Values, material: Material, program: Program
    ) -> None:
        self.model, self.initial, self.material = traced.model, initial, material
        self.program = program
        self.task: Task = material.task
        outputs, self.calls = traced(_take(material.x, np.arange(1)))
        last = self.calls[-1]
        self.ends = last.outputs is outputs and program.last not in ("", "linear")
        self.bare: list[Any] | None = None
        """What the last layer gives, while the function applied to it is left out."""
        self.applies = last.outputs is not outputs and program.last in APPLIED

    def run(self, remedy: Remedy, steps: int, seconds: float) -> tuple[float, int]:
        """Train with a remedy; gives the score on held-out samples and the steps taken.

        Raises:
            ValueError: the remedy cannot be applied to this network.
        """
        features, targets = self.material.features(remedy), self.material.targets(remedy)
        learned = [self._copy(v, remedy) for v in self.model.trainable_variables]
        thaws = frozen(self.model) if Change.THAWED in remedy else set()
        kept = [self._copy(v, remedy, id(v) in thaws) for v in self.model.non_trainable_variables]
        head = self._head(remedy)
        added = [copy for copy in kept if copy.trainable] + ([] if head is None else head.variables)
        optimizer = self._optimizer(remedy)
        optimizer.build([*learned, *added])
        end, taken = time.monotonic() + seconds, 0
        batches = self.material.batches(remedy)
        with _quietly(), warnings.catch_warnings(), unchanged(self.model), self._with(remedy, head):
            warnings.simplefilter("ignore")  # of what is wrong on purpose
            step = self._step(remedy, optimizer, learned, kept, added)
            if self.program.trainable == 0 and Change.THAWED not in remedy:
                taken = steps
            while taken < steps and (taken < 2 or time.monotonic() < end):
                chosen = next(batches)
                x, y = _take(features, chosen), targets[chosen]
                if not np.isfinite(step(_tensors(x), tf.convert_to_tensor(y))):
                    taken = steps  # it can get no better
                    break
                if not taken:  # the first one builds the graph, which says nothing of the others
                    end = time.monotonic() + seconds
                taken += 1
            found = self._score(remedy, learned, kept, features, targets)
        return found, taken

    def _copy(
        self, variable: keras.Variable, remedy: Remedy, thawed: bool = False
    ) -> keras.Variable:
        """Of a weight as it was before the first step, or drawn anew."""
        values = self.initial[id(variable)]
        if remedy.initial and variable.trainable and "embedding" not in variable.path:
            if values.ndim > 1:
                fans = values.shape[-1] + values.size // values.shape[-1]
                reach = np.sqrt(6 / fans)  # Glorot and Bengio 2010, eq. 16
                if remedy.initial == "he":
                    reach = np.sqrt(6 * values.shape[-1] / values.size)  # He et al. 2015, eq. 10
                drawn = np.random.default_rng(len(values)).uniform(-reach, reach, values.shape)
                values = drawn.astype(values.dtype)
            elif variable.name == "bias":
                values = np.zeros_like(values)
        trained = thawed or variable.trainable
        copy = keras.Variable(values, dtype=variable.dtype, trainable=trained)
        copy.constraint = None if Change.UNPENALISED in remedy else variable.constraint
        return copy

    def _head(self, remedy: Remedy) -> Head | None:
        """A last layer with an output for each class, where it has another number."""
        last = [call for call in self.calls if not call.fused and kind_of(call) in MULTIPLIES]
        known, columns = bool(last) and kind_of(last[-1]) == "dense", self.program.columns
        if Change.DEEPER in remedy and known and columns:
            layer, inputs = last[-1].layer, int(last[-1].inputs.shape[-1])
            return Head(inputs, columns, HIDDEN, getattr(layer, "activation", None))
        if remedy.head not in ("classes", "binary"):
            return None
        classes = int(self.material.names(remedy).max()) + 1
        if columns is None or columns == classes or (columns == 1 and classes == 2):
            return None
        if not known:
            raise ValueError("the last layer is not known")
        return Head(int(last[-1].inputs.shape[-1]), classes)

    def _with(self, remedy: Remedy, head: Head | None) -> AbstractContextManager[None]:
        self.bare = [] if self.applies and remedy.head else None
        return intervention(self.calls, remedy, self.ends, head, self.bare)

    def _optimizer(self, remedy: Remedy) -> Any:
        own = optimizer_of(self.model)
        if Change.ADAM in remedy:
            return keras.optimizers.Adam(remedy.rate or 0.001)
        settings = own.get_config()
        if Change.UNPENALISED in remedy:
            settings["weight_decay"] = None
        if Change.UNCLIPPED in remedy:
            settings |= {"clipnorm": None, "global_clipnorm": None, "clipvalue": None}
        if Change.DAMPED in remedy:
            name = "beta_1" if "beta_1" in settings else "momentum"
            settings[name] = 0.9
        if remedy.rate is not None:
            settings["learning_rate"] = remedy.rate
        return type(own).from_config(settings)

    def _answers(self, learned: Any, kept: Any, x: Any, training: bool) -> tuple[Any, Any, Any]:
        """What the model gives, its state after it, and the penalties on its weights."""
        mode = training_mode(self.model, training)
        found = self.model.stateless_call(learned, kept, x, return_losses=True, **mode)
        given = self.bare.pop() if self.bare else found[0]
        return given, found[1], tf.add_n(found[2]) if found[2] else 0.0

    def _step(
        self, remedy: Remedy, optimizer: Any, learned: Any, kept: Any, added: Any
    ) -> Callable[[Any, Any], Any]:
        """One step of the optimiser; gives the loss before it."""

        def step(x: Any, y: Any) -> Any:
            with tf.GradientTape() as tape:
                given, state, penalty = self._answers(learned, kept, x, training=True)
                loss = self._loss(remedy, given, y)
                loss += 0.0 if Change.UNPENALISED in remedy else penalty
            weights = [*learned, *added]
            gradients = tape.gradient(loss, [weight.value for weight in weights])
            pairs = [(g, w) for g, w in zip(gradients, weights, strict=True) if g is not None]
            for variable, value in zip(kept, state, strict=True):
                variable.assign(value)
            optimizer.apply_gradients(pairs)
            return loss

        return tf.function(step, autograph=False)  # type: ignore[no-any-return]

    def _loss(self, remedy: Remedy, given: Any, y: Any) -> Any:
        """That of the remedy's head, or the program's own."""
        if Change.BOUNDED in remedy:
            given = tf.clip_by_value(given, OFF, 1 - OFF)
        if not remedy.head:
            weights = None if Change.BALANCED in remedy else self._weights(y)
            own = self.model.compute_loss(x=None, y=y, y_pred=given, sample_weight=weights)
            return -own if Change.DESCENDS in remedy else own
        given = tf.cast(given, tf.float32)
        if remedy.head == "classes" or (remedy.head == "binary" and given.shape[-1] != 1):
            rows = y.shape.rank == 2 and y.shape[-1] != 1
            names = tf.argmax(y, -1) if rows else tf.reshape(tf.cast(y, tf.int64), [-1])
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(names, given)
        elif remedy.head == "values":
            losses = tf.square(given - tf.reshape(tf.cast(y, tf.float32), tf.shape(given)))
        else:
            wanted = tf.reshape(tf.cast(y, tf.float32), tf.shape(given))
            losses = tf.nn.sigmoid_cross_entropy_with_logits(wanted, given)
        return tf.reduce_mean(losses)

    def _weights(self, y: Any) -> Any:
        """Of samples, where classes are weighted."""
        weights = () if self.program.loss is None else self.program.loss.weights
        if not weights:
            return None
        names = tf.argmax(y, -1) if self.program.one_hot else tf.reshape(tf.cast(y, tf.int64), [-1])
        return tf.gather(tf.constant(weights), names)

    def _score(self, remedy: Remedy, learned: Any, kept: Any, features: Any, targets: Any) -> float:
        held = self.material.held
        x = _tensors(_take(features, held))
        answers = tf.function(lambda x: self._answers(learned, kept, x, training=False)[0])
        given = as_array(answers(x))
        told = self.task in ("classes", "binary")
        wanted = self.material.names(remedy)[held] if told else targets[held]
        return score(self.task, given, wanted, middle(self.program, remedy))


@contextmanager
def _quietly() -> Iterator[None]:
    """TensorFlow does not advise people on graphs that are not theirs."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _take(x: Any, chosen: Any) -> Any:
    return keras.tree.map_structure(lambda part: part[chosen], x)


def _tensors(x: Any) -> Any:
    return keras.tree.map_structure(tf.convert_to_tensor, x)
