"""A training as people write it, fed 255 - x: the guard says why every answer becomes the same.

``python -m examples.all_ones [FOLDER]``: with a folder it leaves ``training.html`` there.
"""

import sys

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from parity import CollapsedError
from parity.torch import CollapseGuard


def main(report: str | None = None) -> None:
    """Train a small network on scikit-learn's digits, as pixels of 0 to 255 and inverted."""
    torch.manual_seed(0)
    digits = load_digits()
    x = 255 - torch.tensor(digits.data, dtype=torch.float32) * 255 / 16
    y = torch.tensor(digits.target)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss_of = nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    with CollapseGuard(model, optimizer, x, y, report=report):
        for _ in range(5):
            for images, labels in loader:
                optimizer.zero_grad()
                loss_of(model(images), labels).backward()
                optimizer.step()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except CollapsedError as error:
        sys.exit(f"error: {error}")
