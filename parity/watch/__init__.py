"""What a training is watched with, from measured symptoms to a named cause (NumPy only)."""
