"""``python -m lightning_mnist export``: digits as an .npz, or a model in another form."""

import argparse
from pathlib import Path

from lightning_mnist.resuming.named import NAMED, checkpoint_named
from lightning_mnist.sentences import check_ending, writing
from parity.writing import written_whole

ENDINGS = {"onnx": ".onnx", "torchscript": ".pt", "safetensors": ".safetensors", "page": ".html"}
"""The forms of a model, and how their files end."""


def main(arguments: list[str]) -> None:
    """Write what is asked for and print its path; raises `InputError` where it cannot be had."""
    parser = _parser()
    flags = parser.parse_args(arguments)
    if (flags.folder is None) == (flags.ckpt_path is None):
        parser.error("expected DIR for the digits, or --ckpt_path FILE.ckpt --to FORM for a model")
    if flags.ckpt_path is not None and flags.to is None:
        parser.error(f"--ckpt_path needs --to {' | '.join(ENDINGS)}")
    if flags.beside is not None and flags.to != "page":
        parser.error("--beside OTHER.ckpt shows two models in a page; expected --to page")
    _digits(flags) if flags.ckpt_path is None else _model(flags)


def _digits(flags: argparse.Namespace) -> None:
    """Write ``DIR/<what they really are>.npz`` in the format of Keras' mnist.npz, without torch."""
    import numpy as np  # neither is for `--help`

    from lightning_mnist.data import sources

    digits = sources.obtain(flags.source or "auto", flags.root)
    path = flags.folder / f"{Path(digits.name).stem}.npz"
    with writing(str(flags.folder)):
        flags.folder.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            np.savez(
                temporary,
                x_train=digits.train_images,
                y_train=digits.train_labels,
                x_test=digits.test_images,
                y_test=digits.test_labels,
            )
    print(path)


def _model(flags: argparse.Namespace) -> None:
    from lightning_mnist.export.model import export_model  # torch takes seconds

    path = checkpoint_named(flags.ckpt_path)
    target = flags.output or path.with_suffix(ENDINGS[flags.to])
    check_ending("--output", target, ENDINGS[flags.to])
    for written in export_model(flags.to, path, target, flags.source, flags.root, flags.beside):
        print(written)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lightning_mnist export")
    add = parser.add_argument
    add("folder", type=Path, nargs="?", metavar="DIR", help="Where the digits' .npz goes.")
    add("--ckpt_path", type=Path, metavar="FILE", help=f"Export this model instead. {NAMED}")
    add("--to", choices=ENDINGS, help="The form of the model.")
    add("--output", type=Path, metavar="FILE", help="Beside the checkpoint by default.")
    add("--beside", type=Path, metavar="FILE", help="With page: a second checkpoint.")
    source = "As fit has it; for a model, what it was trained on by default."
    add("--data.source", dest="source", help=source)
    add("--data.root", dest="root", help="As fit has it.")
    return parser
