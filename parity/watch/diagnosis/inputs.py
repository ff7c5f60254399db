"""Causes in the pixels that go in."""

from parity.watch.diagnosis import rule
from parity.watch.diagnosis.case import Case
from parity.watch.diagnosis.labels import other_classes
from parity.watch.diagnosis.rule import Match, Rule
from parity.watch.pixels.change import change, levels_alone

FEW_LEVELS = 32
"""Highest grey level of a file whose levels were made for another scale than 0 to 255: 1 of masks,
16 of scikit-learn's digits, 31 of five bits."""


def training_pixels(case: Case) -> Match | None:
    """The network was fed other pixels in training than the recipe says."""
    intended, fed = case.symptoms.intended, case.symptoms.trained_on
    assert intended is not None
    assert fed is not None
    if (what := change(intended, fed)) is None:
        return None
    return Match(
        f"in training, the pixels {what}",
        f"the network was fed {fed.describe()} where the recipe's preprocessing gives "
        f"{intended.describe()}",
    )


def raw_range(case: Case) -> Match | None:
    """The file holds one image only, or other grey levels than those that are divided by 255."""
    raw, fed = case.symptoms.raw, case.symptoms.trained_on
    assert raw is not None
    assert fed is not None
    if raw.maximum == raw.minimum:
        return Match(
            "the training images are blank", f"every pixel of the file is {raw.maximum:.3g}"
        )
    examples = raw.examples
    if len(examples) > 1 and (examples == examples[0]).all():
        return Match(
            "the training images are all the same",
            f"{len(examples)} of them, from all over the file, do not differ in a single pixel",
        )
    width = fed.maximum - fed.minimum
    if raw.maximum > FEW_LEVELS or width > 1.1 * FEW_LEVELS / 255:
        return None
    figures = f"they go from {raw.minimum:.3g} to {raw.maximum:.3g}, and the network was fed "
    figures += f"{fed.minimum:.3g} to {fed.maximum:.3g}"
    if raw.maximum <= 1:
        what = "the file's pixels are 0 to 1: already scaled, and divided by 255 again"
    else:
        what = f"the file's pixels are 0 to {raw.maximum:.3g}, not 0 to 255, and divided by 255"
    return Match(what, figures)


def test_pixels(case: Case) -> Match | None:
    """The network is fed other pixels now than in training."""
    trained_on, seen = case.symptoms.trained_on, case.symptoms.seen
    assert trained_on is not None
    assert seen is not None
    what = change(trained_on, seen)
    if what is not None and not what.known and other_classes(case):
        what = levels_alone(trained_on, seen)  # images of other classes look otherwise anyhow
    if what is None:
        return None
    return Match(
        f"the pixels {what} since training",
        f"the network was trained on {trained_on.describe()} and is fed {seen.describe()}",
    )


WHAT_PIXELS_DO = (
    "rate too high", "rate too low", "uphill", "not finite", "dead at start", "dead", "frozen",
    "unrelated labels", "class frequencies", "untrained", "sorted training", "negated", "shuffled",
    "wrong labels",
)  # fmt: skip
"""All of it follows from pixels that are too large, too small, or blank."""

RULES = (
    Rule(
        "training pixels",
        (rule.INTENDED, rule.FED),
        training_pixels,
        "Feed it x / 255, preprocessed and arranged as the recipe says, all in one place",
        explains=WHAT_PIXELS_DO,
        also_of_sound_models=True,
    ),
    Rule(
        "raw range",
        (rule.RAW, rule.FED),
        raw_range,
        "Store the images in the file as grey levels 0 to 255, in uint8",
        explains=(*WHAT_PIXELS_DO, "test pixels"),
        also_of_sound_models=True,
    ),
    Rule(
        "test pixels",
        (rule.FED, rule.SEEN),
        test_pixels,
        "Preprocess the images as in training: save the preprocessing with the model",
        explains=(
            "not finite",
            "class frequencies",
            "untrained",
            "negated",
            "shuffled",
            "wrong labels",
        ),
        also_of_sound_models=True,
    ),
)
