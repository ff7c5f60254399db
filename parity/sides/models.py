"""A model in a process of its own: its layers, its weights, its answers, its files.

``python -m parity.sides.models`` serves one, by the protocol of `parity.sides.process`. A model is
an entry point (`parity.sides.entries`), a file that holds a whole one, or an entry point with the
weights of a file: ``net.py:build@weights.pt``.
"""

import json
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from parity.arrays import Array, Table
from parity.files import opened
from parity.seal import damage
from parity.sides.entries import adapter_of, built, imported
from parity.sides.process import answered, serve

WHOLE = (".keras", ".h5", ".hdf5")
"""Endings of files that hold a model."""
WEIGHTS = (".weights.h5", ".pt", ".pth", ".tar", ".bin", ".ckpt", ".safetensors")
"""Endings of files that hold weights only."""
ZIP = b"PK"
"""With these bytes an archive begins; torch's older files are none."""
MOST_BYTES = 2**33
"""Of a file of a model: 8 GiB."""
FEW, BATCH = 6, 256
"""Samples on which ways are tried, and those that are answered at a time."""
KERAS, TORCH = "parity.keras.model_files", "parity.torch.model_files"


def found(name: str) -> Path:
    """A regular file, whole as far as an archive tells; torch looks at no checksum.

    Raises:
        ValueError: there is none, or a pipe, or one that is too large or damaged.
    """
    path = Path(name)
    try:
        with opened(path, MOST_BYTES) as file:
            archive = path.suffix == ".keras" or file.read(len(ZIP)) == ZIP
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if archive and (reason := damage(path)) is not None:
        raise ValueError(f"{path}: damaged ({reason})")
    return path


class Models:
    """Answers requests for one model."""

    def open(self, model: str) -> Table:
        """Build or read the model; ``about`` says what it is, in JSON.

        Raises:
            ValueError: there is no such model.
        """
        if model.endswith(WEIGHTS) and ":" not in model:
            return self._raw(found(model))
        entry, _, file = model.rpartition("@") if ":" in model else ("", "", "")
        if entry and file.endswith((*WHOLE, *WEIGHTS)):
            path = found(file)
            self.hold(built(entry, [], "float32"))
            self.files.load_weights(self.model, path)
        elif model.endswith(WHOLE):
            path = found(model)  # before what takes seconds to import
            self.hold(imported(KERAS).read_model(path))
        elif ":" in model and "@" not in model:
            self.hold(built(model, [], "float32"))
        else:
            raise ValueError(
                f"expected MODULE:FUNCTION, FILE.py:FUNCTION or a file that ends in "
                f"{', '.join((*WHOLE, *WEIGHTS))}"
            )
        about = {"framework": self.framework, "takes": self.files.takes(self.model)}
        return {"about": np.array(json.dumps(about))}

    def hold(self, given: Any) -> None:
        """Take what an entry point has given: a model alone, or with its optimiser and loss.

        Raises:
            ValueError: no model of a framework.
        """
        self.model = given[0] if isinstance(given, tuple) and given else given
        adapter = adapter_of(self.model)
        if adapter is None:
            kind = type(self.model).__name__
            raise ValueError(f"the entry point gave {kind}; expected a keras.Model or nn.Module")
        keras = adapter == "parity.keras"
        self.files: Any = imported(KERAS if keras else TORCH)
        self.adapter: Any = imported("parity.keras" if keras else "parity.torch")
        self.framework = "keras" if keras else "torch"

    def _raw(self, path: Path) -> Table:
        """The tensors of a file of weights, whose model nobody has given."""
        keras = path.name.endswith(".h5")
        read = imported(KERAS if keras else TORCH).read_weights
        self.framework = "keras" if keras else "torch"
        about = {"framework": self.framework, "takes": None, "weights": True}
        tensors = {f"tensor {name}": np.asarray(values) for name, values in read(path).items()}
        return {"about": np.array(json.dumps(about)), **tensors}

    def predict(self, table: Table) -> Table:
        """``scores`` for the samples ``x``, in the first way of feeding that gives one for each.

        Raises:
            ValueError: there is no such way.
        """
        takes = self.files.takes(self.model)
        x = table["x"].astype(takes[1] if takes else "float32")
        why = ""
        for way, few in self.files.ways(x[:FEW]):
            complaint = self.files.complaint(self.model, few)
            if not complaint and len(self._scores(few)) == len(x[:FEW]):
                parts = (x[at : at + BATCH] for at in range(0, len(x), BATCH))
                given = [self._scores(dict(self.files.ways(part))[way]) for part in parts]
                return {"scores": np.concatenate(given)}
            why = why or complaint
        raise ValueError(f"takes no batch of shape {list(x.shape)} ({why})")

    def _scores(self, x: Array) -> Array:
        answer: Array = self.files.answer(self.model, x)["answer"]
        return answer

    def by_name(self, file: str, path: str) -> Table:
        """Write the model with the weights of a file that has its own names; empty elsewhere."""
        try:
            self.files.load_weights(self.model, found(file))
        except ValueError:
            return {}
        self.files.write(self.model, Path(path))
        return {"written": np.array(path)}

    def rewrite(self, table: Table, path: str) -> Table:
        """Write the tensors of a file of torch that holds weights only."""
        torch = import_module("torch")
        tensors = {name: torch.from_numpy(np.array(values)) for name, values in table.items()}
        import_module(TORCH).write_tensors(tensors, Path(path))
        return {}

    def feed(self, table: Table) -> Table:
        """The ways in which the model takes the batch ``x``, in JSON; the first is taken."""
        tried = list(self.files.ways(table["x"]))
        found = [(way, x) for way, x in tried if not self.files.complaint(self.model, x)]
        self.fed = dict(found)
        for _, x in found[:1]:
            self.x = x
            self.own = self._weights()
        why = "" if found else self.files.complaint(self.model, tried[0][1])
        return {"ways": np.array(json.dumps(list(self.fed))), "why": np.array(why)}

    def take(self, way: str) -> Table:
        """Be fed in that way from now on; all weights."""
        self.x = self.fed[way]
        self._assign(self.own)
        self.own = self._weights()
        return self.own

    def names(self) -> Table:
        """What the program calls each layer, in JSON."""
        layers = self.adapter.layers(self.model, self.x)
        called = {name: str(getattr(layer, self.files.CALLED)) for name, layer in layers.items()}
        return {"names": np.array(json.dumps(called))}

    def answer(self, table: Table) -> Table:
        """What each layer gives, and last ``answer``, with the weights of `table` in place."""
        self._assign(self.own | table)
        given: Table = self.files.answer(self.model, self.x)
        return given

    def write(self, table: Table, path: str) -> Table:
        """Write the model with the weights of `table`, and read them back: what it then holds."""
        self._assign(self.own | table)
        self.files.write(self.model, Path(path))
        self._assign({name: np.zeros_like(values) for name, values in self.own.items()})
        self.files.load_weights(self.model, Path(path))
        given: Table = self.files.answer(self.model, self.x)
        return given

    def _weights(self) -> Table:
        weights: Table = self.adapter.weights(self.model, self.x)
        return weights

    def _assign(self, table: Table) -> None:
        first, second = (table, self.x) if self.framework == "keras" else (self.x, table)
        self.adapter.set_weights(self.model, first, second)


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    serve(partial(answered, Models()))
