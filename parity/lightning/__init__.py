"""The adapter of Lightning, for any LightningModule: a side of the ladder, and the guard."""

from parity.lightning.guard import CollapseGuard
from parity.lightning.lockstep import LockStep

__all__ = ["CollapseGuard", "LockStep"]
