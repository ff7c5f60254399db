"""What a module and its optimiser really do: measured on copies of them, for `parity audit`."""

from parity.torch.settings.layers import layer_settings
from parity.torch.settings.optimizer import optimizer_settings

__all__ = ["layer_settings", "optimizer_settings"]
