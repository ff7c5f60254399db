"""Train, evaluate and use an MLP on handwritten digits with PyTorch Lightning.

Importing the package is cheap; torch and Lightning load with what needs them.
"""

import parity  # noqa: F401 - it sees to it that Lightning can be imported
