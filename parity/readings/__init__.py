"""Readings: what a side computes, told from what it was given and what it gave (NumPy only)."""
