"""Arrays as NumPy, PyTorch and TensorFlow print them, alone or each behind its name."""

import re

from parity.judge.cells import number

Rows = list[float] | list[list[float]]
BEGIN = re.compile(
    r"(?:^|\n)[ \t]*(?:([A-Za-z_][\w ]{0,40}?)[ \t]*[:=]\s*)?"
    r"(?:np\.|numpy\.|tf\.|torch\.)?(?:array|tensor|Tensor)?\(?\s*\[",
)
"""Where one begins: "y_pred = array([", "tensor([[", "[[": its name, if it has one."""
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|nan|inf)", re.IGNORECASE)


def is_printed(head: str) -> bool:
    """Whether a text begins as one does."""
    return BEGIN.match(head.lstrip()) is not None


def printed(text: str) -> Rows | dict[str, Rows]:
    """The numbers of one array, or of several by their names.

    Raises:
        ValueError: rows are left out, or what stands there is no array of numbers.
    """
    text = text.lstrip()
    if (first := BEGIN.match(text)) is None:
        raise ValueError("no array as it is printed")
    begins = [first, *(m for m in BEGIN.finditer(text, first.end()) if m[1] is not None)]
    ends = [match.start() for match in begins[1:]] + [len(text)]
    arrays = [_array(text[m.end() - 1 : end].strip()) for m, end in zip(begins, ends, strict=True)]
    if len(arrays) == 1 and begins[0][1] is None:
        return arrays[0]
    names = [match[1] or "" for match in begins]
    if "" in names or len(set(names)) < len(names):
        raise ValueError("several arrays as they are printed, not all with names")
    return dict(zip(names, arrays, strict=True))


def _array(text: str) -> Rows:
    if "..." in text:
        raise ValueError(
            "an array as it is printed, with rows left out (...); print all of them: "
            "np.set_printoptions(threshold=sys.maxsize), or save it by np.save"
        )
    if "]" not in text:
        raise ValueError("an array as it is printed, and not to its end")
    inside, rest = text[: text.rindex("]") + 1], text[text.rindex("]") + 1 :]
    if not re.fullmatch(r"\s*(?:,\s*[\w.]+\s*=.*)?\)*\s*", rest, re.DOTALL):
        raise ValueError(f"an array as it is printed, and {rest.strip()[:40]!r} behind it")
    if not inside.startswith("[["):
        return _numbers(inside[1:-1])
    rows = [_numbers(row) for row in re.findall(r"\[([^\[\]]*)\]", inside)]
    if re.sub(r"\[[^\[\]]*\]|[\s,\[\]]", "", inside) or "[[[" in re.sub(r"\s", "", inside):
        raise ValueError("an array as it is printed, of more than two dimensions")
    return rows


def _numbers(text: str) -> list[float]:
    parts = [part for part in re.split(r"[\s,]+", text) if part]
    if odd := [part for part in parts if not NUMBER.fullmatch(part) and number(part) is None]:
        raise ValueError(f"an array as it is printed, with {odd[0][:40]!r} in it")
    return [number(part) or 0.0 for part in parts]
