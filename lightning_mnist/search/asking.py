"""The next trial of a search: never a recipe that has been tried, never one too many."""

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from lightning_mnist.search.life import CHOSEN
from lightning_mnist.search.space import Flags
from lightning_mnist.search.spec import Spec

BEGUN = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)
"""States of a trial that counts; one that failed is as if it had never been."""
ENDED = BEGUN[1:]
MOST_DRAWS = 1000
"""After so many recipes that have all been tried the search looks again at what others do."""


def next_trial(study: optuna.Study, spec: Spec) -> tuple[optuna.Trial, Flags] | None:
    """Begin a trial that no worker has begun, or None where there are enough.

    A worker writes what it has chosen before it looks at what others have. So of two that choose
    the same at the same moment at least one sees the other, and steps back.
    """
    while len(before := _begun(study)) < spec.trials:
        # One draw for each number of trials: what was interrupted goes on as it would have.
        seed = np.random.SeedSequence([spec.seed, len(study.get_trials(deepcopy=False))])
        number = int(seed.generate_state(1)[0])
        study.sampler = TPESampler(seed=number)
        trial = study.ask()
        flags = spec.space.draw(partial(_suggest, trial))
        trial.set_user_attr(CHOSEN, flags)
        others = [other for other in _begun(study) if other.number != trial.number]
        earlier = sum(other.number < trial.number for other in others)
        if earlier < spec.trials and key(flags) not in _tried(others):
            return trial, flags
        study.tell(trial, state=TrialState.FAIL)
        if earlier < spec.trials:
            _suggest_untried(study, spec, [*before, *others], number)
    return None


def key(flags: Flags) -> str:
    """The same for the same recipe."""
    return json.dumps(flags, sort_keys=True)


def _begun(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=BEGUN)


def _tried(trials: Iterable[FrozenTrial]) -> set[str]:
    return {key(trial.user_attrs[CHOSEN]) for trial in trials if CHOSEN in trial.user_attrs}


def _suggest_untried(
    study: optuna.Study, spec: Spec, trials: Iterable[FrozenTrial], seed: int
) -> None:
    """Have a recipe tried next that is drawn at random from those left."""
    sampler, tried = RandomSampler(seed), _tried(trials)
    nothing: Any = None  # the sampler asks neither the study nor the trial
    for _ in range(MOST_DRAWS):
        params: dict[str, Any] = {}

        def draw(name: str, values: BaseDistribution, params: dict[str, Any] = params) -> Any:
            params[name] = sampler.sample_independent(nothing, nothing, name, values)
            return params[name]

        if key(spec.space.draw(draw)) not in tried:
            study.enqueue_trial(params)
            return


def _suggest(trial: optuna.Trial, name: str, values: BaseDistribution) -> Any:
    if isinstance(values, CategoricalDistribution):
        return trial.suggest_categorical(name, values.choices)
    if isinstance(values, IntDistribution):
        return trial.suggest_int(name, values.low, values.high)
    assert isinstance(values, optuna.distributions.FloatDistribution)
    return trial.suggest_float(name, values.low, values.high, log=values.log)
