"""The rungs before any step, as pure functions: from what both sides gave to a `Rung`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isclose

from parity.arrays import Array, Names, Table
from parity.ladder import outputs
from parity.ladder.difference import Difference, difference, differences
from parity.ladder.rung import Rung
from parity.ladder.tolerance import Tolerance
from parity.readings import gradients as of_gradients
from parity.readings import loss as of_loss
from parity.readings import pixels as of_pixels
from parity.readings import weights as of_weights
from parity.readings.attention import QUERIES
from parity.readings.case import Case
from parity.readings.cause import UNEXPLAINED, Cause
from parity.readings.rounding import magnitude, noise, worst
from parity.readings.wiring import ANSWER, MERGES
from parity.sides.lockstep import DIGITS, LOGITS, PIXELS


@dataclass(frozen=True)
class Start:
    """What both sides start from.

    Attributes:
        names: Of side A and of side B.
        weights: What both were given.
        tolerance: Of these weights' network.
        images: The first batch, raw.
        labels: Its labels, int [B].
    """

    names: Names
    weights: Table
    tolerance: Tolerance
    images: Array
    labels: Array

    @property
    def given(self) -> Table:
        """All of it by name."""
        return {"images": self.images, "labels": self.labels, **self.weights}


def raw(a: Table, b: Table) -> Rung:
    """The arrays of the file, as either side reads them."""
    limits = dict.fromkeys(DIGITS, 0.0)
    return Rung("raw arrays", "as either side reads the file", differences(a, b, limits), "copies")


def initial_weights(start: Start, a: Table, b: Table) -> Rung:
    """What either side holds once it has been given `start.weights`."""
    limits = dict.fromkeys([*start.weights, *a, *b], 0.0)
    what = "as either side holds them, having been given the same"
    rung = Rung("initial weights", what, differences(a, b, limits), "copies")
    return rung.explained(of_weights.explain, Case(start.names, start.weights, a, b))


def pixels(start: Start, a: Table, b: Table) -> Rung:
    """What the networks are fed, of the forward passes `a` and `b`."""
    share, reason = start.tolerance.pixels
    found = differences(a, b, {PIXELS: share * magnitude(b[PIXELS])})
    rung = Rung("pixels", "what the networks are fed, first batch", found, reason)
    return rung.explained(of_pixels.explain, Case(start.names, start.given, a, b))


def begun(pixels: Rung, behind: Sequence[Rung]) -> Rung:
    """The rung of the pixels, which holds where networks only begin with another layer.

    What a network is fed is what its first layer is: none may be seen before the first function.
    """
    if not all(rung.passed for rung in behind):
        return pixels
    note = "the first layers are fed something else, but nothing that follows from it differs"
    return replace(pixels, tensors=behind[0].tensors[-1:], note=note, causes=())


Passes = Mapping[str, Sequence[Table]]
"""Forward passes of A and B, in ``inference`` and in ``training``."""


def logits(start: Start, passes: Passes, trained: Sequence[Rung]) -> Rung:
    """Every layer's output, in inference and in training.

    A layer may be cut otherwise on the two sides, an activation being part of it or not, and the
    last one may give probabilities for a loss that takes them: what is the same training passes,
    with a note.

    Args:
        start: What both sides start from.
        passes: Of both sides.
        trained: The rungs of the loss and of its gradients.
    """
    share, reason = start.tolerance.sums
    found: list[Difference] = []
    notes: dict[str, None] = {}
    for mode, (a, b) in passes.items():
        for stage in outputs.stages(a, b, start.weights)[1:]:
            best, note = _stage(start, stage, a, b, share, trained[0])
            found.append(replace(best, tensor=f"{best.tensor}, {mode}"))
            notes |= {note: None} if best.passed and note else {}
    ends = [d for d in found if d.tensor.startswith(LOGITS)]
    if all(d.passed for d in ends) and all(rung.passed or rung.rounds for rung in trained):
        for d in found:
            if not d.passed:
                notes[f"{d.tensor} differs, but not what follows from it"] = None
        found = [d for d in found if d.passed]
    what = "every layer's output, first batch"
    rung = Rung("logits", what, tuple(found), reason, ordered=True, note="; ".join(notes))
    if rung.passed:
        return rung
    layer, _, mode = rung.worst.tensor.rpartition(", ")
    sides = passes[mode][0], passes[mode][1]
    return rung.because(
        outputs.causes(start.weights, layer, sides, mode == "training", start.names)
    )


def with_single_steps(rung: Rung, found: Mapping[str, list[Cause]], wired: Sequence[Cause]) -> Rung:
    """The logits' rung with the causes of layers that differ by themselves, in their order.

    What a layer does, fed the same, is known better than what was guessed of the first one; what
    was found of a layer before it stays. A layer of which nothing is known is told last, and only
    where all are connected alike: `wired` tells of those that are not.
    """
    first = rung.worst.tensor.rpartition(", ")[0]
    alone = found.get(first)
    own = list(rung.causes) or list(alone or [])
    if alone is not None and not any(cause.name == UNEXPLAINED for cause in alone):
        others = [cause for cause in rung.causes if not cause.text.startswith(f"{first}:")]
        own = list(alone) or ([] if wired else others)
    said = {cause.name for cause in own}
    more = [cause for layer, causes in found.items() if layer != first for cause in causes]
    texts = {cause.text for cause in own}
    more = [cause for cause in more if cause.text not in texts]
    known = [cause for cause in more if cause.name != UNEXPLAINED]
    rest = [cause for cause in more if cause.name == UNEXPLAINED and UNEXPLAINED not in said]
    if any(cause.text.startswith(f"{LOGITS}:") for cause in (*own, *known)):
        wired = [cause for cause in wired if not cause.text.startswith(f"{ANSWER}:")]
    if wired:
        known = [cause for cause in known if not cause.text.startswith(MERGES)]
        own, rest = [cause for cause in own if cause.name != UNEXPLAINED], []
    if any(QUERIES in cause.text for cause in wired):  # the attention tells of its softmax
        own, known = ([c for c in some if "applies softmax" not in c.text] for some in (own, known))
    return rung.because([*own, *known, *wired, *rest])


def _stage(
    start: Start, stage: outputs.Stage, a: Table, b: Table, share: float, loss_: Rung
) -> tuple[Difference, str]:
    """How a layer's outputs differ, compared so that they agree if they can, and how that is."""
    name, ends = stage.name, (stage.a[-1], stage.b[-1])
    plain = difference(name, a[name], b[name], share * magnitude(b[name]))
    if not plain.passed and ends != (name, name):
        pair = a[ends[0]], b[ends[1]]
        whole = difference(name, *pair, share * magnitude(pair[1]))
        if whole.passed:
            return whole, f"{ends[0]} of {start.names[0]} is {ends[1]} of {start.names[1]}"
    known = loss_.passed or bool(loss_.causes)
    taken = ", which is what either loss takes: the same training" if known else ""
    asked = not plain.passed and name == LOGITS and _takes_outputs(loss_)
    # A sigmoid is undone by a loss that is known to be the same, a softmax by most.
    views = islice(outputs.views(a[name], b[name]), None if known else 1)
    for pair in views if asked else ():
        same = difference(name, *pair, share * magnitude(pair[1]))
        if same.passed:
            return same, "the logits differ, but not as probabilities" + taken
    return plain, ""


def _takes_outputs(loss_: Rung) -> bool:
    """Whether either loss may take its side's outputs for what they are, logits or probabilities.

    It does not where it is known to take the one for the other.
    """
    wrong = "softmax", "probabilities"
    return not any(word in cause.name for cause in loss_.causes[:1] for word in wrong)


def loss(
    start: Start,
    passes: tuple[Table, Table],
    a: Table,
    b: Table,
) -> Rung:
    """The training loss of the first batch.

    Args:
        start: What both sides start from.
        passes: What the layers of A and of B give in training.
        a: Side A's ``loss`` and its gradients.
        b: Side B's.
    """
    share, reason = start.tolerance.sums
    pair = a["loss"], b["loss"]
    found = difference("loss", *pair, share * max(1.0, abs(float(pair[1]))))
    rung = Rung("loss", "of the first batch, in training", (found,), reason)
    of_a = {f"{name}{of_loss.OF_A}": values for name, values in passes[0].items()}
    logits_a, logits_b = (outputs.scores(table[LOGITS]) for table in passes)
    given = {**start.given, **of_a, **passes[1], LOGITS: logits_b, of_loss.LOGITS_OF_A: logits_a}
    return rung.explained(of_loss.explain, Case(start.names, given, a, b))


def gradients(start: Start, pass_: Table, a: Table, b: Table) -> Rung:
    """The gradients of that loss; limits are relative to the largest of all, since some are 0.

    Args:
        start: What both sides start from.
        pass_: What the layers of B give in training, channels last.
        a: Side A's gradients, and its ``loss``.
        b: Side B's.
    """
    places = max(values.size // max(values.shape[-1], 1) for values in pass_.values())
    share, reason = start.tolerance.gradients(places)
    rooted = _rooted(a, b) or _rooted(b, a)
    a, b = ({n: g for n, g in table.items() if n != "loss"} for table in (a, b))
    limits = dict.fromkeys([*a, *b], share * magnitude(*b.values()))
    rung = Rung("gradients", "of that loss, for each weight", differences(a, b, limits), reason)
    if rooted:
        return rung  # all is 2 * loss times as large, which follows from the root
    return rung.explained(of_gradients.explain, Case(start.names, start.given, a, b))


def _rooted(a: Table, b: Table) -> bool:
    """Whether A's loss is the root of B's, and A's gradients are those of the root."""
    root = float(a["loss"])
    return isclose(root**2, float(b["loss"]), rel_tol=1e-9) and all(
        n in b and worst(2 * root * a[n], b[n]) <= noise(a[n], b[n]) for n in a if n != "loss"
    )
