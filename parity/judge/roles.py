"""What the arrays or columns of a file are, by their names; by their shapes where these decide."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.judge.shapes import Called, Given, are_labels, are_scores, nameless, whole, wide
from parity.judge.tables import Table

Array = NDArray[Any]
Arrays = dict[str, Array]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


LABELS = _names(
    "label labels y_true y y_test test_labels labels_true true truth target targets ground_truth "
    "groundtruth gt actual true_label true_labels true_class label_true expected"
)
IDS = _names(
    "sample_id sample_ids id ids index idx image_id imageid row row_id rowid unnamed:_0"
) | {""}
OUTPUTS: dict[str, Called] = {
    **dict.fromkeys(
        _names(
            "prediction predictions predicted pred preds y_pred y_hat yhat predicted_class "
            "predicted_classes predicted_label predicted_labels pred_label pred_labels pred_class "
            "class_pred label_pred argmax"
        ),
        "predictions",
    ),
    **dict.fromkeys(
        _names(
            "probabilities probability probs prob p proba y_prob y_proba predicted_proba "
            "pred_proba softmax"
        ),
        "probabilities",
    ),
    **dict.fromkeys(("logits", "logit", "y_logits"), "logits"),
    **dict.fromkeys(_names("scores score output outputs class classes c digit y_score"), "scores"),
}
"""What answers are called; "scores" may be logits or probabilities."""
BESIDES = _names(
    "confidence conf max_prob max_probability correct is_correct right loss error file filename "
    "file_name path image images img x x_test name"
)
"""What often stands beside answers and says nothing of its own."""


def of_table(table: Table) -> Given:
    """What the columns of a table are.

    Raises:
        ValueError: no answers, or more than one way to read them.
    """
    if table.names is None:
        return nameless(table.values)
    if twice := {name for name in table.names if table.names.count(name) > 1}:
        raise ValueError(f"column {', '.join(sorted(twice))[:200]} occurs more than once")
    columns: dict[str, Array] = {}
    groups: dict[str, dict[int, Array]] = {}
    for name, values in zip(table.names, table.values.T, strict=True):
        matched = re.fullmatch(r"(.*?)[\s_.\[(]*(\d{1,9})[\])]?", _plain(name))
        if matched is None or _plain(name) in IDS:
            columns[name] = values
        else:
            groups.setdefault(matched[1] or "scores", {})[int(matched[2])] = values
    for name, members in groups.items():
        if sorted(members) != list(range(len(members))) or len(members) < 2:
            numbers = ", ".join(map(str, sorted(members)[:20]))
            raise ValueError(
                f"columns {', '.join(table.names)[:200]}; those of the classes are numbered "
                f"{numbers}, expected 0, 1, ... without a gap"
            )
        columns[name] = np.stack([members[number] for number in range(len(members))], axis=1)
    return of_arrays(columns, "columns")


def of_arrays(arrays: Mapping[str, Array], kind: str = "arrays") -> Given:
    """What named arrays are; `kind` is what errors call them.

    Raises:
        ValueError: no answers, or more than one way to read them.
    """
    if list(arrays) == [""] or (len(arrays) == 1 and not _known(next(iter(arrays)))):
        (only,) = arrays.values()
        return nameless(only)
    labels: Arrays = {}
    ids: Arrays = {}
    outputs: Arrays = {}
    odd: Arrays = {}
    for name, array in arrays.items():
        plain = _plain(name)
        group = (
            labels if plain in LABELS else ids if plain in IDS
            else outputs if plain in OUTPUTS else None if plain in BESIDES else odd
        )  # fmt: skip
        if group is not None:
            group[name] = array
    if not outputs and len(odd) <= 2:
        labels, outputs, odd = _by_shape(labels, odd)
    if odd:
        raise ValueError(
            f"unknown {kind} {', '.join(sorted(odd))[:200]} beside "
            f"{', '.join(sorted({**labels, **outputs}))[:200] or 'nothing known'}; expected "
            "labels, sample_ids, and one of logits, probabilities, predictions"
        )
    for many in (labels, ids):
        if len(many) > 1:
            raise ValueError(f"{' and '.join(many)}; expected one of them")
    name, called = _only_one(outputs)
    return Given(
        outputs[name], called, next(iter(labels.values()), None), next(iter(ids.values()), None)
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s\-.]+", "_", name.strip().lower())


def _known(name: str) -> bool:
    plain = _plain(name)
    return plain in LABELS or plain in IDS or plain in OUTPUTS


def _by_shape(labels: Arrays, odd: Arrays) -> tuple[Arrays, Arrays, Arrays]:
    """Labels, outputs and what is left, where shapes leave one way to tell them apart."""
    scores = {name: a for name, a in odd.items() if wide(a) and are_scores(a)}
    classes = {name: a for name, a in odd.items() if name not in scores and whole(a)}
    if len(scores) == 1 and len(labels | classes) <= 1:
        (matrix,) = scores.values()
        if len(scores | classes) == len(odd) and all(
            are_labels(a, matrix.shape[1]) for a in classes.values()
        ):
            return labels | classes, scores, {}
    if len(labels) == len(classes) == len(odd) == 1:
        (truth,), (answer,) = labels.values(), classes.values()
        if answer.shape == truth.shape and answer.max() <= truth.max():
            return labels, classes, {}
    return labels, {}, odd


def _only_one(outputs: Arrays) -> tuple[str, Called]:
    """The answers; classes beside scores must be the scores' largest."""
    scores = [name for name, array in outputs.items() if wide(array)]
    classes = [name for name in outputs if name not in scores]
    if len(scores) == len(classes) == 1:
        matrix, answer = outputs[scores[0]], outputs[classes[0]].reshape(-1)
        if len(matrix) == len(answer) and (matrix.argmax(axis=1) == answer).all():
            classes = []
    if len(scores) + len(classes) != 1:
        raise ValueError(
            f"{' and '.join(sorted(outputs)) or 'no outputs'}; expected one of logits, "
            "probabilities, predictions"
            + ("; labels are taken for the truth" if not outputs else "")
        )
    (name,) = scores or classes
    called = OUTPUTS.get(_plain(name), "scores")
    if called == "predictions" and scores and outputs[name].dtype.kind == "f":
        return name, "scores"
    return name, "predictions" if called == "scores" and classes else called
