"""What is known of a program before its first step; the adapters fill it (NumPy only)."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from parity.watch.check.parts import FITTED, PLAIN, ROWS, Course, Fitted, Layer, Loss, Penalty

Array = NDArray[Any]
Ints = NDArray[np.int64]
Task = Literal["classes", "binary", "several", "values"]


@dataclass(frozen=True)
class Program:
    """A network, its data, its loss and its optimiser, before the first step.

    Attributes:
        framework: Whose words to use.
        layers: In the order in which they work on a batch, in inference.
        fed: What the first layer that learns is given for some samples, [N, ...], channels last.
        outputs: What the loss is given of these samples, [N, ...].
        targets: Those that are known, [M, ...], M at least N; None where there are none.
        fair: Whether the targets are all, or picked evenly: not the first ones of an order.
        whole: Whether the targets are all there are.
        inputs: Samples as the program has them, [M, ...]; None where they are several arrays.
        last: The activation at the end, as ``softmax``; ``linear`` for none, empty if not known.
        ends: Whether the last of the layers gives the outputs.
        loss: None where it is not known.
        shapes: Of outputs and targets as the loss gets them, where it takes any it is given.
        optimizer: Name of its class; empty where it is not known.
        rate: Its learning rate; None where it is not known or changes by a plan.
        trainable: Weights that the optimiser is given and may change; None where not known.
        batch: Samples of a batch; None where it is not known.
        order: Targets of the first batches as the training gets them.
        others: Like `fed`, of other samples, by ``validation``, ``test``.
        other_inputs: These samples as the program has them.
        penalties: On large weights.
        mixes: Whether an answer depends on the other samples of its batch, in inference.
        time_first: Whether recurrent or attention layers take the first axis for time.
        summed: Whether the loss adds up over a batch, and is not its mean.
        unregistered: Weights that work in the network and are not among its own, nor learned.
        redrawn: Steps after which the program draws its weights anew; 0 where it does not.
        gathers: Whether gradients of earlier steps are left in each.
        ascends: Whether steps make the loss larger.
        plan: Learning rate at first and now, where a plan has changed it.
        momentum: Of the optimiser, also as Adam's first beta; None where it has none.
        clipped: Length that clipping leaves to the gradients; None where they are not clipped.
        broken: Weights whose first gradients are not finite, though the answers are.
        stuck: Why kernels never change, though others do; empty where they all do.
        masked: Whether padding is left out by the layers, or is not what is read last.
        swapped: Whether the loss is given the targets for answers, and the answers for targets.
        misread: Whether the loss takes for classes what the answers have as places.
        always_drops: Dropouts that leave values out in inference too: nobody tells them the mode.
        unbounded: Whether the program's own loss is not finite for answers of exactly 0 and 1.
        undrawn: Frozen kernels that are as the framework draws them, where all frozen ones are.
        repeats: Samples of a batch that comes again and again.
        fitted: What layers make of the data that are fitted to data before.
        own: Targets of the samples of `fed`, [N, ...], where they are known.
        gathered: Batches of which gradients are made for one step.
        course: What the program does around its network.
    """

    framework: Literal["torch", "keras"]
    layers: tuple[Layer, ...]
    fed: Array | None
    outputs: Array
    targets: Array | None
    fair: bool = True
    whole: bool = True
    inputs: Array | None = None
    last: str = ""
    ends: bool = False
    loss: Loss | None = None
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    optimizer: str = ""
    rate: float | None = None
    trainable: int | None = None
    batch: int | None = None
    order: tuple[Array, ...] = ()
    others: dict[str, Array] = field(default_factory=dict)
    other_inputs: dict[str, Array] = field(default_factory=dict)
    penalties: tuple[Penalty, ...] = ()
    mixes: bool = False
    time_first: bool = False
    summed: bool = False
    unregistered: int = 0
    redrawn: int = 0
    gathers: bool = False
    ascends: bool = False
    plan: tuple[float, float] | None = None
    momentum: float | None = None
    clipped: float | None = None
    broken: tuple[str, ...] = ()
    stuck: str = ""
    masked: bool = False
    swapped: bool = False
    misread: bool = False
    always_drops: int = 0
    unbounded: bool = False
    undrawn: int = 0
    repeats: int = 0
    fitted: Fitted = FITTED
    own: Array | None = None
    gathered: int = 1
    course: Course = PLAIN

    def words(self, *, torch: str, keras: str) -> str:
        """Those of the framework."""
        return torch if self.framework == "torch" else keras

    @cached_property
    def columns(self) -> int | None:
        """Outputs for a sample; None where there are some for each of its places."""
        if self.outputs.ndim > 2:
            return None
        return 1 if self.outputs.ndim == 1 else int(self.outputs.shape[1])

    @cached_property
    def answers(self) -> Array:
        """Outputs float64 [N, C] of samples or of their places."""
        columns = 1 if self.outputs.ndim == 1 else self.outputs.shape[-1]
        return self.outputs.reshape(-1, columns).astype(np.float64)

    @cached_property
    def numbers(self) -> Array | None:
        """Targets float64 [M, ...], without a last axis of 1; None where they are no numbers."""
        values = self.targets
        if values is None or values.dtype.kind not in "iufb" or values.size == 0:
            return None
        values = values.astype(np.float64)
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values

    @cached_property
    def labels(self) -> Ints | None:
        """Whole numbers int64 [M] that the targets are; None where they are no such.

        Those that the loss leaves out, and that name no output, are not among them.
        """
        values = self.numbers
        ignored = None if self.loss is None else self.loss.ignored
        if values is not None and ignored is not None and not 0 <= ignored < (self.columns or 0):
            values = values[values != ignored] if values.ndim == 1 else values
            values = values if values.size else None
        if values is None or values.ndim != 1 or not np.isfinite(values).all():
            return None
        whole = np.array_equal(values, np.round(values)) and np.abs(values).max() < 2**31
        return values.astype(np.int64) if whole else None

    @cached_property
    def different(self) -> Ints:
        """The numbers among `labels`, in order; none where there are no labels."""
        if self.labels is None:
            return np.empty(0, np.int64)
        low, high = int(self.labels.min()), int(self.labels.max())
        if high - low > len(self.labels):
            return np.unique(self.labels)
        return low + np.flatnonzero(np.bincount(self.labels - low))

    @cached_property
    def one_hot(self) -> bool:
        """Whether each row of the targets names one class."""
        values = self.numbers
        if values is None or values.ndim != 2 or not np.isin(values, (0, 1)).all():
            return False
        return len(values) >= ROWS and bool((values.sum(axis=1) == 1).all())

    @cached_property
    def classes(self) -> Ints | None:
        """The class of each sample, int64 [M], however it is told; None where that is unclear."""
        if self.one_hot and self.numbers is not None:
            return np.asarray(self.numbers.argmax(axis=1), np.int64)
        return self.labels if self.task in ("classes", "binary") else None

    @cached_property
    def task(self) -> Task | None:
        """What the network is to tell: classes, yes or no, several of these, or numbers."""
        kind = self.loss.kind if self.loss else ""
        values = self.numbers
        if self.targets is not None and self.targets.dtype.kind in "OSU":
            return "classes"
        if values is None or self.same_as_inputs:
            return None if values is None else "values"
        if self.one_hot and not (kind == "binary" and self.columns == 2):
            return "classes"
        if values.ndim > 1:
            several = np.isin(values, (0, 1)).all() and (values.sum(axis=-1) > 1).any()
            if kind == "categorical" and values.ndim == 2 and several:
                return "several"
            return {"binary": "several", "distance": "values"}.get(kind)  # type: ignore[return-value]
        return self._task_of_numbers(kind)

    def _task_of_numbers(self, kind: str) -> Task | None:
        """With one number for each sample."""
        if self.labels is None:
            return "values" if kind in ("distance", "") else None
        different = self.different
        if kind == "categorical" and self.columns == 1 and np.array_equal(different, (0, 1)):
            return "binary"
        if kind == "categorical" or (kind == "distance" and (self.columns or 0) > 2):
            return "classes"
        if kind == "binary":
            return "binary" if len(different) <= 2 else "classes"
        if np.array_equal(different, (0, 1)):
            return "binary"
        if kind == "distance":
            return "classes" if self._counts_up(different) and self.pictures else "values"
        return "classes" if self._counts_up(different) and (self.columns or 0) > 1 else None

    def _counts_up(self, different: Ints) -> bool:
        """Whether numbers are 0, 1, 2, ..., as those of classes are."""
        return np.array_equal(different, np.arange(len(different))) and 3 <= len(different) <= 100

    @cached_property
    def same_as_inputs(self) -> bool:
        """Whether the targets are the samples themselves, as an autoencoder's are."""
        x, y = self.inputs, self.targets
        if x is None or y is None or {x.dtype.kind, y.dtype.kind} - set("iufb"):
            return False
        return x.size == y.size and bool(np.array_equal(x.ravel(), y.ravel()))

    @cached_property
    def pictures(self) -> bool:
        """Whether samples look like images: of three axes, or of as many columns as pixels."""
        fed = self.fed if self.inputs is None else self.inputs
        if fed is None or fed.dtype.kind not in "iuf":
            return False
        side = round(fed.shape[1] ** 0.5) if fed.ndim == 2 else 0
        square = side >= 8 and side**2 == fed.shape[1]
        return fed.ndim >= 4 or (fed.ndim == 3 and min(fed.shape[1:]) >= 8) or square

    @cached_property
    def adds_up(self) -> bool:
        """Whether outputs are what a softmax gives: rows of shares that add up to 1."""
        values = self.answers
        if values.shape[1] < 2 or not np.isfinite(values).all() or values.min() < -1e-6:
            return False
        return bool(np.abs(values.sum(axis=1) - 1).max() < 1e-3)

    @cached_property
    def shares(self) -> bool:
        """Whether all outputs lie between 0 and 1."""
        return bool(((self.answers >= 0) & (self.answers <= 1)).all())
