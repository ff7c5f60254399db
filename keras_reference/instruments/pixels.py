"""What is done to pixels before the first dense layer: an affine map, or a standardisation."""

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from parity.keras.calls import Call

Floats = NDArray[Any]
Config = dict[str, Any]
RAW = 255.0
"""A network is fed pixels of 0 to 255; the interchange begins with 0 to 1."""
STANDARD = {"epsilon": 1e-5, "center": False, "scale": False, "rms_scaling": False}
"""A `LayerNormalization` that standardises each image."""


class Pixels:
    """Takes the layers before the first dense one."""

    def __init__(self) -> None:
        self.scale: Floats = np.array(RAW)
        self.offset: Floats = np.array(0.0)
        self.standardized: Config = {"standardize": "none", "mean": 0.0, "std": 1.0}

    @staticmethod
    def takes(layer: Any) -> bool:
        """Whether a layer scales or standardises."""
        return isinstance(layer, layers.Rescaling | layers.Normalization) or _standard(layer)

    def take(self, call: Call) -> None:
        """One layer more."""
        layer: Any = call.layer
        shape = call.inputs.shape[1:]
        if isinstance(layer, layers.Rescaling):
            given = (np.asarray(value, np.float32) for value in (layer.scale, layer.offset))
            self.move(*(_of_each(value, shape) for value in given))
            return
        if not isinstance(layer, layers.Normalization):
            self.standardized = {"standardize": "image", "mean": 0.0, "std": 1.0}
            return
        mean, variance = map(keras.ops.convert_to_numpy, (layer.mean, layer.variance))
        # What the layer divides by, which is never smaller than Keras' epsilon.
        std = np.maximum(np.sqrt(variance), np.float32(keras.config.epsilon()))
        if mean.size == 1 and self._kind() is not None and not layer.invert:
            self.standardized = {"standardize": "dataset", "mean": mean.item(), "std": std.item()}
            return
        mean, std = (_of_each(values, shape) for values in (mean, std))
        if layer.invert:
            self.move(std, mean)
        else:
            self.move(1 / std, -mean / std)

    def move(self, scale: Floats, offset: Floats) -> None:
        """One affine map more."""
        if self.standardized["standardize"] == "dataset":
            mean, std = self.standardized["mean"], self.standardized["std"]
            self.standardized = {"standardize": "none", "mean": 0.0, "std": 1.0}
            self.move(np.array(1 / std), np.array(-mean / std))
        self.scale = np.asarray(self.scale * np.asarray(scale, np.float64))
        self.offset = np.asarray(self.offset * np.asarray(scale, np.float64) + offset)

    def config(self) -> tuple[Config, Floats, Floats]:
        """What the interchange says of it, and what is left, for the first weights to do."""
        inverts = self._kind()
        if inverts is None:
            config = {"invert": False, **self.standardized}
            return config, self.scale, self.offset
        return {"invert": inverts, **self.standardized}, np.array(1.0), np.array(0.0)

    def _kind(self) -> bool | None:
        """Whether 1 - x is what is fed; None where it is neither that nor x, of 0 to 1."""
        pair = np.float32(self.scale), np.float32(self.offset)
        if any(map(np.ndim, pair)):
            return None
        near = 1e-6
        if abs(pair[0] - 1) < near and abs(pair[1]) < near:
            return False
        return True if abs(pair[0] + 1) < near and abs(pair[1] - 1) < near else None


def _standard(layer: Any) -> bool:
    if not isinstance(layer, layers.LayerNormalization):
        return False
    config = layer.get_config()
    return all(config[name] == value for name, value in STANDARD.items())


def _of_each(value: Floats, shape: Any) -> Floats:
    """A figure for all pixels as it is, others one for each of the flat pixels."""
    if np.size(value) == 1:
        return np.asarray(value, np.float64).reshape(())
    return np.broadcast_to(np.asarray(value, np.float64), tuple(shape)).ravel()
