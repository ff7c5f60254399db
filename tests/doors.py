"""Every flag and argument that names a file, and what may be found under such a name."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import yaml

from tests.test_parity_flags import BOMB


class Door(NamedTuple):
    """A command line with a place for a file.

    Attributes:
        package: Of the program.
        flags: ``{file}`` is where the file goes, ``{sound}`` the folder of `sound_files`.
        ending: Of its name.
    """

    package: str
    flags: str
    ending: str

    def words(self, file: str, sound: Path) -> list[str]:
        """The command line with a file in its place."""
        return [word.format(file=file, sound=sound) for word in self.flags.split(" ")]

    def __str__(self) -> str:
        return f"{self.package} {self.flags}"


FIT = "fit --data.source {sound}/tiny.npz --guard off --model.hidden [2] --trainer.max_epochs 1"
CKPT = "--ckpt_path {sound}/run/checkpoints/best.ckpt"
READS = (
    Door("lightning_mnist", "fit -c {file}", ".yaml"),
    Door("lightning_mnist", "fit --data.source {file}", ".npz"),
    Door("lightning_mnist", "fit --data.source mnist --data.root {file}", ""),
    Door("lightning_mnist", FIT + " --ckpt_path {file}", ".ckpt"),
    Door("lightning_mnist", "fit --resume {file}", ""),
    Door("lightning_mnist", "fit --model {file}", ".yaml"),
    Door("lightning_mnist", "fit --model.augmentation {file}", ".yaml"),
    Door("lightning_mnist", "fit --optimizer {file}", ".yaml"),
    Door("lightning_mnist", "fit --trainer {file}", ".yaml"),
    Door("lightning_mnist", "fit --trainer.callbacks {file}", ".yaml"),
    Door("lightning_mnist", "validate --ckpt_path {file}", ".ckpt"),
    Door("lightning_mnist", "test --ckpt_path {file}", ".ckpt"),
    Door("lightning_mnist", "test " + CKPT + " -c {file}", ".yaml"),
    Door("lightning_mnist", "test " + CKPT + " --data.source {file}", ".npz"),
    Door("lightning_mnist", "predict --ckpt_path {file} --images {sound}/digit.png", ".ckpt"),
    Door("lightning_mnist", "predict " + CKPT + " --images {file}", ".png"),
    Door("lightning_mnist", "pixels --images {file} --output out.npz", ".png"),
    Door("lightning_mnist", "export out --data.source {file}", ".npz"),
    Door("lightning_mnist", "export out --data.source mnist --data.root {file}", ""),
    Door("lightning_mnist", "export --to safetensors --output o.safetensors --ckpt_path {file}", ".ckpt"),
    Door("lightning_mnist", "export --to page --output out.html " + CKPT + " --beside {file}", ".ckpt"),
    Door("lightning_mnist", "augment --preview out.png --data.source {file}", ".npz"),
    Door("lightning_mnist", "search --workers 1 -c {file}", ".yaml"),
    Door("lightning_mnist", "search --workers 1 -c {sound}/search.yaml --storage {file}", ".log"),
    Door("lightning_mnist", "search --workers 1 -c {sound}/search.yaml --data.source {file}", ".npz"),
    Door("lightning_mnist", "compare --workers 1 -c {file}", ".yaml"),
    Door("lightning_mnist", "compare --workers 1 --seeds 1 -c {sound}/recipe.yaml --data.source {file}", ".npz"),
    Door("lightning_mnist", "runs show {file}", ""),
    Door("lightning_mnist", "runs diff {sound}/run {file}", ""),
    Door("lightning_mnist", "runs rm {file} --yes", ""),
    Door("lightning_mnist", "runs best --folder {file}", ""),
    Door("keras_reference", "fit -c {file}", ".yaml"),
    Door("keras_reference", "fit --model {file}", ".yaml"),
    Door("keras_reference", "fit --optimizer.settings {file}", ".yaml"),
    Door("keras_reference", "fit --data.source {file}", ".npz"),
    Door("keras_reference", "fit --resume {file}", ""),
    Door("keras_reference", "predict --data.source {sound}/tiny.npz --model_file {file}", ".keras"),
    Door("keras_reference", "predict --model_file {sound}/model.keras --data.source {file}", ".npz"),
    Door("parity", "run -c {file}", ".yaml"),
    Door("parity", "run --margins {file}", ".yaml"),
    Door("parity", "run --data.source {file}", ".npz"),
    Door("parity", "run --data.source mnist --data.root {file}", ""),
    Door("parity", "compare {file} {sound}/run", ".npz"),
    Door("parity", "compare {sound}/run {file}", ".csv"),
    Door("parity", "compare {sound}/run {file}", ".npy"),
    Door("parity", "compare {sound}/run {sound}/run --margins {file}", ".yaml"),
    Door("parity", "diagnose {file}", ".npz"),
    Door("parity", "diagnose {sound}/run --images {file}", ".png"),
    Door("parity", "diagnose {sound}/run --images {file}", ".npy"),
    Door("parity", "diagnose {sound}/run --images {file}", ".npz"),
    Door("parity", "convert {file} out.keras --data.source {sound}/tiny.npz", ".ckpt"),
    Door("parity", "convert {file} out.ckpt --data.source {sound}/tiny.npz", ".keras"),
    Door("parity", "convert {file} out.ckpt --data.source {sound}/tiny.npz", ".safetensors"),
    Door("parity", "convert {sound}/model.ckpt out.keras --data.source {file}", ".npz"),
    Door("parity", "transfer {file} {sound}/model.keras --out out.keras", ".keras"),
    Door("parity", "transfer {file} {sound}/model.keras --out out.keras", ".h5"),
    Door("parity", "transfer {file} {sound}/model.keras --out out.keras", ".weights.h5"),
    Door("parity", "transfer {file} {sound}/model.keras --out out.keras", ".pt"),
    Door("parity", "transfer {file} {sound}/model.keras --out out.keras", ".safetensors"),
    Door("parity", "transfer {sound}/model.keras {sound}/model.keras --out o.keras --data {file}", ".npy"),
    Door("parity", "transfer {file}:build {sound}/model.keras --out out.keras", ".py"),
    Door("parity", "record {file}:build --out out.zip --data.source {sound}/tiny.npz", ".py"),
    Door("parity", "record lightning_mnist.instruments.lockstep:build --out o.zip --data.source {file}", ".npz"),
    Door("parity", "record lightning_mnist.instruments.lockstep:build --out o.zip --beside {file}", ".zip"),
    Door("parity", "record lightning_mnist.instruments.lockstep:build --out o.zip -c {file}", ".yaml"),
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
    Door("lightning_mnist", "predict " + CKPT + " --images {sound}/digit.png --output {file}", ".csv"),
    Door("lightning_mnist", "pixels --images {sound}/digit.png --output {file}", ".npz"),
    Door("lightning_mnist", "export {file} --data.source {sound}/tiny.npz", ""),
    Door("lightning_mnist", "export --to safetensors " + CKPT + " --output {file}", ".safetensors"),
    Door("lightning_mnist", "augment --data.source {sound}/tiny.npz --preview {file}", ".png"),
    Door("lightning_mnist", "search --workers 1 -c {sound}/search.yaml --out {file}", ""),
    Door("lightning_mnist", "compare --workers 1 --seeds 1 -c {sound}/recipe.yaml --out {file}", ""),
    Door("keras_reference", FIT + " --run_dir {file}", ""),
    Door("parity", "compare {sound}/run {sound}/run --out {file}", ""),
    Door("parity", "convert {sound}/model.ckpt {file} --data.source {sound}/tiny.npz", ".safetensors"),
    Door("parity", "transfer {sound}/model.keras {sound}/model.keras --out {file}", ".keras"),
    Door("parity", "audit --data.source {sound}/tiny.npz --out {file}", ""),
)  # fmt: skip
"""Where a file or a folder is written."""


def _device(number: int) -> Callable[[Path], object]:
    """A device of our own, since a program of root that replaces what it writes would lose it."""
    return lambda path: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, number))


THINGS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "missing": ("missing", lambda path: None),
    "pipe": ("pipe", os.mkfifo),
    "zeros": ("zeros", _device(5)),
    "null": ("null", _device(3)),
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
RECIPE = {"model": {"hidden": [2]}, "trainer": {"max_epochs": 1}}
SEARCH = {
    "trials": 1,
    "epochs": 1,
    "seed": 0,
    "pruner": None,
    "recipe": RECIPE,
    "space": {"optimizer.lr": {"log": [0.001, 0.1]}},
}


def put(thing: str, ending: str, folder: Path) -> str:
    """Make it, in `folder`; its name."""
    begins, make = THINGS[thing]
    make(folder / f"{begins}{ending}")
    return f"{begins}{ending}"


def sound_recipes(folder: Path) -> None:
    """A recipe and a search."""
    for name, values in (("recipe", RECIPE), ("search", SEARCH)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
