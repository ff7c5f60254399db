"""A comparison as plain data: ``report.json``, and what every other form is drawn from.

Shares and differences are fractions of 1; a number that is not known is null. See
``docs/parity.md`` for the keys.
"""

import dataclasses
from typing import Any

import numpy as np

from parity.json_text import finite
from parity.judge import statistics
from parity.judge.answers import Side
from parity.judge.equivalence import Estimate
from parity.judge.evidence import Pair, SideEvidence
from parity.judge.outcome import Outcome, View

SCHEMA_VERSION = 1


def document(comparison: Outcome, command: str) -> dict[str, Any]:
    """Everything that was measured and said, and the command that repeats it, for JSON."""
    evidence, thresholds, judgement = (
        comparison.evidence,
        comparison.thresholds,
        comparison.judgement,
    )
    values: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "verdict": judgement.verdict.name,
        "exit_code": judgement.verdict.value,
        "reasons": judgement.reasons,
        "seeds_needed": judgement.seeds_needed,
        "not_judged": evidence.without,
        "thresholds": dataclasses.asdict(thresholds),
        "changed_thresholds": thresholds.changed(),
        "classes": evidence.classes,
        "images": evidence.images,
        "over_seeds": evidence.over_seeds,
        "sides": [_side(comparison.a, evidence.a), _side(comparison.b, evidence.b)],
        "differences": _differences(comparison),
        "total_variation": evidence.total_variation,
        "jensen_shannon": evidence.jensen_shannon,
        "disagreement": dataclasses.asdict(evidence.disagreement),
        "pairs": [_pair(pair) for pair in evidence.pairs],
        "views": [_view(view) for view in comparison.views],
        "command": command,
    }
    plain: dict[str, Any] = finite(values)
    return plain


def _differences(comparison: Outcome) -> dict[str, Any]:
    """Accuracy, and recall and share of each class: B - A, held to their margins."""
    evidence, thresholds = comparison.evidence, comparison.thresholds
    seeds = min(len(comparison.a.runs), len(comparison.b.runs))

    def held(estimate: Estimate, margin: float) -> dict[str, Any]:
        low, high = estimate.interval(thresholds.alpha)
        return {
            "difference": estimate.difference,
            "low": low,
            "high": high,
            "margin": margin,
            "p_within_margin": estimate.p_within(margin),
            "p_beyond_margin": estimate.p_beyond(margin),
            "margin_decided_by_these_seeds": estimate.decidable(seeds, thresholds.alpha),
        }

    accuracy = evidence.accuracy
    return {
        "accuracy": accuracy and held(accuracy, thresholds.accuracy_margin),
        "recall": {str(c): held(e, thresholds.recall_margin) for c, e in evidence.recall.items()},
        "share": {str(c): held(e, thresholds.share_margin) for c, e in evidence.share.items()},
    }


def _side(side: Side, evidence: SideEvidence) -> dict[str, Any]:
    runs = []
    for number, run in enumerate(side.runs):
        images = len(run.predicted)
        counts = np.bincount(run.predicted, minlength=evidence.share.shape[1])
        entry: dict[str, Any] = {
            "name": run.name,
            "collapse": evidence.collapse.get(run.name, []),
            "share": _with_interval(evidence.share[number], counts, images),
        }
        if evidence.confusion is not None:
            assert evidence.accuracy is not None
            assert evidence.recall is not None
            assert evidence.precision is not None
            table = evidence.confusion[number]
            found, labels, predicted = np.diag(table), table.sum(axis=1), table.sum(axis=0)
            entry |= {
                "accuracy": _with_interval(evidence.accuracy[number], found.sum(), images),
                "recall": _with_interval(evidence.recall[number], found, labels),
                "precision": _with_interval(evidence.precision[number], found, predicted),
            }
        if evidence.calibration_error is not None and evidence.log_likelihood is not None:
            entry["calibration_error"] = evidence.calibration_error[number]
            entry["negative_log_likelihood"] = evidence.log_likelihood[number]
        if run.record is not None:
            entry["record"] = dataclasses.asdict(run.record)
        runs.append(entry)
    return {"name": side.name, "runs": runs}


def _with_interval(value: Any, part: Any, whole: Any) -> dict[str, Any]:
    """A share with its 95 % Wilson interval; null where there is nothing to take a share of."""
    low, high = statistics.wilson_interval(part, whole)
    return {"value": value, "low": low, "high": high}


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "runs": list(pair.runs),
        "agreement": pair.agreement,
        "mcnemar": pair.mcnemar and dataclasses.asdict(pair.mcnemar),
        "bowker": dataclasses.asdict(pair.bowker),
        "stuart_maxwell": dataclasses.asdict(pair.stuart_maxwell),
    }


def _view(view: View) -> dict[str, Any]:
    sides = []
    for side in (view.evidence.a, view.evidence.b):
        share = side.share.mean(axis=0)
        sides.append(
            {
                "accuracy": None if side.accuracy is None else side.accuracy.mean(),
                "top_class": share.argmax(),
                "top_share": share.max(),
                "runs": len(side.runs),
                "collapsed_runs": len(side.collapse),
            }
        )
    said = view.judgement
    return {
        "name": view.name,
        "verdict": said and said.verdict.name,
        "reasons": said.reasons if said else [],
        "sides": sides,
    }
