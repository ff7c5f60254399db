"""``python -m lightning_mnist serve``: the page and a JSON API, for this machine."""

import argparse
import sys
from pathlib import Path

from lightning_mnist.errors import InputError
from lightning_mnist.resuming.named import NAMED, checkpoint_named
from lightning_mnist.sentences import check_installed, in_a_sentence
from lightning_mnist.threads import allowed_cpus
from parity.garbage import without_garbage
from parity.signals import StoppedError, ending_at_once
from parity.streams import print_anything


def main(arguments: list[str]) -> int:
    """Serve until asked to stop.

    Returns:
        143 and 130 after SIGTERM and SIGINT, 1 where the input was at fault, 2 where a flag was.
    """
    print_anything()
    flags = _parser().parse_args(arguments)
    try:
        with ending_at_once():
            return in_a_sentence(_serve, flags)
    except StoppedError as error:
        print(f"\n{error}", file=sys.stderr)
        return error.exit_code


def _serve(flags: argparse.Namespace) -> None:
    check_installed("serve", "serve", "starlette", "uvicorn", "python_multipart")
    with without_garbage():  # or an answer waits for 0.2 seconds now and then
        import torch

        from lightning_mnist.page.build import build
        from lightning_mnist.reading import UNCALIBRATED
        from lightning_mnist.serve.app import app_of
        from lightning_mnist.serve.server import listen, server_of
        from lightning_mnist.trained import Trained

    trained = Trained.read(checkpoint_named(flags.ckpt_path))
    digits = trained.digits(flags.source, flags.root)
    if digits is None:
        raise InputError(
            "the digits that the model was trained on are not at hand; expected --data.source "
            "mnist, digits or an .npz: the page shows a thousand test digits"
        )
    if trained.calibration is None:
        print(UNCALIBRATED, file=sys.stderr)
    torch.set_num_threads(1)
    with listen(flags.host, flags.port) as socket:
        page = build([trained], digits).html
        host, port = socket.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        print(
            f"http://{shown}:{port}/ is the page; POST pictures to /predict. Ctrl+C stops it.",
            flush=True,
        )
        server_of(app_of(trained, page, flags.host, allowed_cpus())).run([socket])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lightning_mnist serve")
    add = parser.add_argument
    add("--ckpt_path", type=Path, required=True, metavar="FILE", help=f"The model. {NAMED}")
    add("--port", type=_port, default=8000, help="8000 by default; 0 takes any that is free.")
    add(
        "--host",
        default="127.0.0.1",
        help="Where to listen; by default only programs of this machine are served.",
    )
    source = "As fit has it; what the model was trained on by default."
    add("--data.source", dest="source", help=source)
    add("--data.root", dest="root", help="As fit has it.")
    return parser


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; expected 0 to 65535")
