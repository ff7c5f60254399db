"""``python -m lightning_mnist search``: a better recipe, found on the validation images."""
