"""Every rule: what sets it off, and what just does not, a file for each file of rules."""

from tests.parity.diagnosis.rules import answers, inputs, labels, learning, order, rows, scores

ROWS = {
    name: row
    for file in (inputs, labels, learning, order, rows, scores, answers)
    for name, row in file.ROWS.items()
}
