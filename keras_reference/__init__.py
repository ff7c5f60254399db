"""The reference: the same network in Keras, written independently of `lightning_mnist`."""
