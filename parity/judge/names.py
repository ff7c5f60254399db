"""What a column or an array is, by the words of its name: labels, answers or things besides."""

import re
import unicodedata
from typing import Literal

Role = Literal["labels", "ids", "besides", "logits", "probabilities", "predictions", "scores"]
"""What a name says; "scores" may be logits or probabilities."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# German, French and Spanish words stand without their accents.
TRUTH = _words(
    "true truth target targets targ targs actual real gold obs observed reference ground expected "
    "wahr wahrheit tatsachlich soll vrai vraie verite reel reelle attendu verdadero verdad "
    "esperado reale verita"
)
PREDICTED = _words(
    "pred preds predict prediction predictions predicted hat guess response argmax estimate "
    "estimated scored completion classified inferred recognized vorhersage vorhergesagt geschatzt "
    "predit predite prediccion predicho previsto previsione previsao"
)
SHARES = _words(
    "prob probs probability probabilities proba probas p softmax wahrscheinlichkeit probabilite "
    "probabilidad"
)
LOGITS = _words("logit logits")
SCORES = _words("score scores output outputs dense fc")
LABELS = _words("label labels y etiquette etiqueta etichetta rotulo")
CLASSES = _words(
    "class classes cls c digit digits category klasse klassen ziffer kategorie classe chiffre clase"
)
IDS = _words("id ids idx index unnamed level number no nr n nummer numero rownames inst instance")
THINGS = _words(
    "image images img sample samples row rows file item x test eval val all model value of for is "
    "raw pixel pixels px bild bilder datei zeile fichier ligne imagen archivo fila valid "
    "validation dev"
)
"""Of what something is; alone they say nothing of it."""
BESIDES = _words(
    "confidence conf max top correct right error loss filename path name weight weights fold split "
    "epoch step seed time timestamp date accuracy acc entropy margin rank train training batch "
    "unsure warning warnings embedding embeddings"
)
"""What often stands beside answers and says nothing of its own."""
POSITIONS = _words("x v var variable column col spalte")
"""What programs call columns without a name, with their places."""
IMAGES = _words(
    "id ids key image images img sample file filename path name unnamed index bild datei fichier"
)
"""In the names of columns that may say which image a row is of."""
WHOLE = {
    "yhat": "y hat", "ytrue": "y true", "ypred": "y pred", "yprob": "y prob", "ytest": "y test",
    "groundtruth": "ground truth", "gt": "ground truth", "ttest": "true test",
    "imageid": "image id", "rowid": "row id", "rowindex": "row index", "logprob": "log prob",
    "logprobs": "log probs", "logp": "log p",
}  # fmt: skip
"""Names that are written as one word."""
ANSWERS = PREDICTED | SHARES | LOGITS | SCORES
KNOWN = TRUTH | ANSWERS | LABELS | CLASSES | IDS | THINGS | BESIDES | {"log"}


def role_of(name: str) -> Role | None:
    """What a name says that the values are, its digits left out; None where it says nothing."""
    words = words_of(name)
    if not words:
        return None if name.strip() else "ids"
    if words <= THINGS:
        return "besides"
    if words & IDS and words <= IDS | THINGS:
        return "ids"
    truth, answer = words & TRUTH, words & ANSWERS
    if words & BESIDES and not words - KNOWN:
        return "besides"
    if words & {"id", "ids"} and not words & (TRUTH | ANSWERS | LABELS | CLASSES):
        return "ids"  # of passengers, say
    if words - KNOWN or (truth and answer):
        return None
    if words & (SHARES | LOGITS):
        return "logits" if words & (LOGITS | {"log"}) else "probabilities"
    if words & PREDICTED:
        return "predictions"
    if words & SCORES:
        return "scores"
    if truth or words & LABELS:
        return "labels"
    return "scores" if words & CLASSES else None


def names_images(name: str) -> bool:
    """Whether text in a column of this name may be files, or other names of images."""
    told = not name.strip() or words_of(name) & IMAGES  # no name: the rows' in pandas and R
    return bool(told) and role_of(name) in ("ids", "besides")


def words_of(name: str) -> frozenset[str]:
    """The words of a name, in lower case: of ``snake_case``, ``camelCase`` and anything between."""
    plain = unicodedata.normalize("NFKD", name)  # "prédiction" is "prediction"
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    parts = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain))
    return frozenset(
        word for part in parts for word in WHOLE.get(part.lower(), part.lower()).split()
    )
