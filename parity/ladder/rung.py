"""One rung of the ladder: what was compared, how near it is, and why it is or is not enough."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from parity.ladder.difference import Difference
from parity.readings.case import Case
from parity.readings.cause import Cause, gathered


@dataclass(frozen=True)
class Rung:
    """What was compared on the way up.

    Attributes:
        name: "pixels", "logits", "1 step", ...
        what: What is compared, in words.
        tensors: One difference a tensor, in the order of the network.
        reason: Why the limits are what they are.
        ordered: The first tensor that fails is the one to look at, not the one that fails worst:
            each is computed from the one before.
        note: What else is to be said.
        causes: Why it is broken, most convincing first; empty where it passes or nobody knows.
    """

    name: str
    what: str
    tensors: tuple[Difference, ...]
    reason: str
    ordered: bool = False
    note: str = ""
    causes: tuple[Cause, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every tensor is within its limit."""
        return all(tensor.passed for tensor in self.tensors)

    @property
    def rounds(self) -> bool:
        """Whether all that is known to break it is a constant that a side rounds to float32."""
        return bool(self.causes) and all(cause.rounds for cause in self.causes)

    @property
    def worst(self) -> Difference:
        """The tensor to look at."""
        if self.ordered and not self.passed:
            return next(tensor for tensor in self.tensors if not tensor.passed)
        return max(self.tensors, key=lambda tensor: (tensor.excess, tensor.absolute))

    def after(self, broken: str) -> "Rung":
        """The same rung, and where it has no cause of its own, which one is broken before it."""
        if self.passed or self.causes or not broken:
            return self
        said = f'no cause of its own is known: "{broken}" is broken before it, and it may follow'
        return replace(self, note=f"{self.note}; {said}" if self.note else said)

    def because(self, causes: list[Cause]) -> "Rung":
        """The same rung with its causes."""
        return replace(self, causes=tuple(gathered(causes)))

    def without(self, layers: Collection[str]) -> "Rung":
        """The same rung without what was said of these layers."""
        kept = [cause for cause in self.causes if cause.text.partition(":")[0] not in layers]
        return replace(self, causes=tuple(kept))

    def explained(self, explain: Callable[[Case], list[Cause]], case: Case) -> "Rung":
        """The same rung, with its causes where it is broken."""
        return self if self.passed else self.because(explain(case))
