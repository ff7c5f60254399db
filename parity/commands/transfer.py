"""``python -m parity transfer A B --out FILE``: weights of one model in another, proven on data."""

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import Namespace

from parity.arrays import Array
from parity.commands.parser import DIFFERENT, OneSentenceParser
from parity.files import read_npy
from parity.match.raw import read
from parity.sides.jobs import SideFailedError
from parity.sides.models import WHOLE
from parity.sides.remote import Remote
from parity.transfer.fill import fill, refill
from parity.transfer.transfer import DifferentError, NoTransferError, Side, Transfer, transfer
from parity.writing import check_place, written_whole

HELP = "weights of one model in another, whatever the layers are called"
ENDINGS = {"keras": (".keras", ".h5"), "torch": (".pt", ".pth", ".ckpt", ".safetensors")}
"""Of the files of either framework; the latter hold weights only."""
MODEL = f"MODULE:FUNCTION, FILE.py:FUNCTION, either with @FILE of weights, or a {', '.join(WHOLE)}"


def parser() -> OneSentenceParser:
    """The flags."""
    flags = OneSentenceParser(description="Put the weights of A into B and prove that B is A.")
    flags.add_argument("a", metavar="A", type=str, help=f"Whose weights: {MODEL}.")
    flags.add_argument("b", metavar="B", type=str, help="Into which model, likewise.")
    flags.add_argument("--out", type=str, required=True, help="B's file, by B's endings.")
    flags.add_argument("--input", type=str | None, help="Shape of a sample, as 28,28,1.")
    flags.add_argument("--data", type=str | None, help="Samples, FILE.npy [N, ...].")
    return flags


def run(flags: Namespace, parser: OneSentenceParser) -> int:
    """0 where FILE was written, 1 where B answers otherwise, 5 where the weights do not fit.

    Raises:
        SideFailedError: a model cannot be built or read.
        NoTransferError: a layer has no partner.
    """
    target = Path(flags.out)
    x = _data(flags, parser)
    check_place(target)
    try:
        with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
            models = {"a": flags.a, "b": flags.b}
            remotes = {
                key: stack.enter_context(Remote(model, Path(folder) / key, "parity.sides.models"))
                for key, model in models.items()
            }
            for key, model in models.items():
                remotes[key].send("open", model=model)
            opened = {key: _opened(remote) for key, remote in remotes.items()}
            about = opened["b"][0]
            if about.get("weights") and about["framework"] != "torch":
                raise NoTransferError(
                    f"{flags.b} holds weights of a Keras model and not its layers: give as B the "
                    "program that builds it, FILE.py:FUNCTION, or the whole model, FILE.keras"
                )
            endings = ENDINGS[about["framework"]]
            if not flags.out.endswith(endings):
                parser.error(
                    f"--out {flags.out}: B is a model of {about['framework']}; expected a name "
                    f"that ends in {', '.join(endings)}"
                )
            with written_whole(target) as temporary:
                done = _written(opened["a"], opened["b"], temporary, x)
    except DifferentError as error:
        print(f"error: {error}", file=sys.stderr)
        return DIFFERENT
    print(said(done, target))
    return 0


def said(done: Transfer, target: Path) -> str:
    """What went where, a line a tensor, and the proof."""
    lines = []
    for pair in done.pairs:
        for tie in pair.ties:
            how = f" ({tie.move.words})" if tie.move.words else ""
            if not tie.target:
                how = f" (left out: all {tie.fill:g})"
            elif not tie.source:
                how = f" (set to {tie.fill:g}: A has none)"
            ends = (_name(tie.source, done.called[0]), _name(tie.target, done.called[1]))
            lines.append(f"  {ends[0]} -> {ends[1]}{how}")
    lines += [f"note: {note}" for note in done.notes]
    proof = (
        f"answers to {done.samples} samples differ by at most {done.gap:.1e} of the largest"
        if done.samples
        else "not proven"
    )
    lines.append(f"{target}: {len(done.pairs)} layers; {proof}")
    return "\n".join(lines)


def _name(tensor: str, called: dict[str, str]) -> str:
    """``hidden (dense_1.kernel)``: what the program calls the layer, and our name of the tensor."""
    layer = tensor.partition(".")[0]
    own = called.get(layer, "")
    return f"{own} ({tensor})" if own and own != layer else tensor or "-"


def _written(
    source: tuple[dict[str, Any], Side],
    target: tuple[dict[str, Any], Side],
    path: Path,
    x: Array | None,
) -> Transfer:
    """B's file; of either side there is a model, or weights only."""
    (about, a), (wanted, b) = source, target
    tensors, framework = about["tensors"], about["framework"]
    if wanted.get("weights"):
        own = read(tensors, framework) if about.get("weights") else a
        return refill(own, a.name, wanted["tensors"], b, path)
    if about.get("weights"):
        return fill(tensors, framework, a.name, b, path)
    return transfer(a, b, path, x)


def _opened(remote: Remote) -> tuple[dict[str, Any], Side]:
    """What the model says of itself, and what is asked for its weights."""
    answer = remote.receive()
    about: dict[str, Any] = json.loads(str(answer.pop("about")))
    about["tensors"] = {name.removeprefix("tensor "): answer[name] for name in answer}
    takes = about["takes"]
    return about, Side(
        remote.name, about["framework"], remote, takes and (tuple(takes[0]), takes[1])
    )


def _data(flags: Namespace, parser: OneSentenceParser) -> Array | None:
    if flags.data is not None:
        try:
            return read_npy(Path(flags.data))
        except ValueError as error:
            raise SideFailedError(f"{flags.data}: {error}") from None
    if flags.input is None:
        return None
    try:
        shape = [int(part) for part in flags.input.split(",")]
    except ValueError:
        parser.error(f"--input {flags.input}; expected numbers, as 28,28,1")
    return np.random.default_rng(0).normal(0, 1, (8, *shape)).astype(np.float32)
