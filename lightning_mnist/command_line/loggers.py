"""Where a training is logged beside its history."""

from importlib.util import find_spec
from pathlib import Path

from lightning.pytorch.loggers import TensorBoardLogger


def tensorboard(run_dir: Path | None) -> TensorBoardLogger | bool:
    """A TensorBoard logger where TensorBoard is installed; history.csv is always written."""
    if run_dir is None or find_spec("tensorboard") is None:
        return False
    return TensorBoardLogger(run_dir, name="", version="tensorboard")
