"""What a cause is: a hypothesis, the evidence that it needs, and what follows from it."""

from collections.abc import Callable
from dataclasses import dataclass

from parity.watch.diagnosis.case import Case


@dataclass(frozen=True)
class Evidence:
    """Something that may or may not be known of a model.

    Attributes:
        name: What it is.
        known: Whether a case has it.
        where: The file that holds it.
    """

    name: str
    known: Callable[[Case], bool]
    where: str


DEAD = "dead ReLUs: units are 0 for every image and cannot learn any more"
DIVERGED = "the network has diverged: its logits are not finite"
"""Causes that are effects where a remedy of another cause has been tried, and helps."""

_RUN = "the run directory of its training, with symptoms.json"
LABELS = Evidence("labels", lambda case: case.labels is not None, "the true classes")
SCORES = Evidence(
    "scores of each class", lambda case: not case.classes_only, "logits or probabilities"
)
RAW = Evidence("raw training pixels", lambda case: case.symptoms.raw is not None, _RUN)
FED = Evidence("pixels fed in training", lambda case: case.symptoms.trained_on is not None, _RUN)
INTENDED = Evidence(
    "pixels the recipe intends", lambda case: case.symptoms.intended is not None, _RUN
)
SEEN = Evidence("pixels fed now", lambda case: case.symptoms.seen is not None, _RUN)
TRAINING_CLASSES = Evidence(
    "classes of the training images", lambda case: case.training_shares is not None, _RUN
)
VALIDATION_CLASSES = Evidence(
    "classes of the validation images", lambda case: case.validation_shares is not None, _RUN
)
EARLY = Evidence(
    "accuracy on single batches", lambda case: case.symptoms.early_gap is not None, _RUN
)
RATE = Evidence("learning rate", lambda case: case.symptoms.learning_rate is not None, _RUN)
STEPS = Evidence("number of steps", lambda case: case.symptoms.step > 0, _RUN)
LAYERS = Evidence("weights, layer by layer", lambda case: bool(case.symptoms.layers), _RUN)
COURSE = Evidence("course of the loss", lambda case: bool(case.symptoms.readings), _RUN)
TRAINING_LOSS = Evidence(
    "training loss and accuracy",
    lambda case: None not in (case.symptoms.train_loss, case.symptoms.train_accuracy),
    _RUN,
)
BEST = Evidence("accuracy in training", lambda case: case.symptoms.best_accuracy is not None, _RUN)
REPEAT = Evidence(
    "answers to a second asking", lambda case: case.symptoms.repeat_difference is not None, _RUN
)

EVIDENCE = (
    LABELS, SCORES, RAW, FED, INTENDED, SEEN, TRAINING_CLASSES, VALIDATION_CLASSES, EARLY, RATE,
    STEPS, LAYERS, COURSE, TRAINING_LOSS, BEST, REPEAT,
)  # fmt: skip


@dataclass(frozen=True)
class Match:
    """A hypothesis that the figures bear out: its name, told in full, and the figures."""

    cause: str
    figures: str


@dataclass(frozen=True)
class Rule:
    """A cause.

    Attributes:
        name: Of the hypothesis.
        needs: Evidence without which nothing is said of it; the answers are always there.
        look: Says whether the figures bear it out; asked only where the evidence is there.
        remedy: What to change.
        explains: Names of the rules whose figures follow from this one.
        also_of_sound_models: Whether it is said although the model does as it should: the figures
            are a mistake in themselves.
        of_training: Whether it keeps a network from learning, and so explains nothing where the
            network has learned.
    """

    name: str
    needs: tuple[Evidence, ...]
    look: Callable[[Case], Match | None]
    remedy: str
    explains: tuple[str, ...] = ()
    also_of_sound_models: bool = False
    of_training: bool = False

    def match(self, case: Case) -> Match | None:
        """The hypothesis, where its evidence is there and bears it out."""
        if self.of_training and case.learned:
            return None
        if not (case.wrong or self.also_of_sound_models):
            return None
        return self.look(case) if all(item.known(case) for item in self.needs) else None
