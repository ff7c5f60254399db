"""Every cause is tried before it is named: what a remedy brings on a copy (NumPy only)."""

from parity.watch.trials.material import SAMPLES, Material, middle, score
from parity.watch.trials.ranking import AS_IT_IS, Trial, Tried, tried

__all__ = ["AS_IT_IS", "SAMPLES", "Material", "Trial", "Tried", "middle", "score", "tried"]
