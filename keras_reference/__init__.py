"""The reference: the same network in Keras, written independently of `lightning_mnist`.

The two packages share no code but the file contract (`parity.run_record`): a bug that both had
could not be seen by comparing them.
"""

import parity  # noqa: F401 - it sees to it that torchvision and Lightning can be imported beside it
