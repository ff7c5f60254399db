"""What a model and its optimiser really do: measured on copies of them, for `parity audit`."""

from parity.keras.settings.layers import layer_settings
from parity.keras.settings.optimizer import optimizer_settings

__all__ = ["layer_settings", "optimizer_settings"]
