"""``python -m lightning_mnist committee``: what several runs say together of the test set.

Their predictions are there since they were tested: a committee averages the probabilities (Ciresan
et al., Multi-column Deep Neural Networks for Image Classification, 2012), and no network is asked
again.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from lightning_mnist.errors import InputError
from lightning_mnist.plots import draw_confusion
from lightning_mnist.resuming import run_folder
from lightning_mnist.resuming.resume import RUNS
from lightning_mnist.runs.columns import in_columns
from lightning_mnist.runs.index import write_index
from lightning_mnist.runs.run import find_run
from lightning_mnist.scores import Scores, count, counters
from parity.claims import ClaimedError, claimed
from parity.provenance import Provenance, versions_of
from parity.run_record import PREDICTIONS_FILE, RECORD_FILE, Predictions, RunRecord, RunRecordError


def main(arguments: list[str]) -> None:
    """Average and score; raises `InputError` where the runs or the folder are at fault."""
    parser = argparse.ArgumentParser(
        prog="python -m lightning_mnist committee",
        description="Average the test probabilities of several runs, and leave them as a run.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="Path, or name in runs/.")
    parser.add_argument("--run_dir", help="Folder to fill (default: a new one in runs/).")
    flags = parser.parse_args(arguments)
    folders = [find_run(name, RUNS).folder for name in flags.runs]
    records, predictions = read(folders)
    predicted = averaged(predictions)
    scores = scores_of(predicted)
    record = RunRecord(
        framework="lightning",
        command="committee",
        versions=versions_of("torch", "numpy"),
        recipe={"members": [str(folder) for folder in folders]},
        seed=records[0].seed,
        data={key: records[0].data.get(key) for key in ("name", "sha256", "test")},
        preprocessing={},
        metrics=scores.describe(),
        finished=True,
        provenance=Provenance.here(),
    )
    config: Any = argparse.Namespace(run_dir=flags.run_dir, seed_everything=record.seed)
    folder = run_folder.choose(config, "committee")
    title = f"committee of {len(folders)}, test part of {record.data['name']}"
    _write(folder, record, predicted, scores, title)
    rows = [
        (str(member), str(record.seed), f"{scores_of(each).accuracy:.2%}")
        for member, record, each in zip(folders, records, predictions, strict=True)
    ]
    print(in_columns([("member", "seed", "accuracy"), *rows], right=[1, 2]))
    scores.show(title, Console())
    print(f"run directory: {folder}")


def read(folders: list[Path]) -> tuple[list[RunRecord], list[Predictions]]:
    """Records and predictions of runs, of either side.

    Raises:
        InputError: something is missing or damaged, or they are of different test sets.
    """
    try:
        records = [RunRecord.load(folder / RECORD_FILE) for folder in folders]
        predictions = [Predictions.load(folder / PREDICTIONS_FILE) for folder in folders]
    except RunRecordError as error:
        raise InputError(f"{error}; expected runs that have been tested") from None
    for folder, record, each in zip(folders, records, predictions, strict=True):
        same = record.data.get("sha256") == records[0].data.get("sha256")
        same = same and each.logits.shape == predictions[0].logits.shape
        if not (same and np.array_equal(each.sample_ids, predictions[0].sample_ids)):
            raise InputError(
                f"{folder}: has read other images than {folders[0]}; expected runs that were "
                "tested on the same data set"
            )
    return records, predictions


def averaged(predictions: list[Predictions]) -> Predictions:
    """The mean of the probabilities of the same images."""
    first = predictions[0]
    mean = torch.stack([probabilities(each) for each in predictions]).mean(dim=0)
    return Predictions(first.labels, mean.float().numpy(), first.sample_ids, "probabilities")


def probabilities(predictions: Predictions) -> Tensor:
    """Float64 [N, C]."""
    answers = torch.from_numpy(predictions.logits).double()
    return answers.softmax(dim=1) if predictions.called == "logits" else answers


def scores_of(predictions: Predictions) -> Scores:
    """How many images are read right."""
    counted = counters(predictions.logits.shape[1])
    count(counted, torch.from_numpy(predictions.logits), torch.from_numpy(predictions.labels))
    return Scores.of(counted)


def _write(
    folder: Path, record: RunRecord, predicted: Predictions, scores: Scores, title: str
) -> None:
    try:
        with claimed(folder):
            predicted.save(folder)
            draw_confusion(scores, folder / "confusion.png", title=title)
            write_index(folder, record)
            record.save(folder)  # last: a run that is listed lacks nothing
    except ClaimedError as error:
        raise InputError(f"--run_dir {error}; wait for it, or choose a new folder") from None
