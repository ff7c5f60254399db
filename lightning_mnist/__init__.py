"""Train, evaluate and use an MLP on handwritten digits with PyTorch Lightning.

Importing the package is cheap; torch and Lightning load with the modules that need them.
"""

from lightning_mnist import torchvision_ops

torchvision_ops.install()
