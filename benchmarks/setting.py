"""How everything is measured: from the command line, and the same for every measure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.work import Network, Work

COLUMNS = (
    TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    TextColumn("{task.fields[what]}"),
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """What a measure is told.

    Attributes:
        work: Data, images and accelerator; networks are filled in.
        networks: By name.
        competitors: Names of those that take part; empty for all.
        rounds: That count; one more warms up.
        threads: Of every competitor.
        out: Folder to fill.
        console: Where progress is shown.
    """

    work: Work
    networks: dict[str, Network]
    competitors: tuple[str, ...]
    rounds: int
    threads: int
    out: Path
    console: Console = field(default_factory=Console)

    def logs(self, label: str) -> Path:
        """A folder for the logs of what `label` names."""
        return self.out / "logs" / label.replace(" ", "_").replace(",", "")

    @contextmanager
    def progress(self, label: str, total: int) -> Iterator[Callable[[str], None]]:
        """A bar; call what it yields with what is done next."""
        silent = not self.console.is_terminal
        with Progress(*COLUMNS, console=self.console, transient=True, disable=silent) as bar:
            task = bar.add_task(label, total=total, what="starting")
            begun = False

            def advance(what: str) -> None:
                nonlocal begun
                bar.update(task, advance=int(begun), what=what)
                if silent:
                    self.console.print(f"{label}: {what}", highlight=False)
                begun = True

            yield advance
