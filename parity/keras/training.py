"""The arithmetic of training a compiled Keras model: loss, gradients, one step (TensorFlow)."""

from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from parity.keras.calls import as_array, training_mode, unchanged
from parity.keras.names import variables

Table = dict[str, NDArray[Any]]


def weights(model: keras.Model, x: Any = None) -> Table:
    """Copies of everything that is learned or tracked, by canonical name.

    Args:
        model: Any Keras model.
        x: A batch for it, [B, ...]; needed for a subclass that has never been called.

    Returns:
        By the names of `parity.keras.variables`; kernels are [in, out], those of convolutions
        [height, width, in, out].

    Raises:
        ValueError: `x` is needed.
    """
    return {name: as_array(variable) for name, variable in variables(model, x).items()}


def set_weights(model: keras.Model, values: Table, x: Any = None) -> None:
    """Take `values`, all of them and no others, by the names that `weights` gives.

    Raises:
        ValueError: a name or a shape is another than the model's; nothing has been changed then.
    """
    own = variables(model, x)
    if odd := sorted(set(own) ^ set(values)):
        raise ValueError(f"missing or unknown weights: {', '.join(odd)}; expected {', '.join(own)}")
    for name, variable in own.items():
        if values[name].shape != tuple(variable.shape):
            raise ValueError(
                f"{name} has shape {values[name].shape}; expected {tuple(variable.shape)}"
            )
    for name, variable in own.items():
        variable.assign(values[name])


def gradients(model: keras.Model, x: Any, y: Any, sample_weight: Any = None) -> tuple[float, Table]:
    """The loss of a batch in training mode and its gradient for each weight; no state changes.

    Args:
        model: Compiled with a loss; regularisation and losses that layers add count.
        x: A batch for it, [B, ...].
        y: Its targets.
        sample_weight: Weight of each sample, [B].

    Returns:
        The loss, and gradients by the names of `weights`: 0 where a weight had no part in it.
    """
    learned = {name: v for name, v in variables(model, x).items() if v.trainable}
    with unchanged(model), tf.GradientTape() as tape:
        outputs = model(x, **training_mode(model, training=True))
        loss = model.compute_loss(x=x, y=y, y_pred=outputs, sample_weight=sample_weight)
    found = tape.gradient(
        loss,
        [v.value for v in learned.values()],
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    dense = [as_array(tf.convert_to_tensor(gradient)) for gradient in found]
    return float(loss), dict(zip(learned, dense, strict=True))


def step(model: keras.Model, x: Any, y: Any, sample_weight: Any = None) -> float:
    """One step of the compiled optimiser, the way `fit` takes it; the loss before it."""
    logs = model.train_on_batch(x, y, sample_weight=sample_weight, return_dict=True)
    return float(logs["loss"])
