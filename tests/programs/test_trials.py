"""Which causes are named, by what their remedies bring: trials are made up here."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parity.watch.check import Belief, Change, Layer, Loss, Match, Program, Remedy
from parity.watch.check.data import STANDARDISED
from parity.watch.check.program import Task
from parity.watch.trials import AS_IT_IS, middle, proving, score, tried
from parity.watch.trials.departing import departed
from parity.watch.trials.faster import slow
from parity.watch.trials.following import Follower
from parity.watch.trials.inverted import inverted
from parity.watch.trials.material import Material
from parity.watch.trials.ranking import Tried
from parity.watch.trials.stall import explains, lifts, proves
from parity.watch.trials.usual import usual

SCALE = Remedy("with scaled features", features="standardised")
RATE = Remedy("with another rate", rate=0.1)
HEAD = Remedy("with another loss", head="classes")


class MadeUp:
    """Gives the scores that it is given; an error is raised, and `both` is of all remedies at once.

    Scores may be a pair: after all steps, and after few.
    """

    task: Task = "classes"
    material = Material(np.zeros(400), np.zeros(400), "classes")

    def __init__(
        self, *scores: tuple[Remedy, float | Exception | tuple[float, float]], both: float = 0.1
    ) -> None:
        self.scores, self.both, self.runs = dict(scores), both, False

    def run(self, remedy: Remedy, steps: int, seconds: float) -> tuple[float, int]:
        found = self.scores.get(remedy, self.both)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, tuple):
            found = found[steps < 100]
        return found, steps


def cause(name: str, belief: Belief, remedy: Remedy | None = None) -> Match:
    return Match(name, "figures", "advice", belief, remedy)


SURE, LIKELY, MAYBE = Belief.SURE, Belief.LIKELY, Belief.MAYBE


def names(trial: MadeUp, *matches: Match) -> list[str]:
    return [match.cause for match in tried(trial, matches).matches]


def test_one_sample_of_four_that_is_right_by_luck_is_no_help() -> None:
    trial = MadeUp((AS_IT_IS, 0.5), (RATE, 0.75), (SCALE, 1.0))
    trial.material = Material(np.zeros(4), np.zeros(4), "classes")
    assert names(trial, cause("rate", MAYBE, RATE)) == []
    assert names(trial, cause("scale", MAYBE, SCALE)) == ["scale"]


def test_what_brings_most_comes_first() -> None:
    trial = MadeUp((AS_IT_IS, 0.1), (SCALE, 0.5), (RATE, 0.9))
    matches = cause("scale", SURE, SCALE), cause("rate", LIKELY, RATE), cause("texts", SURE)
    assert names(trial, *matches) == ["rate", "scale", "texts"]
    assert tried(trial, matches).lines == [
        "tried: with another rate the same network reads 90% after 200 steps; as it is, 10%",
        "tried: with scaled features the same network reads 50% after 200 steps; as it is, 10%",
    ]


def test_a_suspicion_that_brings_nothing_is_not_named_and_a_mistake_last() -> None:
    trial = MadeUp((AS_IT_IS, 0.1), (SCALE, 0.12), (RATE, 0.11), (HEAD, 0.5))
    matches = cause("scale", SURE, SCALE), cause("rate", LIKELY, RATE), cause("head", SURE, HEAD)
    assert names(trial, *matches) == ["head", "scale"]


def test_what_only_may_be_is_named_where_nothing_surer_helps() -> None:
    trial = MadeUp((AS_IT_IS, 0.1), (SCALE, 0.9), (RATE, 0.8))
    assert names(trial, cause("may be", MAYBE, SCALE), cause("likely", LIKELY, RATE)) == ["likely"]
    alone = MadeUp((AS_IT_IS, 0.1), (SCALE, 0.9), (RATE, 0.1))
    assert names(alone, cause("may be", MAYBE, SCALE), cause("likely", LIKELY, RATE)) == ["may be"]


def test_nothing_helps_is_an_answer() -> None:
    trial = MadeUp((AS_IT_IS, 0.1), (SCALE, 0.1))
    found = tried(trial, [cause("scale", SURE, SCALE)])
    assert found.lines == [
        "nothing that was tried helps (with scaled features): reads 10% after 200 steps"
    ]
    assert found.gain < 0.1


def test_what_is_sure_and_cannot_be_tried_is_not_doubted_for_what_else_was() -> None:
    found = tried(
        MadeUp((AS_IT_IS, 0.1), (RATE, 0.1)), [cause("sure", SURE), cause("rate", LIKELY, RATE)]
    )
    assert [match.cause for match in found.matches] == ["sure"]
    assert found.lines == []


def test_two_mistakes_may_only_help_together() -> None:
    trial = MadeUp((AS_IT_IS, 0.1), (SCALE, 0.1), (HEAD, 0.1), both=0.9)
    found = tried(trial, [cause("scale", SURE, SCALE), cause("head", SURE, HEAD)])
    assert "with all of this changed the same network reads 90%" in found.lines[0]
    assert [match.cause for match in found.matches] == ["scale", "head"]


def test_where_all_ends_well_it_counts_how_fast() -> None:
    trial = MadeUp((AS_IT_IS, (1.0, 0.3)), (SCALE, (1.0, 0.9)))
    found = tried(trial, [cause("scale", LIKELY, SCALE)])
    assert "reads 90% after 25 steps; as it is, 30%" in found.lines[0]
    fast = MadeUp((AS_IT_IS, (1.0, 0.9)), (SCALE, (1.0, 0.95)))
    assert names(fast, cause("scale", LIKELY, SCALE)) == []


def test_a_rare_class_that_is_learned_later_is_no_mistake() -> None:
    balanced = Remedy("with classes drawn equally often", changes=Change.BALANCED)
    trial = MadeUp((AS_IT_IS, (0.95, 0.5)), (balanced, (0.97, 0.96)))
    assert names(trial, cause("rare", LIKELY, balanced)) == []


def test_what_cannot_be_trained_as_it_is_has_a_remedy_all_the_same() -> None:
    trial = MadeUp((AS_IT_IS, IndexError("label 10")), (HEAD, 0.9), (RATE, ValueError("no rate")))
    found = tried(trial, [cause("head", SURE, HEAD), cause("rate", LIKELY, RATE)])
    assert found.lines[0].endswith("as it is, it cannot be trained")
    assert [match.cause for match in found.matches] == ["head", "rate"]
    trial.runs = True  # then what fails is the trial
    assert tried(trial, [cause("head", SURE, HEAD)]).lines == []


@pytest.mark.parametrize(
    ("task", "answers", "targets", "expected"),
    [
        ("classes", [[3, 1], [2, 0], [0, 9], [5, 1]], [0, 0, 1, 1], 0.75),
        ("classes", [[3.0], [0.2], [1.4], [1.0]], [3, 0, 1, 2], 0.75),
        ("binary", [[2.0], [-1.0], [-3.0], [1.0]], [1, 1, 0, 0], 0.5),
        ("several", [[2.0, -1.0], [1.0, -2.0]], [[1, 0], [1, 0]], 1.0),
        ("values", [[1.0], [2.0], [3.0]], [1, 2, 3], 1.0),
        ("values", [[2.0], [2.0], [2.0]], [1, 2, 3], 0.0),
        ("values", [[np.nan], [2.0], [2.0]], [1, 2, 3], -1.0),
    ],
)
def test_a_score(task: Task, answers: list[float], targets: list[int], expected: float) -> None:
    between = 0.5 if task == "values" else 0.0
    assert score(task, np.array(answers), np.array(targets), between) == pytest.approx(expected)


def test_numbers_told_by_logits_are_those_of_their_sigmoid() -> None:
    shares = np.array([[0.1], [0.5], [0.9]])
    logits = np.log(shares / (1 - shares))
    bce = Loss("BCEWithLogitsLoss", "binary", "logits")
    program = Program("torch", (), None, logits, shares, loss=bce)
    assert score("values", logits, shares, middle(program, AS_IT_IS)) == pytest.approx(1)
    head = Remedy("with the squared error", head="values")
    assert score("values", shares, shares, middle(program, head)) == pytest.approx(1)


class Plan(Follower):
    """A training whose learning rate is as it is told, and a trial that a higher one helps."""

    def __init__(self, *rates: float) -> None:
        super().__init__()
        self.rates = iter(rates)
        self.program = Program("torch", (), None, np.zeros((4, 1)), None, optimizer="SGD")

    def _trial(self) -> Any:
        return MadeUp((AS_IT_IS, 0.1), both=0.9)

    def _now(self) -> Any:
        raise AssertionError("it is not asked")

    def _plan(self) -> tuple[float, float]:
        return 0.1, next(self.rates)


@pytest.mark.parametrize(
    ("rates", "expected"),
    [((1e-9, 1e-12), True), ((1e-9, 0.1), False), ((0.05, 1e-9), False), ((0.05, 0.01), False)],
)
def test_a_plan_is_named_where_training_goes_on_at_next_to_no_rate(
    rates: tuple[float, float], expected: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    proving = Plan(*rates)
    for step in range(1, 100):
        proving.look(step - 1, step)
    printed = capsys.readouterr().err
    assert ("the schedule of the learning rate brings it to nothing" in printed) == expected
    assert ("with the learning rate that it was given, 0.1, the same" in printed) == expected


def test_what_the_facts_bear_out_is_tried_before_what_is_usual(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, common = cause("known", MAYBE, SCALE), cause("common", MAYBE, RATE)
    monkeypatch.setattr(proving, "causes_of", lambda *_: [known])
    monkeypatch.setattr(proving, "usual", lambda *_: [common])
    for gain, expected in ((0.8, "known"), (0.15, "common")):
        plan = Plan(0.1)
        plan._initial = {}
        trial = MadeUp((AS_IT_IS, 0.1), (SCALE, 0.1 + gain), (RATE, 0.9))
        monkeypatch.setattr(plan, "_trial", lambda trial=trial: trial)
        found = plan.prove()
        assert found is not None
        assert [match.cause for match in found.matches] == [expected]


@pytest.mark.parametrize(("count", "steps"), [(4, 500), (300, 200)])
def test_an_exclusive_or_is_tried_for_longer_and_with_adam(
    count: int, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = np.arange(count) % 2
    known = Program("torch", (), None, np.zeros((count, 1)), y, optimizer="SGD", rate=0.1)
    plan, asked = Plan(0.1), list[Any]()

    def noted(*given: Any) -> Tried:
        asked.append(given)
        return Tried([])

    monkeypatch.setattr(proving, "tried", noted)
    plan.program = known
    plan._proved(known)
    causes = [match.cause for match in asked[0][1]]
    assert asked[0][3] == steps
    assert any("too slow" in cause for cause in causes) == (count == 4)


def test_a_rate_explains_no_collapse_that_the_copy_does_not_share() -> None:
    program = Program("keras", (), None, np.zeros((30, 3)), np.arange(30) % 3)
    for base, gain, belief, expected in (
        (0.6, 0.13, MAYBE, False), (0.4, 0.5, MAYBE, True), (0.6, 0.13, LIKELY, True),
    ):  # fmt: skip
        assert explains(program, Tried([cause("rate", belief)], [], gain, base)) == expected
    assert explains(program, Tried([cause("rate", MAYBE)], [], 0.1, None))


@pytest.mark.parametrize(("far", "named"), [(-5, True), (0, False), (5, False)])
def test_a_map_with_the_opposite_of_its_mask_is_named_wherever_its_threshold_lies(
    far: float, named: bool
) -> None:
    masks = (np.arange(100 * 16).reshape(100, 4, 4) % 3 == 0).astype(float)
    known = Program("torch", (), None, np.zeros((100, 4, 4)), masks)
    assert (inverted(known, far * masks - 9, masks) is not None) == named


@pytest.mark.parametrize("loss", [None, Loss("binary_crossentropy", "binary", "probabilities")])
def test_a_distance_of_pairs_is_not_the_opposite_of_its_targets(loss: Loss | None) -> None:
    targets = np.arange(100) % 2
    known = Program("keras", (), None, np.full((100, 1), 0.6), targets, loss=loss)
    near = 1 - targets[:, None].astype(float)
    assert (inverted(known, near, targets) is None) == (loss is None)


@pytest.mark.parametrize(
    ("base", "belief", "said"),
    [(0.55, MAYBE, True), (0.63, MAYBE, False), (0.63, LIKELY, True), (0.7, LIKELY, False)],
)
def test_lucky_units_hide_no_cause_that_the_facts_bear_out(
    base: float, belief: Belief, said: bool
) -> None:
    targets = np.arange(300) % 2
    known = Program("keras", (), None, np.zeros((300, 1)), targets)
    assert proves(known, targets, Tried([cause("scale", belief)], [], 0.32, base)) == said


@pytest.mark.parametrize(
    ("classes", "gain", "said"),
    [(2, 0.28, True), (2, 0.2, False), (3, 0.28, False), (3, 0.4, True)],
)
def test_one_of_two_is_told_by_chance_so_that_less_is_much(
    classes: int, gain: float, said: bool
) -> None:
    targets = np.arange(300) % classes
    known = Program("keras", (), None, np.zeros((300, classes)), targets)
    assert lifts(known, targets, Tried([], [], gain, 1 / classes)) == said


@pytest.mark.parametrize(("gain", "said"), [(0.2, False), (0.5, True)])
def test_what_may_be_meant_so_must_bring_much_before_the_first_step(
    gain: float, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(0.1)
    trial = MadeUp((AS_IT_IS, 0.1), (RATE, 0.1), (SCALE, 0.1 + gain))
    monkeypatch.setattr(plan, "_trial", lambda: trial)
    likely, may_be = cause("rate", LIKELY, RATE), cause("scale", MAYBE, SCALE)
    assert [m.cause for m in plan._at_first([likely, may_be]).matches] == ["scale"] * said


@pytest.mark.parametrize(
    ("optimizer", "size", "gain", "said"),
    [
        ("SGD", 99, 0.15, True),
        ("Adam", 99, 0.25, False),
        ("Adam", 99, 0.35, True),
        ("Adam", 5000, 0.15, True),
    ],
)
def test_adam_learns_later_of_what_is_not_scaled(
    optimizer: str, size: float, gain: float, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, fed = Plan(0.1), np.full((9, 2), size)
    layers = (Layer("dense", learns=True),)
    plan.program = Program("keras", layers, fed, fed[:, :1], None, optimizer=optimizer)
    trial = MadeUp((AS_IT_IS, 0.1), (STANDARDISED, 0.1 + gain))
    monkeypatch.setattr(plan, "_trial", lambda: trial)
    assert bool(plan._at_first([cause("scale", LIKELY, STANDARDISED)]).matches) == said


@pytest.mark.parametrize(
    ("few", "around", "said"), [(0.3, 0, "short"), (0.9, 0, ""), (0.9, 1, "own")]
)
def test_a_training_is_not_too_short_where_a_copy_learns_in_as_many_steps(
    few: float, around: int, said: str
) -> None:
    y = np.arange(300) % 3
    known = Program("keras", (), None, np.zeros((300, 3)), y, batch=16)
    trial = MadeUp((AS_IT_IS, (0.9, few)))
    found = departed(known, y, Tried([], [], 0, 0.9), [cause("own", MAYBE)] * around, 95, trial)
    causes = [match.cause for match in found.matches] if found else []
    assert len(causes) == bool(said)
    assert all(said in name for name in causes)


@pytest.mark.parametrize("loss", [None, Loss("nll", "categorical", "log probabilities")])
def test_a_loss_that_is_not_known_is_not_blamed(loss: Loss | None) -> None:
    known = Program("keras", (), None, np.zeros((60, 3)), np.arange(60) % 3, loss=loss)
    assert any("the loss do not fit" in m.cause for m in usual(known, [])) == (loss is not None)


@pytest.mark.parametrize(("gain", "said"), [(1.0, False), (0.5, False), (3.0, True), (0.05, True)])
def test_another_draw_of_usual_weights_is_luck(gain: float, said: bool) -> None:
    layers = tuple(Layer("dense", learns=True, gain=g) for g in (0.2, gain, 1.0))
    known = Program("keras", layers, None, np.zeros((60, 3)), np.arange(60) % 3)
    assert any("initial weights" in match.cause for match in usual(known, [])) == said


@pytest.mark.parametrize(
    ("own", "alone", "both", "expected"),
    [
        ("SGD", 0.2, 0.9, "known"), ("SGD", 0.9, 0.9, "SGD is too slow"), ("SGD", 0.2, 0.3, ""),
        ("Adam", 0.2, 0.9, "known"),
    ],
)  # fmt: skip
def test_what_helps_together_with_adam(
    own: str, alone: float, both: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "causes_of", lambda *_: [cause("known", LIKELY, SCALE)])
    monkeypatch.setattr(proving, "usual", lambda *_: [])
    plan = Plan(0.1)
    plan._initial = {}
    assert plan.program is not None
    plan.program = replace(plan.program, optimizer=own, rate=0.001)
    adam = [(match.remedy, alone) for match in slow(plan.program) if match.remedy]
    trial = MadeUp((AS_IT_IS, 0.1), (SCALE, 0.1), *adam, both=both)
    monkeypatch.setattr(plan, "_trial", lambda: trial)
    found = plan.prove()
    causes = [match.cause for match in found.matches] if found else []
    assert len(causes) == bool(expected)
    assert all(name.startswith(expected) for name in causes)


@pytest.mark.parametrize(
    ("right", "gain", "base", "said"),
    [(0.4, 0.5, 0.34, True), (0.9, 0.5, 0.34, False), (0.4, 0.1, 0.34, False),
     (0.4, 0.0, 0.9, True), (0.4, 0.0, 0.6, False)],
)  # fmt: skip
def test_a_training_that_takes_longer_than_a_remedy(
    right: float, gain: float, base: float, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = np.arange(300) % 3
    known = Program("keras", (), None, np.zeros((300, 3)), y)
    plan = Plan(0.1)
    tried = Tried([cause("rate", MAYBE)] if gain else [], [], gain, base)
    monkeypatch.setattr(plan, "prove", lambda: tried)
    monkeypatch.setattr(plan, "_departures", lambda _: [cause("a step of its own", MAYBE)])
    answers = np.eye(3)[np.where(np.arange(300) < 300 * right, y, (y + 1) % 3)]
    assert (plan._sooner(known, answers, y, 300) is not None) == said
    assert (
        plan._sooner(replace(known, targets=y + 0.5), answers, y + 0.5, 300) is None
    )  # a quantile


def test_an_alarm_repeats_a_mistake_for_which_no_trial_helps() -> None:
    plan = Plan(0.1)
    plan._found = Tried([cause("in the loop", SURE)], ["nothing that was tried helps"])
    findings, lines = plan.proved()
    assert [finding.cause for finding in findings] == ["in the loop"]
    assert lines == ["nothing that was tried helps"]
