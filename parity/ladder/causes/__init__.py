"""Causes of a broken rung: one file a rung, from recorded arrays to findings (NumPy only)."""
