"""``python -m lightning_mnist compare``: several recipes, several seeds, and what is real."""
