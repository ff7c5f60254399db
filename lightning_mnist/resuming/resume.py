"""Going on with a training: only with the recipe and the data that it has had so far."""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch.utilities import rank_zero_only

from lightning_mnist.checkpoint import recorded
from lightning_mnist.errors import InputError
from lightning_mnist.runs.recipe import settings
from parity.flags import load, read_text
from parity.run_record import CONFIG_FILE, RECORD_FILE, RunRecord, RunRecordError
from parity.seal import damage

RUNS = Path("runs")
"""Where runs go that are given no folder."""
LATEST, FORMER = Path("checkpoints", "last.ckpt"), Path("checkpoints", "previous.ckpt")
"""The checkpoint from which a run goes on, in its folder, and the one before it."""
GIVEN_BY_THE_RUN = ("-c", "--config", "--ckpt_path", "--run_dir")
APPLIED = ("trainer", "threads", "guard", "views", "model.steps", "model.steps_per_execution")
"""Flags that may change on the way, with all below them."""
SAME_DATA = ("data.source", "data.root", "teachers")
"""Flags that may change where the data themselves, which the recorder checks, do not."""
COMPUTED_WITH = (
    "trainer.precision", "trainer.limit_train_batches", "trainer.overfit_batches",
    "trainer.fast_dev_run",
)  # fmt: skip
"""Flags of the trainer that change what an epoch is."""


def expand(args: Sequence[str]) -> list[str]:
    """Flags in which ``--resume [RUN]`` of `fit` has been followed by what it stands for.

    Raises:
        InputError: there is no such run, or a flag is given besides that the run itself gives.
    """
    given = [word.partition("=")[0] for word in args]
    if "fit" not in args[:1] or "--resume" not in given:
        return list(args)
    if others := [word for word in given if word in GIVEN_BY_THE_RUN]:
        raise InputError(
            f"--resume and {others[0]}: expected one of them; --resume takes recipe, checkpoint "
            "and folder from the run"
        )
    place = given.index("--resume")
    _, equals, name = args[place].partition("=")
    after = place + 1
    if not equals and after < len(args) and not args[after].startswith("-"):
        name, after = args[after], after + 1
    run = _run(Path(name)) if name else newest()
    taken = ["--resume", str(run), "--config", str(run / CONFIG_FILE), "--run_dir", str(run)]
    if (checkpoint := _sound(run)) is not None:
        taken += ["--ckpt_path", str(checkpoint)]
    return ["fit", *taken, *args[1:place], *args[after:]]


def _sound(run: Path) -> Path | None:
    """The latest checkpoint, or, where it is damaged, the one before it; None where none is.

    Raises:
        InputError: what there is, is damaged.
    """
    damaged: list[str] = []
    for path in (run / LATEST, run / FORMER):
        if not path.exists():
            continue
        if (reason := damage(path)) is None:
            for said in damaged:
                said += f"; going on from {path.name}, the one before"
                print(f"warning: {said}", file=sys.stderr)
            return path
        damaged.append(f"{path} cannot be read ({reason})")
    if damaged:
        raise InputError(f"--resume {run}: {'; '.join(damaged)}; train anew")
    return None


def newest() -> Path:
    """The training below ``runs/`` whose record was written last.

    Raises:
        InputError: there is none.
    """
    records = sorted(RUNS.glob(f"*/{RECORD_FILE}"), key=lambda path: path.stat().st_mtime)
    for record in reversed(records):
        try:
            return _run(record.parent)
        except InputError:
            continue
    raise InputError(f"--resume: no training in {RUNS}/; expected --resume RUN, the folder of one")


def _run(run: Path) -> Path:
    if not (run / CONFIG_FILE).is_file():
        raise InputError(
            f"--resume {run}: no {CONFIG_FILE} in it; expected the folder of a training"
        )
    if (run / RECORD_FILE).exists() and (command := _record(run).command) != "fit":
        raise InputError(f"--resume {run}: holds a {command}; expected the folder of a training")
    return run


def _record(run: Path) -> RunRecord:
    try:
        return RunRecord.load(run / RECORD_FILE)
    except RunRecordError as error:
        raise InputError(f"--resume: {error}") from error


def trained_so_far(
    checkpoint: dict[str, Any] | None, run: Path | None
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Recipe and description of the data so far, of a checkpoint, or of the run that has none.

    Raises:
        InputError: the checkpoint does not say.
    """
    if checkpoint is None:
        assert run is not None
        recipe = load(read_text(run / CONFIG_FILE))
        return recipe, _record(run).data if (run / RECORD_FILE).exists() else None
    if "optimizer_states" not in checkpoint:
        raise InputError(
            "holds weights only, and so training cannot go on from it; expected a checkpoint "
            "written by fit"
        )
    if (kept := recorded(checkpoint)) is None:
        raise InputError(
            "does not say with which recipe it was trained; expected a checkpoint written by fit"
        )
    return kept


def compare(
    checkpoint: dict[str, Any] | None, config: Namespace, recipe: str, defaults: str
) -> Any:
    """Check that a training may go on, and say from where, and what is new.

    Without a checkpoint the run starts from its beginning. `recipe` is what the flags come to, as
    YAML, and `defaults` what no flags at all do.

    Returns:
        What the run record says of the data that it was trained on, None if nothing.

    Raises:
        InputError: the recipe cannot change so.
    """
    run = Path(config.resume) if config.resume else None
    try:
        former, data = trained_so_far(checkpoint, run)
        new = changes(former, load(recipe), load(defaults))
    except InputError as error:
        asked = f"--resume {config.resume}" if config.resume else f"--ckpt_path {config.ckpt_path}"
        raise InputError(f"{asked}: {error}") from None
    if checkpoint is None:
        said = f"{config.resume} has no checkpoint yet: training from the beginning"
    else:
        said = f"going on with {config.resume or config.ckpt_path}"
        said += f" after {checkpoint.get('global_step')} steps"
    rank_zero_only(print)("; ".join([said, *new]), flush=True)
    return data


def resume_command(run: Path) -> str:
    """What to type to go on with a run."""
    return f"python -m lightning_mnist fit --resume {shlex.quote(str(run))}"


def changes(former: dict[str, Any], recipe: dict[str, Any], defaults: dict[str, Any]) -> list[str]:
    """What is to be done otherwise from now on, a flag each.

    A flag that is younger than the former recipe changes nothing while it has its default.

    Raises:
        InputError: something that cannot change on the way is to.
    """
    before, now, usual = by_flag(former), by_flag(recipe), by_flag(defaults)
    before |= {name: usual[name] for name in now if name not in before and name in usual}
    differ = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    # Another class has other settings.
    differ = [name for name in differ if name.rpartition(".")[0] not in differ]
    refused = [name for name in differ if not _may_change(name)]
    if refused:
        said = "; ".join(
            f"--{name} {_said(now.get(name))}, and it was trained with {_said(before.get(name))}"
            for name in refused
        )
        raise InputError(f"{said}: cannot change on the way; train anew, or leave it out")
    return [
        f"--{name} {_said(now.get(name))} instead of {_said(before.get(name))}" for name in differ
    ]


def _may_change(name: str) -> bool:
    if name in COMPUTED_WITH:
        return False
    return name in SAME_DATA or any(name == flag or name.startswith(f"{flag}.") for flag in APPLIED)


def by_flag(recipe: dict[str, Any]) -> dict[str, Any]:
    """Values by flag: a class by the flag that names it, its settings below."""
    values = settings(recipe)
    return {re.sub(r"\.(class_path|init_args)\b", "", name): values[name] for name in values}


def _said(value: Any) -> str:
    return "null" if value is None else str(value)
