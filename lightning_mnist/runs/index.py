"""``index.html`` of a run directory: what was run, what came of it, and how to go on."""

import shlex
from pathlib import Path

from lightning_mnist.runs.run import Run
from parity.run_record import RunRecord

INDEX_FILE = "index.html"
PICTURES = {
    "curves.png": "Loss and accuracy of each epoch",
    "confusion.png": "Which digit is taken for which",
    "mistakes.png": "Test digits that are misread",
    "views.png": "Test digits as the views show them",
}


def write_index(folder: Path, record: RunRecord) -> None:
    """Write a page that shows the files beside it."""
    from parity.pages import write_page  # Jinja is not for those who only list runs

    write_page(
        folder / INDEX_FILE,
        "lightning_mnist",
        "runs/index.html.j2",
        run=Run(folder, record),
        record=record,
        pictures={name: alt for name, alt in PICTURES.items() if (folder / name).is_file()},
        commands=commands(folder, record),
    )


def commands(folder: Path, record: RunRecord) -> dict[str, str]:
    """Command lines that go on from a run, by what they do."""
    best = str(folder / "checkpoints" / "best.ckpt")
    ours = ["python", "-m", "lightning_mnist"]
    found = {"say what is wrong with it": ["python", "-m", "parity", "diagnose", str(folder)]}
    if record.command == "fit" and not record.finished:
        found["go on with it"] = [*ours, "fit", "--resume", str(folder)]
    if record.command == "fit" and Path(best).is_file():
        found["repeat it"] = [*ours, "fit", "-c", str(folder / "config.yaml")]
        views = ["--views", "all"]
        found["see how it reads changed images"] = [*ours, "test", "--ckpt_path", best, *views]
        found["read pictures of your own"] = [
            *ours, "predict", "--ckpt_path", best, "--images", "FILE",
        ]  # fmt: skip
        found["draw digits in a browser"] = [*ours, "export", "--ckpt_path", best, "--to", "page"]
    found["compare it with another run"] = [*ours, "runs", "diff", str(folder), "OTHER"]
    return {what: shlex.join(words) for what, words in found.items()}
