"""The next trial of a search: never a recipe that has been tried, never one too many."""

import json
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from lightning_mnist.search.life import ASKED, CHOSEN, WORKER
from lightning_mnist.search.space import Flags
from lightning_mnist.search.spec import Spec

BEGUN = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)
"""States of a trial that counts; one that failed is as if it had never been."""
ENDED = BEGUN[1:]
MOST_DEATHS = 3
"""A recipe during which so many workers have died is not tried again."""
MOST_DRAWS = 1000
"""After so many recipes that have all been tried the search looks again at what others do."""


class Given(RandomSampler):
    """Gives a recipe that has been chosen already."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__()
        self.params = params

    def sample_independent(self, study: Any, trial: Any, name: str, values: Any) -> Any:
        """The value of the recipe."""
        return self.params[name]


def next_trial(study: optuna.Study, spec: Spec) -> tuple[optuna.Trial, Flags] | None:
    """Begin a trial that no worker has begun, or None where there are enough.

    A worker writes what it has chosen before it looks at what others have. So of two that choose
    the same at the same moment at least one sees the other, and steps back. (Optuna's own queue of
    trials would not do: with SQLite two workers can take the same one.)
    """
    untried: dict[str, Any] | None = None
    while True:
        trials = study.get_trials(deepcopy=False)
        tried, lost = keys(trials), lost_recipes(trials)
        deaths = {k: sum(not t.user_attrs.get(ASKED) for t in lost[k]) for k in lost}
        given_up = [k for k, count in deaths.items() if count >= MOST_DEATHS]
        count = sum(trial.state in BEGUN for trial in trials) + len(given_up)
        if count >= spec.trials:
            return None
        again = [attempts[0].params for k, attempts in lost.items() if k not in given_up]
        # One draw for each number of trials: what was interrupted goes on as it would have.
        seed = np.random.SeedSequence([spec.seed, count]).generate_state(1)
        params = again[0] if again else untried
        study.sampler = Given(params) if params else TPESampler(seed=int(seed[0]))
        trial = study.ask()
        flags = spec.space.draw(partial(_suggest, trial))
        trial.set_user_attr(CHOSEN, flags)
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        earlier = sum(other.number < trial.number and other.state in BEGUN for other in others)
        if earlier + len(given_up) < spec.trials and key(flags) not in {*keys(others), *given_up}:
            return trial, flags
        study.tell(trial, state=TrialState.FAIL)
        sampler = RandomSampler(seed=trial.number)  # no two workers have the same
        untried = _untried(spec, sampler, {*tried, *keys(others), *given_up})


def key(flags: Flags) -> str:
    """The same for the same recipe."""
    return json.dumps(flags, sort_keys=True)


def keys(trials: Iterable[FrozenTrial]) -> set[str]:
    """Recipes that count as tried."""
    return {
        key(trial.user_attrs[CHOSEN])
        for trial in trials
        if trial.state in BEGUN and CHOSEN in trial.user_attrs
    }


def lost_recipes(trials: Sequence[FrozenTrial]) -> dict[str, list[FrozenTrial]]:
    """Recipes whose worker has died or was asked to end, each with its attempts.

    Those that somebody tries again, or has tried, are left out; so are those that a worker stepped
    back from before it gave a sign of life.
    """
    tried = keys(trials)
    lost: dict[str, list[FrozenTrial]] = {}
    for trial in trials:
        if trial.state is TrialState.FAIL and WORKER in trial.user_attrs:
            name = key(trial.user_attrs[CHOSEN])
            if name not in tried:
                lost.setdefault(name, []).append(trial)
    return lost


def _untried(spec: Spec, sampler: RandomSampler, tried: set[str]) -> dict[str, Any] | None:
    """A recipe that is drawn at random from those left, None where it was not hit upon."""
    nothing: Any = None  # the sampler asks neither the study nor the trial
    for _ in range(MOST_DRAWS):
        params: dict[str, Any] = {}

        def draw(name: str, values: BaseDistribution, params: dict[str, Any] = params) -> Any:
            params[name] = sampler.sample_independent(nothing, nothing, name, values)
            return params[name]

        if key(spec.space.draw(draw)) not in tried:
            return params
    return None


def _suggest(trial: optuna.Trial, name: str, values: BaseDistribution) -> Any:
    if isinstance(values, CategoricalDistribution):
        return trial.suggest_categorical(name, values.choices)
    if isinstance(values, IntDistribution):
        return trial.suggest_int(name, values.low, values.high)
    assert isinstance(values, optuna.distributions.FloatDistribution)
    return trial.suggest_float(name, values.low, values.high, log=values.log)
