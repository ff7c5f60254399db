"""The differences that we know: what they do, and what aligns them."""

import math
from typing import NamedTuple


class Known(NamedTuple):
    """Explains a difference of the Lightning side's `a` and the Keras side's `b`, all patterns.

    `aligned_by` is the flag that aligns the sides, or what else does. By design both sides mean to
    differ there; `within` is the largest relative difference of two numbers that it explains.
    """

    key: str
    a: str
    b: str
    effect: str
    aligned_by: str
    by_design: bool = False
    within: float = math.inf


NORM = "--model.batch_norm keras (recipe: port exact)"
INIT = "--model.init keras (recipe: port exact)"
OPTIMIZER = "--optimizer lightning_mnist.optimizers.Keras<its name> (recipe: port exact)"
NOTHING = "nothing: it is either side's own"

_NETWORK = (
    Known(
        "batch_norm_*.epsilon", "1e-05", "0.001",
        "Keras normalises units that hardly vary less: what comes out of them is smaller", NORM,
    ),
    Known(
        "batch_norm_*.momentum", "0.9", "0.99",
        "Keras' moving statistics follow ten times more slowly: after a few hundred steps, "
        "validation still uses those of the first", NORM,
    ),
    Known(
        "batch_norm_*.moving_variance", "of the sample", "of the population",
        "torch's moving variance is B / (B - 1) times as large", NORM,
    ),
    Known(
        "init.dense_*.kernel", "uniform within * = 1 / sqrt(in)",
        "uniform within * = sqrt(6 / (in + out))",
        "Keras' Glorot uniform starts with larger weights than torch's, up to 2.4 times: larger "
        "logits, larger gradients, another course of the first epochs", INIT,
    ),
    Known(
        "init.dense_*.bias", "uniform within * = 1 / sqrt(in)", "all 0",
        "torch's biases are random at first, Keras' zero: torch prefers some classes from the "
        "start", INIT,
    ),
    Known(
        "init.he_normal", "not cut off", "cut off at 2 deviations",
        "only where a network asks for He normal weights, which neither side's does: Keras draws "
        "none beyond 2 deviations and widens the others for it",
        "torch.nn.init.trunc_normal_ with deviation sqrt(2 / in) / 0.8796 and limits of 2 of these",
        by_design=True,
    ),
)  # fmt: skip

_RATES = {
    "sgd": ("0.001", "0.01", "torch's steps are a tenth as long"),
    "rmsprop": ("0.01", "0.001", "torch's steps are ten times as long"),
    "adagrad": ("0.01", "0.001", "torch's steps are ten times as long"),
    "nadam": ("0.002", "0.001", "torch's steps are twice as long"),
}
_EPSILONS = {**dict.fromkeys(("adam", "adamw", "nadam", "rmsprop"), "1e-08"), "adagrad": "1e-10"}
_TINY = "weights whose gradients are tiny move less in Keras"
_L2 = (
    "none while weight_decay is 0; otherwise torch adds it to the gradient, which the adaptive "
    "step then divides by, while Keras, even in Adam, shrinks the weight itself"
)

_OPTIMIZERS = (
    *(
        Known(f"optimizer.{name}.learning_rate", a, b, effect, f"--optimizer.lr, or {OPTIMIZER}")
        for name, (a, b, effect) in _RATES.items()
    ),
    *(
        Known(f"optimizer.{name}.epsilon", epsilon, "1e-07", _TINY, OPTIMIZER)
        for name, epsilon in _EPSILONS.items()
    ),
    *(
        Known(
            f"optimizer.{name}.epsilon_place", "*after the bias correction",
            "*before the bias correction",
            "at step t Keras' epsilon acts as epsilon / sqrt(1 - beta_2^t), 32 times as large "
            "at first: no constant in torch matches", OPTIMIZER,
        )
        for name in ("adam", "adamw")
    ),
    *(
        Known(
            f"optimizer.{name}.bias_correction", "exact", "betas rounded to float32",
            "the first step differs by a relative 6.7e-6, in float64 too, and over an epoch the "
            "sides part", OPTIMIZER,
        )
        for name in ("adam", "adamw")
    ),
    *(
        Known(f"optimizer.{name}.weight_decay_kind", "L2*", "decoupled", _L2, OPTIMIZER)
        for name in ("adam", "nadam", "rmsprop", "adagrad", "sgd")
    ),
    Known(
        "optimizer.adamw.weight_decay", "0.01", "0.004",
        "torch shrinks weights 2.5 times as fast", OPTIMIZER,
    ),
    Known(
        "optimizer.nadam.momentum_warm_up", "*0.004 [*] t", "*of t",
        "Keras' momentum is fully warm after a hundred steps, torch's after tens of thousands",
        OPTIMIZER,
    ),
    Known(
        "optimizer.rmsprop.rho", "0.99", "0.9",
        "torch averages squared gradients over ten times as many steps; its first steps are 3.2 "
        "times as long", OPTIMIZER,
    ),
    Known(
        "optimizer.rmsprop.epsilon_place", "added to the root", "inside the root",
        "Keras' epsilon of 1e-7 acts like one of 3e-4 outside: weights whose gradients are tiny "
        "move much less", OPTIMIZER,
    ),
    Known(
        "optimizer.adagrad.epsilon_place", "added to the root", "inside the root",
        "next to nothing in Keras, whose sum of squares begins at 0.1",
        OPTIMIZER,
    ),
    Known(
        "optimizer.adagrad.initial_accumulator_value", "0", "0.1",
        "torch's first step is a full learning rate for every weight, Keras' is proportional to "
        "the gradient", OPTIMIZER,
    ),
    Known(
        "optimizer.*.momentum_rate", "multiplies what leaves it", "multiplies what enters it",
        "with a schedule, torch's earlier gradients move weights at the new rate, Keras' at the "
        "old one", "the Keras-exact optimiser (recipe: port exact)",
    ),
)  # fmt: skip

_LOOP = (
    Known(
        "preprocessing.rounding", "*", "*",
        "grey levels that differ in the last place: one side divides by 255, the other multiplies "
        "by 1 / 255", "nothing; the ladder's rung pixels bounds it", by_design=True,
    ),
    Known(
        "preprocessing.[bw]*", "*", "*", "each side standardises over its own training part",
        NOTHING, by_design=True, within=0.05,
    ),
    Known(
        "data.validation.part", "drawn from the whole file, the same share of each class",
        "the last of the file, cut off before shuffling",
        "they validate on, and train without, other images; of a file sorted by class, Keras' "
        "validation_split would keep whole classes from training", NOTHING, by_design=True,
    ),
    Known(
        "data.order", "*", "*",
        "either side shuffles with a generator of its own: the same images in other batches",
        "`parity ladder` gives both the same batches", by_design=True,
    ),
    Known(
        "metric.train_loss.shown", "the latest batch's", "the mean of the epoch so far",
        "only what the progress bar shows; at the end of an epoch both log its mean, taken while "
        "weights move and with dropout on, and so worse than the same loss on validation images",
        NOTHING, by_design=True,
    ),
    Known(
        "optimizer.*.implementation", "*", "keras.optimizers.*",
        "other code; the rows of its numbers and of its measured steps tell what it computes",
        "nothing to align", by_design=True,
    ),
    Known(
        "execution", "eager torch", "*",
        "other kernels: sums in another order, which rounds otherwise",
        "nothing; the ladder's rung logits bounds it", by_design=True,
    ),
)  # fmt: skip

KNOWN = (*_NETWORK, *_OPTIMIZERS, *_LOOP)
"""All of them; the first that fits explains."""
