"""``python -m lightning_mnist``: answers ``--help`` at once, and hands everything else on."""

import signal
import sys
from importlib import import_module

from lightning_mnist import late_compiler, lean_imports, threads
from parity.garbage import without_garbage
from parity.signals import handled_by
from parity.streams import print_anything

HELP = """\
usage: python -m lightning_mnist COMMAND [FLAGS]

Train, evaluate and use an MLP on handwritten digits.

commands:
  fit        train, test the best checkpoint, leave a run directory in runs/
  validate   score a checkpoint on the validation images that it was not trained on
  test       score a checkpoint on the test images
  predict    read your own pictures of digits with a checkpoint
  search     find a better recipe on the validation images, many trainings long
  compare    train several recipes with several seeds; which differences are real?
  committee  average the test probabilities of several runs
  rates      draw the loss while the learning rate grows: which one to begin with?
  augment    draw what each augmentation does, to look at
  export     write a model as onnx, torchscript, safetensors or a page; or the digits
  pixels     write your own pictures as predict hands them to the network
  serve      show a model's page, and read the pictures that programs send, on this machine
  runs       list, show, compare and remove what has been run

examples:
  python -m lightning_mnist fit
  python -m lightning_mnist fit --resume
  python -m lightning_mnist fit -c configs/keras_match.yaml --data.source mnist --data.root DIR
  python -m lightning_mnist fit --model.hidden '[800]' --optimizer SGD --optimizer.lr 0.1
  python -m lightning_mnist test --ckpt_path runs/NAME/checkpoints/best.ckpt
  python -m lightning_mnist runs --sort accuracy
  python -m lightning_mnist export --ckpt_path BEST.ckpt --to page
  python -m lightning_mnist predict --ckpt_path BEST.ckpt --images 'photos/*.jpg'

Every flag of a command: python -m lightning_mnist COMMAND --help
"""
TRAINER = ("fit", "validate", "test", "predict")
"""What Lightning's command line does."""
OTHERS = {
    "search": "lightning_mnist.search.command",
    "compare": "lightning_mnist.compare.command",
    "committee": "lightning_mnist.committee",
    "rates": "lightning_mnist.rates",
    "augment": "lightning_mnist.preview",
    "export": "lightning_mnist.export.command",
    "pixels": "lightning_mnist.pixels",
    "runs": "lightning_mnist.runs.command",
    "serve": "lightning_mnist.serve.command",
}
"""Where the ``main`` of each other command is."""


def main() -> int:
    """Parse the command only; importing the training stack takes seconds."""
    print_anything()
    command = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if command in ("-h", "--help"):
        print(HELP, end="")
        return 0
    if command not in (*TRAINER, *OTHERS):
        known = ", ".join((*TRAINER, *OTHERS))
        print(
            f"error: unknown command {command!r}; expected one of {known}, or --help",
            file=sys.stderr,
        )
        return 2
    threads.wait_passively()
    late_compiler.install()
    if command in OTHERS:
        with without_garbage():
            from lightning_mnist.sentences import in_a_sentence

            module = import_module(OTHERS[command])
        return in_a_sentence(module.main, sys.argv[2:])
    with handled_by(signal.SIG_DFL):  # while there is nothing to save, it simply ends
        with without_garbage():
            lean_imports.import_torchmetrics()
            from lightning_mnist.command_line.command import main as run
            from lightning_mnist.ranks import leave
        return leave(run())


if __name__ == "__main__":
    sys.exit(main())
