"""What recurrent layers do: functions, biases, direction, which place they give."""

from collections.abc import Callable, Iterator
from itertools import permutations, product

import numpy as np

from parity.arrays import Array, Floats, Table
from parity.readings.activations import FIXED
from parity.readings.case import Case
from parity.readings.embedding import padding as blanks
from parity.readings.readings import Reading, Readings

ACTIVATION, RECURRENT = "activation of the state", "recurrent activation"
RESET, DIRECTION, PLACE = "reset after", "direction", "place of a sequence"
GATES, FORGET, MASK = "order of the gates", "forget bias", "masked places"
BATCH = "axis of the batch"
ADVICE = {
    ACTIVATION: "give both the same activation: torch's LSTM and GRU have tanh and no other",
    RECURRENT: "give both the same: Keras' recurrent_activation; torch has sigmoid and no other",
    RESET: "GRU(reset_after=True) in Keras does what torch does",
    DIRECTION: "feed both in the same direction: go_backwards in Keras",
    PLACE: "take the same place of the sequence on both sides",
    GATES: "bring the gates into one order: Keras i f c o and z r h, torch i f g o and r z n",
    FORGET: "add it once: Keras' unit_forget_bias only sets the initial bias",
    BATCH: "give torch's layer batch_first=True: it takes places first",
    MASK: "leave out the same places: mask_zero in Keras, packed sequences in torch",
}
LINEAR = "no activation"
INNER = {
    **{
        name: FIXED[name]
        for name in ("tanh", "relu", "sigmoid", "hard tanh", "softsign", "silu", "selu", "softplus")
    },
    LINEAR: lambda x: x,
}
GATING = {
    name: FIXED[name]
    for name in ("sigmoid", "hard sigmoid, relu6(x + 3) / 6", "hard sigmoid, clip(0.2 x + 0.5)",
                 "tanh", "relu")
}  # fmt: skip
Function = Callable[[Floats], Floats]
COUNT = {"lstm": 4, "gru": 3, "rnn": 1}
"""Gates of a kind."""


def readings(case: Case, x: Floats) -> tuple[Readings, float] | None:
    """What the layer may make of `x`, float64 [B, T, I], and its magnitude; None for others.

    Args:
        case: Of a layer; `given` has its ``kernel`` [I, gates * units], ``recurrent_kernel``
            [units, gates * units] and ``bias`` in Keras' order of gates. Not bidirectional ones,
            and not several that are stacked.
        x: Input.
    """
    kind = case.where.partition("_")[0]
    weights = _weights(case.given, case.where, x)
    if weights is None:
        return None
    padding = blanks(case, x)
    usual = dict.fromkeys((FORGET, GATES), "") | {
        RESET: "resets after the product" if kind == "gru" else "",
        MASK: "leaves out no place", BATCH: "takes the batch first",
    }  # fmt: skip

    def of(seen: Array) -> Iterator[Reading]:
        for traits, sequence in _sequences(kind, x, weights, padding):
            for place, values in _places(sequence, seen.shape):
                yield Reading({**usual, PLACE: place, **traits}, values)
        turned = _run(kind, x.swapaxes(0, 1), weights, (INNER["tanh"], GATING["sigmoid"]))
        said = {DIRECTION: "goes forward", **_usual(kind), BATCH: "takes places first"}
        for place, values in _places(turned.swapaxes(0, 1), seen.shape):
            yield Reading({**usual, PLACE: place, **said}, values)

    return of, float(max(np.abs(x).max() * np.abs(weights[0]).sum(axis=0).max(), 1.0))


Weights = tuple[Floats, Floats, Floats]


def _weights(given: Table, layer: str, x: Floats, after: str = "") -> Weights | None:
    """Kernel, recurrent kernel and bias, float64; None where they do not fit `x`, [B, T, I]."""
    kind = layer.partition("_")[0]
    own = {
        part: np.asarray(given[name], np.float64)
        for part in ("kernel", "recurrent_kernel", "bias")
        if (name := f"{layer}.{part}{after}") in given
    }
    if kind not in COUNT or x.ndim != 3 or not {"kernel", "recurrent_kernel"} <= set(own):
        return None
    width = COUNT[kind] * len(own["recurrent_kernel"])
    if own["kernel"].shape != (x.shape[-1], width):
        return None
    return own["kernel"], own["recurrent_kernel"], own.get("bias", np.zeros(width))


def within(given: Table, layer: str, x: Floats) -> Table:
    """What a layer that goes forward holds and does not give, [B, T, units], in words.

    The cells of an LSTM, and the states of layers below the last of a stack.
    """
    usual = INNER["tanh"], GATING["sigmoid"]
    stacked = f"{layer}.kernel_l1" in given
    found: Table = {}
    depth, below = 0, ""
    while weights := _weights(given, layer, x, f"_l{depth}" if depth else ""):
        kind, depth = layer.partition("_")[0], depth + 1
        where = f"layer {depth} of {layer}" if stacked else layer
        if below:
            found[below] = x
        if kind == "lstm":
            found[f"the cells of {where}"] = _run(kind, x, weights, usual, cells=True)
        x, below = _run(kind, x, weights, usual), where
    return found


def _sequences(
    kind: str, x: Floats, weights: Weights, padding: Array
) -> Iterator[tuple[dict[str, str], Floats]]:
    """What the layer gives at each place, [B, T, units], the usual first; one habit at a time.

    Two functions may be others at once, and the direction with anything.
    """
    directions = {"goes forward": x, "goes backward": x[:, ::-1]}
    for (way, fed), (inner, gate) in product(directions.items(), product(INNER, GATING)):
        if kind == "rnn" and gate != "sigmoid":
            continue
        said = {
            DIRECTION: way,
            ACTIVATION: f"applies {inner.partition(',')[0]}",
            RECURRENT: f"gates by {gate.partition(',')[0]}" if kind != "rnn" else "",
        }
        functions = INNER[inner], GATING[gate]
        yield said, _run(kind, fed, weights, functions)
        usual = inner == "tanh" and gate == "sigmoid"
        if kind == "gru":
            yield (
                said | {RESET: "resets before the product"},
                _run(kind, fed, weights, functions, after=False),
            )
        if usual and kind == "lstm":
            yield (
                said | {FORGET: "adds 1 to the forget gate"},
                _run(kind, fed, _moved(weights, 1.0), functions),
            )
        if usual and kind != "rnn":
            for order in [*permutations(range(COUNT[kind]))][1:]:
                words = f"takes its gates in the order {', '.join(map(str, order))}"
                yield said | {GATES: words}, _run(kind, fed, _turned(weights, order), functions)
    if padding.any():
        said = {DIRECTION: "goes forward", **_usual(kind)}
        masked = _run(kind, x, weights, (INNER["tanh"], GATING["sigmoid"]), skipped=padding)
        yield said | {MASK: "leaves out the places of padding"}, masked


def _usual(kind: str) -> dict[str, str]:
    """The functions that every framework has in a layer of this kind."""
    return {ACTIVATION: "applies tanh", RECURRENT: "gates by sigmoid" if kind != "rnn" else ""}


def _moved(weights: Weights, amount: float) -> Weights:
    """An LSTM's with another forget bias."""
    kernel, recurrent, bias = weights
    units = recurrent.shape[0]
    more = np.zeros_like(bias)
    more[units : 2 * units] = amount
    return kernel, recurrent, bias + more


def _turned(weights: Weights, order: tuple[int, ...]) -> Weights:
    """With the gates in another order."""
    kernel, recurrent, bias = (
        np.concatenate([np.split(part, len(order), axis=-1)[gate] for gate in order], axis=-1)
        for part in weights
    )
    return kernel, recurrent, bias


def _run(
    kind: str,
    x: Floats,
    weights: Weights,
    functions: tuple[Function, Function],
    *,
    after: bool = True,
    skipped: Array | None = None,
    cells: bool = False,
) -> Floats:
    """Step by step, [B, T, units]: Hochreiter and Schmidhuber 1997, Cho et al. 2014, Elman 1990.

    Args:
        kind: ``lstm``, ``gru`` or ``rnn``.
        x: [B, T, I].
        weights: Kernel, recurrent kernel and bias, a GRU's maybe [2, 3 * units].
        functions: Of the values and of the gates.
        after: Whether a GRU resets after the product.
        skipped: Places [B, T] that leave the state as it is.
        cells: Give what an LSTM's cells hold, not its state.
    """
    kernel, recurrent, bias = weights
    inner, gate = functions
    of_inputs, of_state = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    units = recurrent.shape[0]
    state = cell = np.zeros((len(x), units))
    found = []
    for place in range(x.shape[1]):
        fed = x[:, place] @ kernel + of_inputs
        before = state, cell
        if kind == "rnn":
            state = inner(fed + state @ recurrent + of_state)
        elif kind == "lstm":
            i, f, c, o = np.split(fed + state @ recurrent + of_state, 4, axis=1)
            cell = gate(f) * cell + gate(i) * inner(c)
            state = gate(o) * inner(cell)
        else:
            parts = np.split(state @ recurrent + of_state, 3, axis=1)
            update, reset, new = np.split(fed, 3, axis=1)
            z, r = gate(update + parts[0]), gate(reset + parts[1])
            own = r * parts[2] if after else (r * state) @ recurrent[:, 2 * units :]
            own = own if after else own + of_state[2 * units :]
            state = z * state + (1 - z) * inner(new + own)
        if skipped is not None:
            keep = skipped[:, place, None]
            state, cell = np.where(keep, before[0], state), np.where(keep, before[1], cell)
        found.append(cell if cells else state)
    return np.stack(found, axis=1)


def _places(sequence: Floats, shape: tuple[int, ...]) -> Iterator[tuple[str, Floats]]:
    """All of them or one, as what was seen has axes."""
    if len(shape) == 3:
        yield "gives every place", sequence
        yield "gives every place, the last first", sequence[:, ::-1]
    else:
        yield "gives the last place", sequence[:, -1]
        yield "gives the first place", sequence[:, 0]
        yield "gives the mean of all places", sequence.mean(axis=1)
        yield "gives the largest of all places", sequence.max(axis=1)
