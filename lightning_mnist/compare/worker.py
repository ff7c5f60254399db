"""A worker of a comparison: takes one training after another, until none is left."""

from dataclasses import replace
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import yaml

from lightning_mnist import lean_imports
from lightning_mnist.compare.runs import Run, kept
from lightning_mnist.errors import InputError
from parity.garbage import without_garbage


def work(
    recipes: dict[str, Path],
    flags: list[str],
    seeds: int,
    out: Path,
    threads: int,
    taken: "Synchronized[int]",
) -> None:
    """Train recipes, by name, with seeds from 0 on, but for what an earlier command has left.

    `taken` counts the trainings that any of the workers has taken.

    Raises:
        InputError: a recipe cannot be trained.
    """
    with without_garbage():
        lean_imports.import_torchmetrics()
        from lightning_mnist.trainings.training import describe_data, resolve
    resolved = {}
    for name, path in recipes.items():  # all of them first: a mistake is said at once
        try:
            built = resolve(_words(path, flags, seed=0))
            resolved[name] = yaml.safe_load(built.recipe), describe_data(built)
        except InputError as error:
            raise InputError(f"-c {path}: {error}") from None
    # Seed by seed, so that an interrupted comparison has some of each recipe.
    jobs = [(name, seed) for seed in range(seeds) for name in recipes]
    while (place := _take(taken)) < len(jobs):
        name, seed = jobs[place]
        recipe, data = resolved[name]
        recipe = {**recipe, "seed_everything": seed}
        former = kept(out, name, seed)
        if former and former.recipe == recipe and former.data["sha256"] == data["sha256"]:
            print(f"{name}, seed {seed}: kept from before", flush=True)
            continue
        _train(Run(name, seed, recipe, data), _words(recipes[name], flags, seed), out, threads)


def _take(taken: "Synchronized[int]") -> int:
    with taken.get_lock():
        taken.value += 1
        return taken.value - 1


def _words(path: Path, flags: list[str], seed: int) -> list[str]:
    return ["--config", str(path), *flags, "--seed_everything", str(seed)]


def _train(begun: Run, words: list[str], out: Path, threads: int) -> None:
    from lightning_mnist.divergence import DivergedError
    from lightning_mnist.trainings.training import train

    try:
        training = train(words, threads=threads)
    except DivergedError as error:
        run = replace(begun, ended=str(error))
    except InputError as error:
        raise InputError(f"{begun.name}, seed {begun.seed}: {error}") from None
    else:
        values: dict[str, Any] = {
            name: getattr(training, name) for name in ("parameters", "train_accuracy", "history")
        }
        run = replace(begun, **values)
    run.save(out)
    said = f"{run.accuracy:.2%}, {run.seconds:.1f} s" if run.finished else run.ended
    print(f"{run.name}, seed {run.seed}: {said}", flush=True)
