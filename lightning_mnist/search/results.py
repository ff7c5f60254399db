"""What a search has found: its trials, as its files and its page tell of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from lightning_mnist.search.asking import ENDED, lost_recipes
from lightning_mnist.search.life import CHOSEN
from lightning_mnist.search.space import Flags

FEWEST = 4
"""Finished trials from which on importances are computed; with fewer nothing can be told apart."""


@dataclass(frozen=True)
class Trial:
    """A recipe that was tried: what was chosen by flag, as on the command line, and by parameter.

    `ended` is "finished", "pruned", or why it could not be trained. `value` is the validation
    accuracy after the last epoch, `train_accuracy` that of the trained network on training images,
    each None where there is none; `seconds` are all that it took, and `recipe` is resolved, as
    YAML.
    """

    number: int
    flags: Flags
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]
    ended: str
    value: float | None
    train_accuracy: float | None
    parameters: int
    seconds: float
    history: list[dict[str, float]]
    recipe: str

    @property
    def finished(self) -> bool:
        """Whether it was trained to its end."""
        return self.ended == "finished"

    def describe(self) -> dict[str, Any]:
        """What the study's JSON says of it."""
        left_out = ("params", "distributions", "recipe")
        return {name: value for name, value in vars(self).items() if name not in left_out}


def trials_of(study: optuna.Study) -> list[Trial]:
    """All trials that have ended, in their order; of a recipe that was given up the last."""
    trials = study.get_trials(deepcopy=False)
    lost = [attempts[-1] for attempts in lost_recipes(trials).values()]
    ended = [trial for trial in trials if trial.state in ENDED]
    return sorted(map(_trial, [*ended, *lost]), key=lambda trial: trial.number)


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Those that were trained to their end, the best first, of equals the earlier."""
    finished = [trial for trial in trials if trial.finished]
    return sorted(finished, key=lambda trial: (-(trial.value or 0.0), trial.number))


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each parameter in what sets the better trials apart, the largest first."""
    states = (TrialState.COMPLETE,)
    values = {trial.value for trial in study.get_trials(deepcopy=False, states=states)}
    if len(values) < FEWEST:
        return {}
    return optuna.importance.get_param_importances(study)


def _trial(trial: FrozenTrial) -> Trial:
    kept = trial.user_attrs
    return Trial(
        number=trial.number,
        flags=kept[CHOSEN],
        params=trial.params,
        distributions=trial.distributions,
        ended=kept.get("ended", "its worker was killed, time after time"),
        value=trial.value,
        train_accuracy=kept.get("train_accuracy"),
        parameters=kept.get("parameters", 0),
        seconds=kept.get("seconds", 0.0),
        history=kept.get("history", []),
        recipe=kept.get("recipe", ""),
    )
