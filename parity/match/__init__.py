"""Which layer of one model is which of another, whatever either calls them (NumPy only)."""
