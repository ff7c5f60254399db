"""Causes in what is trained and how: layers, initial weights, rate, batches, order."""

import numpy as np

from parity.watch.check.cause import Belief, Cause, Change, Match, Remedy
from parity.watch.check.parts import Layer
from parity.watch.check.program import Program

MULTIPLIES = ("dense", "conv", "conv_transpose")
"""Kinds of layers of which two in a row amount to one."""
PASSES = ("flatten", "reshape", "dropout", "avg_pool", "global_avg_pool", "batch_norm")
"""Kinds that leave linear what is linear, in inference."""
RECURRENT = ("rnn", "lstm", "gru")
RATES = {
    "sgd": (1e-4, 1e-6, 0.5, 2.0),
    "adam": (1e-5, 1e-7, 0.02, 0.1),
    "rmsprop": (1e-5, 1e-7, 0.02, 0.1),
    "adagrad": (1e-4, 1e-5, 0.5, 2.0),
}
"""Learning rates: below the first and above the third a training may suffer, below the second and
above the fourth it mostly does. By a part of the optimiser's name."""
USUAL = {"sgd": 0.05, "adam": 0.001, "rmsprop": 0.001, "adagrad": 0.01}
SATURATING = ("sigmoid", "tanh", "hard_sigmoid", "hardsigmoid", "softsign")
NEIGHBOURS = 30
"""Pairs of neighbours from which on their classes mean something."""
TURNS = 2
"""Times that each class comes, up to which samples are sorted."""
RELUS = Remedy("with ReLU in the hidden layers and He's weights", changes=Change.RELU, initial="he")


def nothing_trainable(program: Program) -> Match | None:
    """No weight may change."""
    if program.trainable != 0:
        return None
    learns = any(layer.learns for layer in program.layers)
    return Match(
        "nothing is trainable",
        "no weight of the network may change: all are frozen, or the optimiser was given others"
        if learns
        else "the network has no layer that learns",
        program.words(
            torch="Give the optimiser model.parameters() of the network that is trained, and leave "
            "requires_grad True",
            keras="Set layer.trainable = True before compile()",
        ),
        remedy=Remedy("with all weights trained", changes=Change.THAWED),
    )


def unregistered(program: Program) -> Match | None:
    """Layers that work, and that no optimiser knows of."""
    if not program.unregistered:
        return None
    return Match(
        "layers are not registered, and are never trained",
        f"{program.unregistered:,} weights work in the network that "
        + program.words(
            torch="model.parameters() does not give: they are in a list or a dict, or plain "
            "tensors",
            keras="model.trainable_variables does not give: they are plain tf.Variables",
        ),
        program.words(
            torch="Put layers into nn.ModuleList or nn.ModuleDict, and tensors into nn.Parameter, "
            "before the optimiser is made",
            keras="Make them by self.add_weight(...) in build(), or as keras.Variable",
        ),
        Belief.LIKELY,
    )


def linear_in_a_row(program: Program) -> Match | None:
    """Layers that amount to one, for want of an activation between."""
    pairs = 0
    before: Layer | None = None
    for layer in program.layers:
        if not layer.follows:
            before = None
        if layer.kind in MULTIPLIES and layer.learns:
            pairs += before is not None and before.units >= layer.units
            before = layer
        elif layer.kind not in PASSES:
            before = None
    if not pairs:
        return None
    linear = all(layer.kind in (*MULTIPLIES, *PASSES) for layer in program.layers[:-1])
    recurrent = any(layer.kind in RECURRENT for layer in program.layers)
    count = sum(layer.kind in MULTIPLIES and layer.learns for layer in program.layers)
    mostly = not recurrent and 2 * pairs >= count - 1
    return Match(
        "layers follow each other without an activation between: together they are linear",
        f"{pairs + 1} layers in a row" if pairs > 1 else "two layers in a row",
        program.words(
            torch="Put nn.ReLU() between them", keras='Give the hidden ones activation="relu"'
        ),
        # Some put plain layers behind others that are not linear, and do well.
        # A first layer of a residual network, say, feeds the blocks and the shortcuts.
        belief=Belief.SURE if linear else Belief.LIKELY if mostly else Belief.MAYBE,
        remedy=Remedy("with a ReLU between the layers", changes=Change.RELU_BETWEEN),
    )


def kind_of(optimizer: str) -> str | None:
    """The kind of an optimiser whose usual rates are known."""
    name = optimizer.lower()
    if name in ("sgd", "rmsprop", "adagrad"):
        return name
    return "adam" if name in ("adam", "adamw", "nadam", "radam", "adamax") else None


def rate(program: Program) -> Match | None:
    """A learning rate far from what the optimiser takes."""
    given, kind = program.rate, kind_of(program.optimizer)
    if given is None or (given > 0 and kind is None):
        return None
    if given <= 0:
        return Match(
            "the learning rate is zero" if given == 0 else "the learning rate is negative",
            f"{program.optimizer} at {given:g}",
            "Set it: 0.001 for Adam, 0.01 to 0.1 for SGD",
            remedy=Remedy("with Adam at 0.001", rate=0.001, changes=Change.ADAM),
        )
    assert kind is not None
    low, very_low, high, very_high = RATES[kind]
    # Steps of plain SGD are as large as the gradient, and so is that of a sum.
    times = (program.batch or 1) if program.summed and kind == "sgd" else 1
    given = given * times
    if low <= given <= high:
        return None
    usual = USUAL[kind] / times
    added = f", of a loss that is added up over {times} samples" if times > 1 else ""
    far = given <= very_low or given > very_high
    return Match(
        f"the learning rate is too {'low' if given < low else 'high'}",
        f"{program.optimizer} at {program.rate:g}{added}; {usual:.2g} is usual",
        program.words(torch=f"Set lr={usual:.2g}", keras=f"Set learning_rate={usual:g}"),
        Belief.LIKELY if far else Belief.MAYBE,
        Remedy(f"with a learning rate of {usual:g}", rate=usual),
    )


def batches_of_one(program: Program) -> Match | None:
    """Batch normalisation of a single sample."""
    normalises = any(layer.kind == "batch_norm" and layer.learns for layer in program.layers)
    if program.batch != 1 or not normalises:
        return None
    return Match(
        "batch normalisation is given batches of one sample",
        "the mean of one sample is the sample, and what is left of it is 0",
        "Use batches of 16 or more, or layer normalisation",
        remedy=Remedy("with batches of 16", batch=16),
    )


def uphill(program: Program) -> Match | None:
    """Steps that make the loss larger."""
    if not program.ascends:
        return None
    name = "the loss" if program.loss is None else program.loss.name
    return Match(
        "the loss is made larger, not smaller: its sign is wrong",
        program.words(
            torch="the gradient that reaches the network's answers is the opposite of that of "
            + name,
            keras="the further answers are from the targets the smaller it is",
        ),
        program.words(
            torch="Call loss.backward() on the loss itself, without a minus, and leave "
            "maximize=True out",
            keras="Turn the sign of what the loss returns; of differences take the square",
        ),
        remedy=Remedy("with the sign turned", changes=Change.DESCENDS),
    )


def mixing(program: Program) -> Match | None:
    """An answer that depends on which other samples are in the batch."""
    if not program.mixes or any(layer.kind == "batch_norm" for layer in program.layers):
        return None
    return Match(
        "the samples of a batch are mixed: an answer depends on the others",
        "the same samples in a smaller batch, in another order, get other answers",
        program.words(
            torch="Give the recurrent and attention layers batch_first=True: without it they take "
            "the first axis for time"
            if program.time_first
            else "Take softmax, means and norms over dim=-1, and flatten from the second axis on; "
            "what forward() sorts, by length say, it has to bring back into order",
            keras="Take softmax, means and norms over axis=-1, and flatten from the second axis on",
        ),
        Belief.SURE if program.time_first else Belief.LIKELY,
        Remedy("with batch_first=True", changes=Change.BATCH_FIRST) if program.time_first else None,
    )


def in_order(program: Program) -> Match | None:
    """Neighbours of one class, while there are several classes."""
    classes = program.classes
    if classes is None or not program.order or program.order[0].ndim > 2:
        return None
    names = np.concatenate(program.order)
    names = names.argmax(axis=1) if names.ndim == 2 and names.shape[1] > 1 else names.ravel()
    count, shares = len(names) - 1, np.unique(classes, return_counts=True)[1] / len(classes)
    if len(shares) < 2 or count < NEIGHBOURS:  # sorted, or all alike: nothing tells which
        return None
    alike = float((names[1:] == names[:-1]).mean())
    chance = float((shares**2).sum()) if program.fair else 0.5
    surprise = (alike - chance) / np.sqrt(chance * (1 - chance) / count)
    if alike < 0.8 or surprise < 6 or (1 - alike) > (1 - chance) / 3:
        return None
    own = np.unique(names, return_counts=True)[1] / len(names)
    if 1 - alike > max((len(own) - 1) / count, (1 - float((own**2).sum())) / 3):
        return None  # targets that are made in the loop, of which one is rare
    turns = np.count_nonzero(np.diff(names))
    return Match(
        "the samples come sorted by class, and are not shuffled",
        f"in the first batches {alike:.0%} of the samples are of the class of the one before"
        + (f"; drawn at random it would be {chance:.0%}" if program.fair else ""),
        program.words(
            torch="Give the DataLoader shuffle=True",
            keras="Shuffle: fit(..., shuffle=True), or dataset.shuffle(len(x)) before batch()",
        ),
        # In time, classes come in turns, and that may be meant so.
        Belief.SURE if turns < TURNS * len(own) else Belief.LIKELY,
        Remedy("with samples drawn at random", changes=Change.SHUFFLED),
    )


CAUSES = (
    Cause("nothing trainable", nothing_trainable, explains=("frozen as drawn",)),
    Cause("unregistered", unregistered),
    Cause("linear", linear_in_a_row),
    Cause("rate", rate),
    Cause("batches of one", batches_of_one),
    Cause("uphill", uphill),
    Cause("mixes", mixing),
    Cause("order", in_order, explains=("all alike", "imbalance")),
)
