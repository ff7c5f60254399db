"""What a program does to a network's answers before the loss gets them."""

from collections.abc import Callable
from itertools import islice

import torch
from torch import Tensor

from parity.torch.ways import ways_back

FOLLOWING: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda values: torch.softmax(values, -1),
    "log_softmax": lambda values: torch.log_softmax(values, -1),
    "log": torch.log,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "tanh": torch.tanh,
}
"""What a program may do to the network's answers before it hands them to the loss."""
LAST = 3
"""Functions that have come last, changes of shape among them."""


def following(answers: Tensor, given: Tensor) -> str | None:
    """What a program has done to the network's answers before the loss got them.

    Returns:
        Empty for nothing but a change of shape; None where it is none of `FOLLOWING`.
    """
    if answers.numel() != given.numel() or not answers.numel():
        return None
    arranged, values = [given.detach()], answers.detach().float()
    if given.ndim == 3 and answers.shape == (given.shape[0], given.shape[2], given.shape[1]):
        arranged.append(given.detach().transpose(1, 2))
    flat = [each.reshape(-1).float() for each in arranged]

    def same(own: Tensor, wanted: Tensor) -> bool:
        # What is computed twice may differ by rounding.
        return torch.allclose(own.reshape(-1), wanted, rtol=1e-5, atol=1e-7, equal_nan=True)

    if any(same(values, each) for each in flat):
        return ""
    if values.ndim == 0:
        return None
    # What is all alike, as a softmax over one unit is, may also be rounded, or cut off.
    alike = bool((flat[-1] == flat[-1][0]).all()) and given.grad_fn is not None
    made = {way.lower() for way in islice(ways_back(given), LAST)} if alike else set(FOLLOWING)
    for name, function in FOLLOWING.items():
        if name.replace("_", "") not in made and name not in made:
            continue
        if torch.allclose(function(values).reshape(-1), flat[-1], atol=1e-5):
            return name
    return None
