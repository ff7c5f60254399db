"""What was done to images between two places (NumPy only)."""
