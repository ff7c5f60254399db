"""A whole Keras script: ``python -m benchmarks.workers.keras_script WORK`` trains and tests.

As a fast person writes it: no validation, 32 steps an execution. It prints JSON.
"""

import keras
import numpy as np

from benchmarks.work import Work
from benchmarks.workers.keras_fit import STEPS_PER_EXECUTION, compiled, read
from benchmarks.workers.serving import once


def measure(work: Work) -> dict[str, float]:
    """Train and test."""
    keras.utils.set_random_seed(work.seed)
    model = compiled(work, steps_per_execution=max(STEPS_PER_EXECUTION))
    model.fit(
        *read(work)[0], batch_size=work.batch_size, epochs=round(work.epochs), verbose=0,
        callbacks=[
            keras.callbacks.LearningRateScheduler(
                lambda epoch, _: work.learning_rate * work.decay**epoch
            )
        ],
    )  # fmt: skip
    with np.load(work.data, allow_pickle=False) as arrays:
        _, accuracy = model.evaluate(arrays["x_test"], arrays["y_test"], batch_size=2048, verbose=0)
    return {"accuracy": float(accuracy)}


if __name__ == "__main__":
    once(measure)
