"""Text as the lines of a table: decoded, without comments, titles and what spreadsheets leave."""

import re
from pathlib import Path

from parity.files import opened
from parity.judge.cells import is_number, split
from parity.judge.names import role_of

MOST_BYTES = 2**27
"""128 MiB: a million images with ten probabilities each."""
MOST_ROWS = 5_000_000
MOST_LINE = 2**18
"""Characters."""
MOST_TITLES = 5
"""Lines above a table that say what it is."""
SEPARATORS = ("\t", ";", "|", ",")
SAMPLE = 50
"""Rows that the separator is chosen by."""
MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""Byte order marks; that of UTF-8 is skipped by its codec."""
COMMENTS = ("#", "%", "//")
RULE = re.compile(r"-{3}|={3}|-:")
"""In a line below the names, as of Markdown, of reStructuredText and of databases."""
RULED = frozenset("\t |+:=-")
"""What such a line is made of."""
FOOT = re.compile(r"\(\d+ rows?\)")
PAIR = re.compile(
    r"(?<![A-Za-z_])([A-Za-z][A-Za-z_ ]{0,40})(?:[ ](-?\d+(?:\.\d+)?)(?![\w.])"
    r"|[ ]*[:=][ ]*([^,;|()\[\]:=\"]{1,80}?)"
    r"(?=[ ]*(?:[,;|()\[\]:\"]|-[ ]|[ ]{2}|$)|[ ]+[A-Za-z_][A-Za-z_ ]*[:=]))"
)
"""A name and its number or word in a line of a log."""
BESIDE = r"[^\s,;:|()\[\]\"-](?<!\d)(?<!\d[.%])"
"""What says something besides in such a line; a number in brackets does not."""
TYPOGRAPHY = str.maketrans("\u00a0\u2007\u202f\u2212\u2019", "   -'")
"""Spaces, minus and apostrophe as typography writes them."""


def lines_of(path: Path) -> list[str]:
    """The lines that hold something, the names of the columns first where there are any.

    Raises:
        ValueError: the file cannot be read, is no text, empty or too long.
    """
    text = _text(path)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if '"' in text:
        lines = _joined(lines)
    # Spreadsheets leave rows of separators behind, and their own first line.
    lines = [line for line in lines if line.strip(" \t;,|")]
    if lines and re.fullmatch(r"sep=.", lines[0]):
        lines = lines[1:]
    if not lines:
        raise ValueError("empty; expected a table of numbers")
    if (longest := max(map(len, lines))) > MOST_LINE:
        raise ValueError(f"a line of {longest:,} characters; expected at most {MOST_LINE:,}")
    if any(line.lower().startswith("@relation") for line in lines[:SAMPLE]):
        return _of_arff(lines)
    lines = [n for n in lines if not (RULED.issuperset(n) and RULE.search(n))] or lines
    if all(line.strip().startswith("|") and line.strip().endswith("|") for line in lines):
        lines = [line.strip()[1:-1] for line in lines]
    if FOOT.fullmatch(lines[-1]):
        lines = lines[:-1]
    _refuse_parts(lines)
    known = _of_log(lines) or _of_fasttext(lines)
    return known or _without_titles(_without_comments(lines))


def separator_of(lines: list[str]) -> str | None:
    """The first that cuts all rows into as many fields; None for spaces, or a single column."""
    if (separator := _separator(lines)) is not None or _at_spaces(lines):
        return separator
    # Rows of several widths: the error will name them.
    return next((each for each in SEPARATORS if any(each in line for line in lines)), None)


def _separator(lines: list[str]) -> str | None:
    for separator in SEPARATORS:
        widths = {len(split(line, separator)) for line in lines}
        if len(widths) == 1 and widths != {1}:
            return separator
    return None


def _at_spaces(lines: list[str]) -> bool:
    """Whether spaces cut all rows into as many fields, several."""
    widths = {len(line.split()) for line in lines}
    return len(widths) == 1 and widths != {1}


def _text(path: Path) -> str:
    with opened(path, MOST_BYTES) as file:
        content = file.read()
    try:
        text = content.decode(MARKS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError as error:
        text = content.decode("latin-1")  # numbers are the same in all that Windows writes
        if not all(c.isprintable() or c in "\t\r\n" or "\x80" <= c < "\xa1" for c in text[:4000]):
            raise ValueError(f"neither arrays nor text in UTF-8 ({error.reason})") from error
    if "\0" in text[:1000]:
        raise ValueError("neither arrays nor text")
    if (rows := text.count("\n") + text.count("\r")) > 2 * MOST_ROWS:
        raise ValueError(f"{rows:,} rows; expected at most {MOST_ROWS:,}")
    return text if text.isascii() else text.translate(TYPOGRAPHY)


def _joined(lines: list[str]) -> list[str]:
    """Lines with those that continue a quoted cell, as NumPy prints an array over several."""
    joined: list[str] = []
    begun: list[str] = []
    for line in lines:
        begun.append(line)
        odd = line.count('"') % 2 == 1
        if odd == (len(begun) > 1):  # none is open, or the one that was is closed
            joined.append(" ".join(begun))
            begun = []
    return lines if begun else joined  # quotes that do not match are for the rows to tell


def _without_comments(lines: list[str]) -> list[str]:
    """Lines that are no comments, but the last of those above where it names the columns."""
    comments = next((n for n, line in enumerate(lines) if not line.startswith(COMMENTS)), 0)
    below = lines[comments]
    above = re.sub(r"^(#|%|//)[ ]*", "", lines[comments - 1]) if comments else ""
    named = any(len(split(above, s)) == len(split(below, s)) > 1 for s in (*SEPARATORS, None))
    has_numbers = any(is_number(field) for field in re.split(r"[,;|\s]+", below))
    rows = lines[comments:]
    kept = [line for line in rows if not line.startswith(COMMENTS)]
    if len(kept) <= len(rows) / 2:  # what begins so are rows
        kept = rows
    return [above, *kept] if named and has_numbers else kept


def _without_titles(lines: list[str]) -> list[str]:
    """Lines without the sentences above a table, which are not cut into as many fields."""
    if (separator := _separator(lines[:SAMPLE])) is not None and len(lines) > 2:
        first, names = (split(line, separator) for line in lines[:2])
        words = not any(map(is_number, [*first, *names]))
        titled = any(role_of(f) for f in names if f) and not any(role_of(f) for f in first if f)
        return lines[1:] if words and titled else lines
    if _at_spaces(lines[:SAMPLE]):
        return lines
    for titles in range(1, min(MOST_TITLES + 1, len(lines) - 1)):
        separator = _separator(lines[titles : titles + SAMPLE])
        if separator is None:
            continue
        fields = [split(line, separator) for line in lines[:titles]]
        return lines[titles:] if all(len([f for f in row if f]) == 1 for row in fields) else lines
    return lines


def _of_log(lines: list[str]) -> list[str] | None:
    """Lines of "predicted: 3, actual: 5", each with the same names, as a table; None of others.

    Whatever stands before them is of the log, and so are a few lines above and below.
    """
    begin = next((n for n, line in enumerate(lines[:SAMPLE]) if _tells(_named(line))), SAMPLE)
    names = _named(lines[begin]) if begin <= MOST_TITLES else []
    end = next((n for n in range(begin, len(lines)) if _named(lines[n]) != names), len(lines))
    if not names or len(lines) - end > MOST_TITLES or any(_tells(_named(n)) for n in lines[end:]):
        return None
    lines = lines[begin:end]
    rows = [PAIR.findall(line) for line in lines]
    begins = (PAIR.search(line) for line in lines)
    rest = (PAIR.sub("", m.string[m.start() :]) for m in begins if m is not None)
    if any(re.search(BESIDE, text) for text in rest):
        return None
    return [",".join(names), *(",".join(word or number for _, word, number in r) for r in rows)]


def _named(line: str) -> list[str]:
    """What is named in a line of a log."""
    return [name.strip() for name, *_ in PAIR.findall(line)]


def _tells(names: list[str]) -> bool:
    """Whether they are of an answer and its truth."""
    roles = {role_of(name) for name in names}
    return "labels" in roles and bool(roles & {"predictions", "scores"})


def _of_fasttext(lines: list[str]) -> list[str] | None:
    """The likeliest class of each line, as fastText prints it, with or without its share."""
    rows = [
        re.fullmatch(r"__label__(\S+)(?: [\d.e-]+)?(?: __label__\S+ [\d.e-]+)*", x) for x in lines
    ]
    return ["prediction", *(row[1] for row in rows if row)] if all(rows) else None


def _refuse_parts(lines: list[str]) -> None:
    """Refuse what holds no row an image, or not all of them.

    Raises:
        ValueError: it is a report of each class, or rows are left out.
    """
    if {"precision", "recall", "support"} <= set(re.split(r"[\s,;|]+", lines[0])):
        raise ValueError("a report with a row a class; expected one row an image")
    if all(re.fullmatch(r"\S+(?:\s+\d+:\S+)+\s*", line) for line in lines[:SAMPLE]):
        raise ValueError(
            "features, as LIBSVM has them; sklearn.datasets.load_svmlight_file reads them"
        )
    if any(re.fullmatch(r"[\s|,]*\.\.[\s.,|]*", line) for line in lines):
        raise ValueError("a table as it is printed, with rows left out (...); save it by to_csv")


def _of_arff(lines: list[str]) -> list[str]:
    """What Weka's format says of its columns, as one line of names, and its rows."""
    lines = [line for line in lines if not line.startswith("%")]
    begin = next((n for n, line in enumerate(lines) if line.lower().startswith("@data")), 0)
    names = [
        matched[1].strip("'\"")
        for line in lines[:begin]
        if (matched := re.match(r"(?i)@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", line))
    ]
    if not names or not lines[begin + 1 :]:
        raise ValueError("ARFF without attributes, or without rows below @data")
    return [",".join(names), *lines[begin + 1 :]]
