"""A whole JAX script: ``python -m benchmarks.workers.jax_script WORK`` trains and tests.

No validation; compiling is in its seconds. It prints JSON.
"""

from benchmarks.work import Work
from benchmarks.workers.jax_scan import accuracy, arrays, initial, train
from benchmarks.workers.serving import once


def measure(work: Work) -> dict[str, float]:
    """Train and test."""
    images, labels = arrays(work.data, "train")
    training = images[: work.images], labels[: work.images]
    *_, (weights, *_) = train(work, initial(work), *training)
    return {"accuracy": accuracy(weights, *arrays(work.data, "test")).item()}


if __name__ == "__main__":
    once(measure)
