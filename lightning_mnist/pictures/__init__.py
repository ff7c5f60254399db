"""From a picture of any kind to the strokes of one digit: file, paper, lines, digit."""
