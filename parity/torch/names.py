"""Canonical names of the layers that work, in their order."""

from collections import Counter

from parity.torch.kinds import has_weights
from parity.torch.trace import Call


class Names:
    """Gives each call its canonical name: ``dense_1``, and ``dense_1@2`` where it works again.

    What has no weights is another layer each time.
    """

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.times: Counter[int] = Counter()
        self.names: dict[int, str] = {}

    def of(self, call: Call) -> str:
        """The name of the next call."""
        if call.unit is None or not has_weights(call.unit.module):
            return self.new(call.kind)
        key = id(call.unit.module)
        if key not in self.names:
            self.names[key] = self.new(call.kind)
        self.times[key] += 1
        return self.names[key] + (f"@{self.times[key]}" if self.times[key] > 1 else "")

    def new(self, kind: str) -> str:
        """The next name of a kind."""
        self.count[kind] += 1
        return f"{kind}_{self.count[kind]}"
