"""Names for kinds of arrays (NumPy)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Table = dict[str, Array]
"""Arrays by name."""
Names = tuple[str, str]
"""What side A and side B are called."""
