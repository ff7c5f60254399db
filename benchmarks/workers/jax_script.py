"""A whole JAX script: ``python -m benchmarks.workers.jax_script WORK`` trains and tests.

No validation; compiling is in its seconds. It prints JSON.
"""

import json
import sys

from benchmarks.work import Work
from benchmarks.workers.jax_scan import accuracy, arrays, initial, train


def main() -> None:
    """Train, test, print."""
    work = Work.from_json(json.loads(sys.argv[1]))
    images, labels = arrays(work.data, "train")
    training = images[: work.images], labels[: work.images]
    *_, (weights, *_) = train(work, initial(work), *training)
    print(json.dumps({"accuracy": accuracy(weights, *arrays(work.data, "test")).item()}))


if __name__ == "__main__":
    main()
