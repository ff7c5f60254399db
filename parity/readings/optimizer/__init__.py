"""Two optimisers told apart by what their first steps did to the weights."""

from parity.readings.optimizer.explain import UNEXPLAINED, explain

__all__ = ["UNEXPLAINED", "explain"]
