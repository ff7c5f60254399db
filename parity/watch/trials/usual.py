"""What is tried where a training does not learn and its facts show no cause (NumPy only)."""

from collections.abc import Sequence

from parity.watch.check import Belief, Change, Match, Program, Remedy
from parity.watch.check.data import STANDARDISE, STANDARDISED, Scale, numeric, scale_of
from parity.watch.check.head import fitting, line
from parity.watch.check.training import MULTIPLIES, RECURRENT, SATURATING, USUAL, kind_of

FALLEN, LOW = 1e-3, 0.03
"""Parts of the first learning rate at which next to nothing is learned, and at which it may be."""
LONGER, FAR = 10.0, 100.0
"""Times a low rate that are tried too; and from which on the usual one is, as SGD with Adam's."""
MANY = 128
"""Steps in which a cycle of the rate is no longer at its beginning, unless it counts epochs."""
LONG = 20
"""Steps of a sequence from which on its beginning may be forgotten."""
ORDINARY = (0.4, 1.7)
"""Gains of kernels as the frameworks draw them; a first one, of few inputs, may have less."""
USUAL_SIZE, USUAL_DEVIATION = 3.0, 0.1
"""Root mean square up to which, and deviation from which on, features need no scaling."""


def usual(program: Program, known: Sequence[Match]) -> list[Match]:
    """Causes that only a trial can show, each with its remedy.

    Args:
        program: That does not learn.
        known: Causes whose remedies are tried anyhow.
    """
    tried = {match.remedy for match in known}
    return [match for match in _candidates(program) if match.remedy not in tried]


def _candidates(program: Program) -> list[Match]:
    found = [*_rates(program), *_weights(program)]
    if program.gathered > 1:
        found.append(_seldom(program.gathered))
    if (match := _backwards(program)) is not None:
        found.append(match)
    found += _structure(program) if program.framework == "keras" else []
    fed = numeric(program)
    if fed is not None and not _usual_scale(scale_of(fed)):
        figures = "the same features, each with mean 0 and deviation 1, are learned"
        name = "the features are not scaled for this network"
        found.append(Match(name, figures, STANDARDISE, Belief.MAYBE, STANDARDISED))
    if any(layer.function in SATURATING for layer in program.layers[:-1]):
        found.append(
            Match(
                "the hidden activations let too little through",
                "the same network with ReLU learns",
                "Use ReLU in the hidden layers",
                Belief.MAYBE,
                Remedy("with ReLU in the hidden layers", changes=Change.RELU),
            )
        )
    # Of a loss that is not known it cannot be said.
    if program.loss is not None and (remedy := fitting(program)) is not None:
        name = "the last layer and the loss do not fit the targets"
        figures = "the same network with others learns"
        found.append(Match(name, figures, line(program), Belief.MAYBE, remedy))
    return found


def _usual_scale(scale: Scale) -> bool:
    return bool(scale.size.max() <= USUAL_SIZE and scale.deviation.max() >= USUAL_DEVIATION)


def _rates(program: Program) -> list[Match]:
    if program.plan is not None:
        return fallen(program, *program.plan) if fell(program.plan, LOW) else []
    rate = program.rate
    if not rate or rate < 0:
        return []
    kind = kind_of(program.optimizer)
    usual_one = [USUAL[kind] / rate] if kind is not None and USUAL[kind] > FAR * rate else []
    return [
        Match(
            f"the learning rate is too {'high' if factor < 1 else 'low'} for this network",
            f"{program.optimizer} at {rate:g}",
            program.words(
                torch=f"Set lr={rate * factor:g}", keras=f"Set learning_rate={rate * factor:g}"
            ),
            Belief.MAYBE,
            Remedy(f"with a learning rate of {rate * factor:g}", rate=rate * factor),
        )
        for factor in (0.1, 10.0, *usual_one)
    ]


def fell(plan: tuple[float, float] | None, part: float = FALLEN) -> bool:
    """Whether a plan has brought the learning rate to a part of what it was given, or less."""
    return plan is not None and plan[1] <= part * plan[0] * (1 + 1e-6)


def fallen(program: Program, first: float, now: float) -> list[Match]:
    """A plan that does so, with the rate that it was given for a remedy, and with a higher one."""
    remedies = (
        Remedy(f"with the learning rate that it was given, {first:g},", rate=first),
        Remedy(f"with a learning rate that stays at {LONGER * first:g}", rate=LONGER * first),
    )
    return [
        Match(
            "the schedule of the learning rate brings it to nothing",
            f"{program.optimizer} was given {first:g} and is at {now:.2g}",
            program.words(
                torch="Call scheduler.step() as often as its numbers mean, once an epoch or once a "
                "batch; LambdaLR takes a factor of the rate, not a rate; ReduceLROnPlateau needs "
                "mode='min' for a loss",
                keras="Let it fall more slowly: its decay_steps are steps, not epochs",
            ),
            Belief.MAYBE,
            remedy,
        )
        for remedy in remedies
    ]


def unrisen(program: Program, highest: float, peak: float, step: int) -> Match | None:
    """A cycle of the rate that never came near its peak.

    Args:
        program: That has ended.
        highest: Rate of those that were seen.
        peak: Rate that the cycle is to reach; 0 where there is no cycle.
        step: Its steps.
    """
    if step < MANY or not highest < peak / 2:
        return None
    return Match(
        "the learning rate has not risen as its cycle is to let it",
        f"the highest was {highest:.2g} in {step:,} steps, and its peak is {peak:g}",
        "Call scheduler.step() after each batch, in Lightning return "
        '{"scheduler": scheduler, "interval": "step"}; or give OneCycleLR total_steps=epochs',
        Belief.LIKELY,
        Remedy(f"with a learning rate of {peak:g}", rate=peak),
    )


def _seldom(batches: int) -> Match:
    return Match(
        "the optimiser takes too few steps: gradients are gathered for too long",
        f"one step for every {batches} batches or more",
        "Gather fewer batches for a step, as accumulate_grad_batches=4, or train for longer",
        Belief.MAYBE,
        Remedy("with a step after each batch", changes=Change.EACH),
    )


def _backwards(program: Program) -> Match | None:
    x = program.inputs
    kinds = [layer.kind for layer in program.layers if layer.kind in RECURRENT]
    if not kinds or x is None or x.ndim < 2 or x.shape[1] < LONG:
        return None
    return Match(
        f"the {kinds[-1].upper()} has forgotten by the end what comes early in the sequences",
        f"they have {x.shape[1]} steps; fed backwards, the same network learns",
        program.words(
            torch="Use nn.LSTM or nn.GRU, bidirectional=True, the mean of the outputs of all steps "
            "instead of the last one, or shorter sequences",
            keras="Use LSTM or GRU, Bidirectional, GlobalAveragePooling1D over all steps, or "
            "shorter sequences",
        ),
        Belief.MAYBE,
        Remedy("with the sequences backwards", features="reversed"),
    )


def _structure(program: Program) -> list[Match]:
    """A network that cannot tell what the targets ask for, however long it is trained."""
    kinds, found = [layer.kind for layer in program.layers], []
    if sum(kind in (*MULTIPLIES, *RECURRENT) for kind in kinds) == 1 and "dense" in kinds:
        found.append(
            Match(
                "the network has no hidden layer: it can only tell apart what a straight line does",
                "the same network with 32 hidden units learns",
                'Put Dense(32, activation="relu") before the last layer',
                Belief.MAYBE,
                Remedy("with a hidden layer of 32 units", changes=Change.DEEPER),
            )
        )
    mixing = {"conv", "separable_conv", "multi_head_attention", "bidirectional", *RECURRENT}
    pools = {"global_avg_pool", "global_max_pool"} & set(kinds)
    if "embedding" in kinds and pools and not mixing & set(kinds):
        found.append(
            Match(
                "the network does not see the order of the words: it takes their mean",
                "the same network learns where each word tells its place",
                "Use an LSTM, a Conv1D, or add an embedding of the places, before the pooling",
                Belief.MAYBE,
                Remedy("with words that tell their places", changes=Change.ORDERED),
            )
        )
    return found


def _weights(program: Program) -> list[Match]:
    """Kernels that no rule of the frameworks draws; where one has, another draw is mere luck."""
    kinds = (*MULTIPLIES, *RECURRENT)
    gains = [g for layer in program.layers if (g := layer.gain) is not None and layer.kind in kinds]
    low, high = ORDINARY
    if max(gains, default=0.0) <= high and min(gains[1:], default=low) >= low:
        return []
    return [
        Match(
            "the initial weights are unfit",
            "the same network with kernels drawn by Glorot and biases of 0 learns",
            "Leave the initialisation to the framework: Glorot or He",
            Belief.MAYBE,
            Remedy("with kernels drawn anew (Glorot)", initial="glorot"),
        )
    ]
