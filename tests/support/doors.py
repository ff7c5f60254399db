"""Every flag and argument that names a file, and what may be found under such a name."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.parity.judge.test_flags import BOMB


class Door(NamedTuple):
    """A command line with a place for a file.

    Attributes:
        package: Of the program.
        flags: ``{file}`` is where the file goes, other names are those of `SOUND`.
        ending: Of its name.
    """

    package: str
    flags: str
    ending: str

    def words(self, file: str, sound: Path) -> list[str]:
        """The command line with a file in its place."""
        names = {name: str(sound / path) for name, path in SOUND.items()}
        return [word.format(file=file, side=SIDE, **names) for word in self.flags.split(" ")]

    def promised(self) -> tuple[int, ...]:
        """The exit codes for what is wrong with a file or a flag."""
        return (2, 5) if self.package == "parity" else (1, 2)

    def __str__(self) -> str:
        return f"{self.package} {self.flags}"


SIDE = "lightning_mnist.instruments.lockstep:build"
SOUND = {
    "tiny": "tiny.npz",
    "picture": "digit.png",
    "recipe": "recipe.yaml",
    "search": "search.yaml",
    "run": "run",
    "ckpt": "model.ckpt",
    "keras": "model.keras",
}
"""What `tests.support.sound.sound_files` makes."""
FIT = "fit --data.source {tiny} --guard off --model.hidden [2] --trainer.max_epochs 1"
CKPT = "--ckpt_path {ckpt}"
READS = (
    Door("lightning_mnist", "fit -c {file}", ".yaml"),
    Door("lightning_mnist", "fit --data.source {file}", ".npz"),
    Door("lightning_mnist", "fit --data.source mnist --data.root {file}", ""),
    Door("lightning_mnist", FIT + " --ckpt_path {file}", ".ckpt"),
    Door("lightning_mnist", "fit --resume {file}", ""),
    Door("lightning_mnist", "fit --teachers {file}", ".ckpt"),
    Door("lightning_mnist", "fit --model {file}", ".yaml"),
    Door("lightning_mnist", "fit --model.augmentation {file}", ".yaml"),
    Door("lightning_mnist", "fit --optimizer {file}", ".yaml"),
    Door("lightning_mnist", "fit --trainer {file}", ".yaml"),
    Door("lightning_mnist", "fit --trainer.callbacks {file}", ".yaml"),
    Door("lightning_mnist", "validate --ckpt_path {file}", ".ckpt"),
    Door("lightning_mnist", "test --ckpt_path {file}", ".ckpt"),
    Door("lightning_mnist", "test " + CKPT + " -c {file}", ".yaml"),
    Door("lightning_mnist", "test " + CKPT + " --data.source {file}", ".npz"),
    Door("lightning_mnist", "predict --ckpt_path {file} --images {picture}", ".ckpt"),
    Door("lightning_mnist", "predict " + CKPT + " --images {file}", ".png"),
    Door("lightning_mnist", "pixels --images {file} --output out.npz", ".png"),
    Door("lightning_mnist", "export out --data.source {file}", ".npz"),
    Door("lightning_mnist", "export out --data.source mnist --data.root {file}", ""),
    Door("lightning_mnist", "export --to onnx --output o.onnx --ckpt_path {file}", ".ckpt"),
    Door("lightning_mnist", "export --to page --ckpt_path {ckpt} --beside {file}", ".ckpt"),
    Door("lightning_mnist", "augment --preview out.png --data.source {file}", ".npz"),
    Door("lightning_mnist", "search --workers 1 -c {file}", ".yaml"),
    Door("lightning_mnist", "search --workers 1 -c {search} --data.source {file}", ".npz"),
    Door("lightning_mnist", "compare --workers 1 -c {file}", ".yaml"),
    Door("lightning_mnist", "compare --workers 1 -c {recipe} --data.source {file}", ".npz"),
    Door("lightning_mnist", "committee {run} {file}", ""),
    Door("lightning_mnist", "runs show {file}", ""),
    Door("lightning_mnist", "runs diff {run} {file}", ""),
    Door("lightning_mnist", "runs rm {file} --yes", ""),
    Door("lightning_mnist", "runs best --folder {file}", ""),
    Door("keras_reference", "fit -c {file}", ".yaml"),
    Door("keras_reference", "fit --model {file}", ".yaml"),
    Door("keras_reference", "fit --optimizer.settings {file}", ".yaml"),
    Door("keras_reference", "fit --data.source {file}", ".npz"),
    Door("keras_reference", "fit --resume {file}", ""),
    Door("keras_reference", "predict --data.source {tiny} --model_file {file}", ".keras"),
    Door("keras_reference", "predict --model_file {keras} --data.source {file}", ".npz"),
    Door("parity", "run -c {file}", ".yaml"),
    Door("parity", "run --margins {file}", ".yaml"),
    Door("parity", "run --data.source {file}", ".npz"),
    Door("parity", "run --data.source mnist --data.root {file}", ""),
    Door("parity", "compare {file} {run}", ".npz"),
    Door("parity", "compare {run} {file}", ".csv"),
    Door("parity", "compare {run} {file}", ".npy"),
    Door("parity", "compare {run} {run} --margins {file}", ".yaml"),
    Door("parity", "diagnose {file}", ".npz"),
    Door("parity", "diagnose {file} --data.source {tiny}", ".keras"),
    Door("parity", "diagnose no:model --data.source {file}", ".npz"),
    Door("parity", "diagnose {run} --images {file}", ".png"),
    Door("parity", "diagnose {run} --images {file}", ".npy"),
    Door("parity", "diagnose {run} --images {file}", ".npz"),
    Door("parity", "convert {file} out.keras --data.source {tiny}", ".ckpt"),
    Door("parity", "convert {file} out.ckpt --data.source {tiny}", ".keras"),
    Door("parity", "convert {file} out.ckpt --data.source {tiny}", ".safetensors"),
    Door("parity", "convert {ckpt} out.keras --data.source {file}", ".npz"),
    Door("parity", "transfer {file} {keras} --out out.keras", ".keras"),
    Door("parity", "transfer {file} {keras} --out out.keras", ".h5"),
    Door("parity", "transfer {file} {keras} --out out.keras", ".weights.h5"),
    Door("parity", "transfer {file} {keras} --out out.keras", ".pt"),
    Door("parity", "transfer {file} {keras} --out out.keras", ".safetensors"),
    Door("parity", "transfer {keras} {keras} --out o.keras --data {file}", ".npy"),
    Door("parity", "transfer {file}:build {keras} --out out.keras", ".py"),
    Door("parity", "record {file}:build --out out.zip --data.source {tiny}", ".py"),
    Door("parity", "record {side} --out o.zip --data.source {file}", ".npz"),
    Door("parity", "record {side} --out o.zip --beside {file}", ".zip"),
    Door("parity", "record {side} --out o.zip -c {file}", ".yaml"),
    Door("parity", "ladder {file} {file}", ".zip"),
    Door("parity", "ladder -c {file}", ".yaml"),
    Door("parity", "ladder --data.source {file}", ".npz"),
    Door("parity", "audit -c {file}", ".yaml"),
    Door("parity", "audit --data.source {file}", ".npz"),
    Door("parity", "faults --data.source {file}", ".npz"),
)  # fmt: skip
"""Where a file is read."""
WRITES = (
    Door("lightning_mnist", FIT + " --run_dir {file}", ""),
    Door("lightning_mnist", "test " + CKPT + " --run_dir {file}", ""),
    Door("lightning_mnist", "predict " + CKPT + " --images {picture} --output {file}", ".csv"),
    Door("lightning_mnist", "pixels --images {picture} --output {file}", ".npz"),
    Door("lightning_mnist", "export {file} --data.source {tiny}", ""),
    Door("lightning_mnist", "export --to safetensors " + CKPT + " --output {file}", ".safetensors"),
    Door("lightning_mnist", "augment --data.source {tiny} --preview {file}", ".png"),
    Door("lightning_mnist", "search --workers 1 -c {search} --out {file}", ""),
    Door("lightning_mnist", "search --workers 1 -c {search} --storage {file}", ".log"),
    Door("lightning_mnist", "compare --workers 1 --seeds 1 -c {recipe} --out {file}", ""),
    Door("lightning_mnist", "committee {run} --run_dir {file}", ""),
    Door("keras_reference", FIT + " --run_dir {file}", ""),
    Door("parity", "compare {run} {run} --out {file}", ""),
    Door("parity", "convert {ckpt} {file} --data.source {tiny}", ".safetensors"),
    Door("parity", "transfer {keras} {keras} --out {file}", ".keras"),
    Door("parity", "audit --data.source {tiny} --out {file}", ""),
)  # fmt: skip
"""Where a file or a folder is written."""
DOORS = (*READS, *WRITES)


THINGS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "missing": ("missing", lambda path: None),
    "pipe": ("pipe", os.mkfifo),
    "zeros": ("zeros", lambda path: path.symlink_to("/dev/zero")),
    "null": ("null", lambda path: path.symlink_to(os.devnull)),
    "folder": ("folder", Path.mkdir),
    "empty": ("empty", Path.touch),
    "picture": ("picture", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))),
    "archive": ("archive", lambda path: path.write_bytes(b"PK\3\4" + bytes(99))),
    "markup": ("m[/b]", lambda path: None),
    "markup, a file": ("[red]x", lambda path: path.write_bytes(b"[/b]")),
    "not UTF-8": ("\udcff\udce9", lambda path: None),
    "not UTF-8, a file": ("\udcff", lambda path: path.write_bytes(b"\xff\xfe\xe9")),
    "bomb": ("bomb", lambda path: path.write_text(BOMB)),
    "deep": ("deep", lambda path: path.write_bytes(b"[" * 5000)),
    "large": ("large", lambda path: path.write_bytes(b"seeds: [" + b"1, " * 10**6 + b"1]")),
    "long name": ("x" * 300, lambda path: None),
    "below a file": ("empty/x", lambda path: path.parent.touch()),
    "loop": ("loop", lambda path: path.symlink_to(path.name)),
}
"""What a name stands for: how it begins, and what lies there."""


def put(thing: str, ending: str, folder: Path) -> str:
    """Make it, in `folder`; its name."""
    begins, make = THINGS[thing]
    make(folder / f"{begins}{ending}")
    return f"{begins}{ending}"
