"""``python -m lightning_mnist``: answers ``--help`` at once, and hands everything else on."""

import sys

from lightning_mnist import lean_imports, threads

HELP = """\
usage: python -m lightning_mnist COMMAND [FLAGS]

Train, evaluate and use an MLP on handwritten digits.

commands:
  fit        train, test the best checkpoint, leave a run directory in runs/
  validate   score a checkpoint on the validation images that it was not trained on
  test       score a checkpoint on the test images
  predict    read your own pictures of digits with a checkpoint
  augment    draw what each augmentation does, to look at
  export     write the digits as an .npz file that other programs read
  pixels     write your own pictures so, as predict hands them to the network

examples:
  python -m lightning_mnist fit
  python -m lightning_mnist fit --resume
  python -m lightning_mnist fit -c configs/keras_match.yaml --data.source mnist --data.root DIR
  python -m lightning_mnist fit --model.hidden '[800]' --optimizer SGD --optimizer.lr 0.1
  python -m lightning_mnist test --ckpt_path runs/NAME/checkpoints/best.ckpt
  python -m lightning_mnist predict --ckpt_path BEST.ckpt --images 'photos/*.jpg'

Every flag of a command: python -m lightning_mnist COMMAND --help
"""
COMMANDS = ("fit", "validate", "test", "predict", "augment", "export", "pixels")


def main() -> int:
    """Parse the command only; importing the training stack takes seconds."""
    command = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if command in ("-h", "--help"):
        print(HELP, end="")
        return 0
    if command not in COMMANDS:
        print(
            f"error: unknown command {command!r}; expected one of {', '.join(COMMANDS)}, or --help",
            file=sys.stderr,
        )
        return 2
    if command == "augment":
        from lightning_mnist.preview import main as preview

        return preview(sys.argv[2:])
    if command == "export":
        from lightning_mnist.export import main as export

        return export(sys.argv[2:])
    if command == "pixels":
        from lightning_mnist.pixels import main as pixels

        return pixels(sys.argv[2:])
    threads.wait_passively()
    with lean_imports.without_garbage():
        lean_imports.import_torchmetrics()
        from lightning_mnist.command import main as run
    return run()


if __name__ == "__main__":
    sys.exit(main())
