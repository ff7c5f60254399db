"""Two optimisers told apart by what their first steps did to the weights."""

from parity.readings.cause import UNEXPLAINED
from parity.readings.optimizer.tokens import explain

__all__ = ["UNEXPLAINED", "explain"]
