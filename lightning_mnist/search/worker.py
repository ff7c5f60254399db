"""A worker of a search: trains one recipe after another, until there are enough."""

import time
from typing import Any

import optuna
import yaml
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import TrialState

from lightning_mnist import lean_imports
from lightning_mnist.errors import InputError
from lightning_mnist.search.asking import ENDED, next_trial
from lightning_mnist.search.life import ASKED, fail_dead, signs_of_life
from lightning_mnist.search.space import Flags
from lightning_mnist.search.spec import Spec
from lightning_mnist.search.storage import open_study
from parity.garbage import without_garbage

DATA = "data"
"""The study's attribute that says what is trained on."""
PAUSE = 1.0
"""Seconds until a worker that has nothing to do looks again whether another has died."""


def work(spec: Spec, where: str, threads: int) -> None:
    """Train trials until the search is done, with so many threads at most.

    Raises:
        InputError: the search file names flags that `fit` does not have, the first recipe cannot be
            trained, or the study has had other data.
    """
    with without_garbage():
        lean_imports.import_torchmetrics()
        import lightning_mnist.trainings.training  # noqa: F401 - takes seconds, and more later
    study = open_study(spec, where)
    if len(_ended(study)) < spec.trials:
        _check(study, spec)
    try:
        _train_all(study, spec, threads)
    except (StorageInternalError, OSError) as error:
        why = " ".join(str(error).split())[:300]
        raise InputError(
            f"--storage {where}: cannot be used any more ({why}); the same command goes on"
        ) from error


def _train_all(study: optuna.Study, spec: Spec, threads: int) -> None:
    while True:
        fail_dead(study)
        if begun := next_trial(study, spec):
            try:
                _train(study, spec, *begun, threads)
            except UpdateFinishedTrialError:
                print(f"trial {begun[0].number}: no sign of life for long, and so given to another")
        elif study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            time.sleep(PAUSE)
        else:
            return


def _ended(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=ENDED)


def _check(study: optuna.Study, spec: Spec) -> None:
    """Build some of the space's recipes, and note what there is to train on.

    Raises:
        InputError: they cannot be built, or the data are others than the study has had.
    """
    from lightning_mnist.trainings.training import describe_data, resolve

    samples = list(spec.space.samples())
    for flags in samples[:1] if _ended(study) else samples:
        try:
            built = resolve(spec.words(flags))
        except InputError as error:
            raise InputError(f"{spec.path}: {error}; in the recipe {_said(flags)}") from None
    data, former = describe_data(built), study.user_attrs.get(DATA)
    if former is None:
        study.set_user_attr(DATA, data)
    elif former["sha256"] != data["sha256"]:
        raise InputError(
            f"--data.source: {data['name']} has other images than {former['name']}, which this "
            "search has had so far; give the same data set, or a new --out or --storage"
        )


def _train(
    study: optuna.Study, spec: Spec, trial: optuna.Trial, flags: Flags, threads: int
) -> None:
    from lightning_mnist.divergence import DivergedError
    from lightning_mnist.trainings.training import Training, train

    def watch(row: dict[str, float]) -> bool:
        trial.report(row["val_accuracy"], int(row["epoch"]))
        return trial.should_prune()

    began = time.perf_counter()
    try:
        with signs_of_life(trial):
            training: Training | None = train(spec.words(flags), watch, threads)
    except UpdateFinishedTrialError:
        raise  # nobody's trial any more
    except (InputError, DivergedError) as error:
        if isinstance(error, InputError) and not _trained(study):
            study.tell(trial, state=TrialState.FAIL)
            raise InputError(f"{spec.path}: {error}; in the recipe {_said(flags)}") from None
        training, ended = None, str(error)
    except BaseException:  # asked to end, or a mistake of ours
        trial.set_user_attr(ASKED, True)
        study.tell(trial, state=TrialState.FAIL)
        raise
    if training is not None:
        ended = "pruned" if training.stopped else "finished"
        trial.set_user_attr("recipe", yaml.safe_dump(training.recipe, sort_keys=False))
        for name in ("history", "parameters", "train_accuracy"):
            trial.set_user_attr(name, getattr(training, name))
    seconds = time.perf_counter() - began
    _end(study, trial, training, ended, seconds)


def _end(
    study: optuna.Study, trial: optuna.Trial, training: Any, ended: str, seconds: float
) -> None:
    """Tell the study, and say in a line what came of a trial."""
    trial.set_user_attr("seconds", seconds)
    trial.set_user_attr("ended", ended)
    if training is None or training.stopped:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, training.accuracy)
    said = ended
    if training is not None:
        epochs = len(training.history)
        said = f"{training.accuracy:.2%} after {epochs} epoch{'s'[: epochs > 1]}"
        said += ", pruned" if training.stopped else ""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    best = max((each.value or 0.0 for each in done), default=0.0)
    print(
        f"trial {trial.number}: {said}, {seconds:.1f} s; best {best:.2%}; "
        f"{len(_ended(study))} done",
        flush=True,
    )


def _trained(study: optuna.Study) -> bool:
    """Whether any trial of the study has been trained."""
    return any(trial.intermediate_values for trial in study.get_trials(deepcopy=False))


def _said(flags: Flags) -> str:
    return " ".join(f"--{flag} {value}" for flag, value in flags.items())
