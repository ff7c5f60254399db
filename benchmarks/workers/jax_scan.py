"""JAX as a fast person writes it: an epoch, shuffled, is one compiled scan over its batches."""

import itertools
import os
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.work import Work
from benchmarks.workers.serving import Prepared, serve

THREADS = os.environ.get("OMP_NUM_THREADS", "1")
os.environ["NPROC"] = THREADS  # that XLA's pool has; read when JAX is imported
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # others use the same GPU
if THREADS == "1":
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

FEATURES, CLASSES = 784, 10
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
"""Of Adam, as torch has them."""
State = Any
"""Weights, Adam's two means, and how many steps have been taken."""


def initial(work: Work) -> State:
    """Uniform within 1 / sqrt(fan_in), as torch draws weights; zero biases."""
    keys = jax.random.split(jax.random.key(work.seed), len(work.hidden) + 1)
    weights = []
    for key, (fan_in, width) in zip(
        keys, itertools.pairwise((FEATURES, *work.hidden, CLASSES)), strict=True
    ):
        bound = fan_in**-0.5
        weights.append(
            (jax.random.uniform(key, (fan_in, width), minval=-bound, maxval=bound),
             jnp.zeros(width))
        )  # fmt: skip
    means = (jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
    return (weights, *means, jnp.zeros((), jnp.int32))


def logits(weights: Any, images: Any) -> Any:
    """Of images uint8 [B, 784]: float32 [B, 10]."""
    values = images.astype(jnp.float32) / 255
    for weight, bias in weights[:-1]:
        values = jax.nn.relu(values @ weight + bias)
    weight, bias = weights[-1]
    return values @ weight + bias


def loss(weights: Any, images: Any, labels: Any) -> Any:
    """Mean cross-entropy."""
    shares = jax.nn.log_softmax(logits(weights, images))
    return -jnp.take_along_axis(shares, labels[:, None], axis=1).mean()


def step(state: State, images: Any, labels: Any, rate: Any) -> State:
    """One of Adam."""
    weights, means, squares, count = state
    gradients = jax.grad(loss)(weights, images, labels)
    count += 1
    means = jax.tree.map(lambda m, g: m + (1 - BETA_1) * (g - m), means, gradients)
    squares = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, squares, gradients)
    size = rate / (1 - BETA_1**count)
    scale = jnp.sqrt(1 - BETA_2**count)

    def updated(weight: Any, mean: Any, square: Any) -> Any:
        return weight - size * mean / (jnp.sqrt(square) / scale + EPSILON)

    return jax.tree.map(updated, weights, means, squares), means, squares, count


@partial(jax.jit, static_argnames="size", donate_argnums=0)
def epoch(state: State, images: Any, labels: Any, order: Any, rate: Any, *, size: int) -> State:
    """A pass over the images in `order` int32 [N], in batches of `size`; the last has the rest."""
    whole = len(order) // size * size

    def body(state: State, ids: Any) -> tuple[State, None]:
        return step(state, images[ids], labels[ids], rate), None

    if whole:
        state, _ = jax.lax.scan(body, state, order[:whole].reshape(-1, size))
    return state if whole == len(order) else body(state, order[whole:])[0]


@jax.jit
def accuracy(weights: Any, images: Any, labels: Any) -> Any:
    """Share of images that are read right."""
    return (logits(weights, images).argmax(1) == labels).mean()


def arrays(data: str, part: str) -> tuple[Any, Any]:
    """Images uint8 [N, 784] and labels int32 [N] of "train" or "test", on the device."""
    with np.load(data, allow_pickle=False) as file:
        images, labels = file[f"x_{part}"], file[f"y_{part}"]
    return jnp.asarray(images.reshape(len(images), -1)), jnp.asarray(labels, jnp.int32)


def train(work: Work, state: State, images: Any, labels: Any) -> Iterator[State]:
    """The state after each epoch, which the next one overwrites."""
    rng = np.random.default_rng(work.seed)
    for number in range(round(work.epochs)):
        order = jnp.asarray(rng.permutation(work.images), jnp.int32)
        rate = work.learning_rate * work.decay**number
        state = epoch(state, images, labels, order, rate, size=work.batch_size)
        yield state


def prepare(work: Work, validated: bool = False) -> Prepared:
    """Every round has a network of its own; compiling is in none but the first, which warms up."""
    jax.config.update("jax_platforms", "cuda" if work.accelerator == "gpu" else "cpu")
    products = "tensorfloat32" if work.precision == "tf32" else "float32"
    jax.config.update("jax_default_matmul_precision", products)
    images, labels = arrays(work.data, "train")
    kept = slice(work.images, work.images + work.val_images)
    training, validation = (
        (images[: work.images], labels[: work.images]),
        (images[kept], labels[kept]),
    )

    def run() -> float:
        start = jax.block_until_ready(initial(work))
        started = time.perf_counter()
        for state in train(work, start, *training):
            if validated:
                accuracy(state[0], *validation).item()
            jax.block_until_ready(state)
        return (time.perf_counter() - started) / round(work.epochs)

    return Prepared(run)


if __name__ == "__main__":
    serve(prepare)
