"""The dense layers of a perceptron with what stands behind them; batch norm is kept or folded."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from keras import layers
from numpy.typing import NDArray

from keras_reference.instruments.pixels import Pixels
from parity.keras.calls import as_array
from parity.mlp_file import BATCH_NORMS

Floats = NDArray[Any]
PARTS = ("scale", "offset", "mean", "variance")


@dataclass
class Block:
    """A dense layer and what stands behind it, before the next one.

    Attributes:
        kernel: [I, O].
        bias: [O].
        norm: Batch norm between it and its activation, `PARTS` [O]; empty without.
        settings: ``epsilon`` and ``momentum`` of that.
        activation: Empty where it has none.
        after: Scale and offset of batch norm behind the activation, [O] each.
        dropout: Probability of dropping a unit while training.
    """

    kernel: Floats
    bias: Floats
    norm: dict[str, Floats] = field(default_factory=dict)
    settings: dict[str, float] | None = None
    activation: str = ""
    after: tuple[Floats, Floats] | None = None
    dropout: float = 0.0

    def folded(self) -> "Block":
        """The same with the batch norm before its activation in its weights."""
        if not self.norm or self.settings is None:
            return self
        scale = self.norm["scale"] / np.sqrt(self.norm["variance"] + self.settings["epsilon"])
        bias = (self.bias - self.norm["mean"]) * scale + self.norm["offset"]
        return replace(self, kernel=self.kernel * scale, bias=bias, norm={}, settings=None)


class Blocks:
    """Takes layers in order."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.notes: list[str] = []

    @property
    def ends_linear(self) -> bool:
        """Whether the last dense layer gives logits."""
        return bool(self.blocks) and not self.blocks[-1].activation

    def append(self, kernel: Floats, bias: Floats) -> None:
        """A dense layer, computed with in float64."""
        self.blocks.append(Block(kernel.astype(np.float64), bias.astype(np.float64)))

    def activate(self, name: str) -> None:
        """An activation; a second one in a row is a layer that does nothing else."""
        last = self.blocks[-1]
        if last.activation or last.after:
            units = len(last.bias)
            self.append(np.eye(units), np.zeros(units))
        self.blocks[-1].activation = name

    def normalise(self, layer: Any, pixels: Pixels) -> None:
        """A batch norm: of the pixels, between a dense layer and its activation, or behind it."""
        units = len(as_array(layer.moving_mean))
        fresh = {"scale": np.ones(units), "offset": np.zeros(units)}
        known = {
            "scale": layer.gamma if layer.scale else None,
            "offset": layer.beta if layer.center else None,
            "mean": layer.moving_mean,
            "variance": layer.moving_variance,
        }
        parts = {
            name: fresh[name] if known[name] is None else as_array(known[name]).astype(np.float64)
            for name in PARTS
        }
        scale = parts["scale"] / np.sqrt(parts["variance"] + layer.epsilon)
        offset = parts["offset"] - parts["mean"] * scale
        if not self.blocks:
            pixels.move(scale, offset)
            self.notes.append(f"layer {layer.name} (BatchNormalization) is folded into the weights")
            return
        last = self.blocks[-1]
        if not last.activation and not last.norm and last.after is None:
            settings = {"epsilon": float(layer.epsilon), "momentum": float(layer.momentum)}
            last.norm, last.settings = parts, settings
            return
        before = last.after or (np.ones(units), np.zeros(units))
        last.after = before[0] * scale, before[1] * scale + offset

    def left_out(self, layer: Any) -> None:
        """A layer that does nothing in inference."""
        if type(layer) is layers.Dropout and self.blocks and not self.blocks[-1].dropout:
            self.blocks[-1].dropout = float(layer.rate)
        elif type(layer) not in (
            layers.Flatten,
            layers.Reshape,
            layers.Activation,
            layers.InputLayer,
        ):
            kind = type(layer).__name__
            self.notes.append(f"layer {layer.name} ({kind}) works in training only: left behind")

    def joined(self, scale: Floats, offset: Floats) -> list[Block]:
        """Blocks that end in an activation, but for the last; the first is fed a scaled, moved x.

        Batch norm is kept where all hidden layers have it as the interchange says it; else it is
        folded, which computes the same in inference.
        """
        keeps = self._keeps()
        if any(block.norm or block.after for block in self.blocks) and not keeps:
            self.notes.append("batch norm is folded into the dense layers' weights")
        fed = (scale, offset)
        found: list[Block] = []
        for block in self.blocks if keeps else [block.folded() for block in self.blocks]:
            shift, factor = fed[1], np.reshape(fed[0], (-1, 1))
            kernel, bias = block.kernel, block.bias
            if np.any(shift) or np.any(factor != 1):
                bias = bias + np.broadcast_to(shift, len(kernel)) @ kernel
                kernel = factor * kernel
            if found and not found[-1].activation:
                before = found.pop()
                kernel, bias = before.kernel @ kernel, before.bias @ kernel + bias
            units = len(bias)
            found.append(replace(block, kernel=kernel, bias=bias, after=None))
            fed = block.after or (np.ones(units), np.zeros(units))
        if self.blocks[-1].after:
            last = found[-1]
            last.kernel, last.bias = last.kernel * fed[0], last.bias * fed[0] + fed[1]
        return found

    def _keeps(self) -> bool:
        hidden = self.blocks[:-1]
        kinds = {repr(block.settings) for block in hidden}
        said = bool(hidden) and hidden[0].settings in BATCH_NORMS and len(kinds) == 1
        alone = not any(block.after for block in self.blocks) and not self.blocks[-1].norm
        return said and alone and all(block.activation for block in hidden)

    def dropout(self, hidden: list[Block]) -> float:
        """One probability for all; where they differ it is none, and said."""
        rates = {block.dropout for block in hidden}
        if len(rates) > 1:
            said = ", ".join(f"{block.dropout:g}" for block in hidden)
            self.notes.append(f"dropout differs by layer ({said}): left behind")
        return rates.pop() if len(rates) == 1 else 0.0
