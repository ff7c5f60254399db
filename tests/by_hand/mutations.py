# ruff: noqa: E501 - a bug a line
"""Plants one bug after the other and says which of them the tests catch.

``python -m tests.by_hand.mutations [ROOT]`` copies the checkout ROOT (this one by default), changes one
place of the copy at a time, runs the tests that protect it, and lists what went unnoticed. A place
is found by its text, wherever a refactoring has moved it: the same bugs can be planted before and
after one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("lightning_mnist", "keras_reference", "parity")


class Mutation(NamedTuple):
    """A bug: text that occurs once in the packages, what replaces it, and the tests to run."""

    right: str
    wrong: str
    tests: str


MUTATIONS = (
    # Pixels, network and batches of the product.
    Mutation("copy=True).div_(255)", "copy=True).div_(256)", "lightning_mnist/training/test_preprocessing"),
    Mutation("return F.layer_norm(pixels, pixels.shape[1:]", "return F.layer_norm(pixels, pixels.shape[:1]", "lightning_mnist/training/test_preprocessing"),
    Mutation("levels = 1 - levels", "levels = levels - 1", "lightning_mnist/training/test_preprocessing"),
    Mutation("if dropout > 0:\n                layers.append", "if dropout > 1:\n                layers.append", "lightning_mnist/training/test_network"),
    Mutation("nn.init.xavier_uniform_(layer.weight)\n        nn.init.zeros_", "nn.init.xavier_normal_(layer.weight)\n        nn.init.zeros_", "lightning_mnist/training/test_network"),
    Mutation("torch.var_mean(input, dim=0, correction=0)", "torch.var_mean(input, dim=0, correction=1)", "lightning_mnist/training/test_network"),
    Mutation("KERAS_SHARE = 0.01", "KERAS_SHARE = 0.1", "lightning_mnist/training/test_network"),
    Mutation("rng = np.random.default_rng([self.shuffle_seed, self.epoch])", "rng = np.random.default_rng([self.shuffle_seed])", "lightning_mnist/training/test_datamodule"),
    Mutation("yield self.first + number, batch", "yield self.first, batch", "lightning_mnist/training/test_execution"),
    Mutation("own[number] * self.world_size / together[number]", "own[number] / together[number]", "lightning_mnist/training/test_ranks lightning_mnist/training/test_datamodule"),
    Mutation("return min(count, size, count % size or size) // self.world_size", "return min(count, size) // self.world_size", "lightning_mnist/training/test_ranks lightning_mnist/training/test_datamodule"),
    Mutation("places = (np.arange(val_size) * total + rng.integers(total)) // val_size", "places = np.arange(val_size)", "lightning_mnist/training/test_split"),
    Mutation("if len(content) - header != math.prod(shape):", "if len(content) - header < math.prod(shape):", "lightning_mnist/training/test_sources"),
    Mutation("order = sample_ids.argsort()\n        return", "order = sample_ids\n        return", "lightning_mnist/training/test_module lightning_mnist/training/test_ranks lightning_mnist/command_line/test_cli"),
    Mutation("return (losses * sizes).sum(), torch", "return losses.sum(), torch", "lightning_mnist/training/test_module lightning_mnist/training/test_execution"),
    # Optimisers and checkpoints.
    Mutation("np.sqrt(1 - beta_2**t) / (1 - beta_1**t)", "np.sqrt(1 - beta_2**t)", "lightning_mnist/training/test_optimizers"),
    Mutation("torch._foreach_maximum_(slots[\"velocity_hat\"], slots[\"velocity\"])", "pass", "lightning_mnist/training/test_optimizers"),
    Mutation("weight_decay: float = 0.004,", "weight_decay: float = 0.04,", "lightning_mnist/training/test_optimizers"),
    Mutation("with written_whole(path) as temporary:\n            try:", "with written_whole(path.with_name(\"x.ckpt\")) as temporary:\n            try:", "lightning_mnist/resuming/test_checkpoint"),
    Mutation("damaged = _damaged(file)", "damaged = None", "lightning_mnist/resuming/test_checkpoint"),
    # Views.
    Mutation("\"dim\": lambda images: images * 0.25", "\"dim\": lambda images: images * 0.5", "parity/judge/test_views lightning_mnist/pages/test_views"),
    # The reference.
    Mutation("scale = np.float64(1 / 255)", "scale = np.float64(1 / 256)", "keras_reference/"),
    Mutation("keras.layers.Rescaling(-1, 1)", "keras.layers.Rescaling(-1, 2)", "keras_reference/"),
    Mutation("mean = 1 - pixels.mean() if config.invert else pixels.mean()", "mean = pixels.mean()", "keras_reference/"),
    Mutation("if y.min() < 0 or y.max() > 9:", "if y.min() < 0 or y.max() > 255:", "keras_reference/"),
    # The file contract.
    Mutation("os.fsync(file.fileno())\n        temporary.replace(path)", "os.fsync(file.fileno())\n        shutil_copy = path.write_bytes(temporary.read_bytes())", "parity/judge/test_run_record"),
    Mutation("digest.update(repr(array.shape).encode())", "pass", "parity/judge/test_run_record"),
    # Statistics and the verdict.
    Mutation("z = special.ndtri(0.5 + confidence / 2)", "z = special.ndtri(confidence)", "parity/judge/test_statistics"),
    Mutation("return _ratio(np.diag(table), table.sum(axis=1))", "return _ratio(np.diag(table), table.sum(axis=0))", "parity/judge/test_statistics"),
    Mutation("if discordant < EXACT_MCNEMAR_BELOW:", "if discordant < 0:", "parity/judge/test_statistics"),
    Mutation("seen = there + back > 0", "seen = there > 0", "parity/judge/test_statistics"),
    Mutation("index = np.clip(np.ceil(confidence * bins)", "index = np.clip(np.floor(confidence * bins)", "parity/judge/test_statistics"),
    Mutation("return self._tail(abs(self.difference) - margin)", "return self._tail(self.difference - margin)", "parity/judge/test_statistics parity/judge/test_verdict"),
    Mutation("scaled = values[order] * np.arange(len(values), 0, -1)", "scaled = values[order]", "parity/judge/test_statistics parity/judge/test_verdict"),
    Mutation("adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)", "adjusted[order] = np.minimum(scaled, 1)", "parity/judge/test_statistics parity/judge/test_verdict"),
    Mutation("float(x.var(ddof=1)), float(y.var(ddof=1))", "float(x.var()), float(y.var())", "parity/judge/test_statistics parity/judge/test_verdict"),
    Mutation("float(within), at_least / (1 + draws))", "float(within), 1.0)", "parity/judge/test_statistics parity/judge/test_verdict"),
    Mutation("SEVERITY = (Verdict.COLLAPSED, Verdict.DIFFERENT,", "SEVERITY = (Verdict.DIFFERENT, Verdict.COLLAPSED,", "parity/judge/test_verdict parity/judge/test_views"),
    Mutation("COLLAPSED = 3\n", "COLLAPSED = 4\n", "parity/judge/test_verdict lightning_mnist/training/test_guard"),
    # The guard.
    Mutation("        if share == 1\n", "        if share > 1\n", "parity/guards/test_guard"),
    Mutation("return max(0.0, -float((some * np.log(some)).sum()))", "return max(0.0, -float((some * np.log2(some)).sum()))", "parity/guards/test_guard parity/diagnosis/"),
    # The ladder.
    Mutation("ULPS_OF_A_PIXEL = 4", "ULPS_OF_A_PIXEL = 4e9", "parity/ladder/"),
    Mutation("PLAIN, NORMALISED = 1e-12, 1e-9", "PLAIN, NORMALISED = 1e-2, 1e-2", "parity/ladder/"),
    Mutation("ECHO_FACTOR = 10\n", "ECHO_FACTOR = 1e9\n", "parity/ladder/"),
    Mutation("return self.absolute <= self.limit", "return True", "parity/ladder/"),
)  # fmt: skip


def main() -> int:
    """The number of bugs that no test has caught."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        ignored = shutil.ignore_patterns(".*", "runs", "data", "__pycache__")
        shutil.copytree(root, copy, ignore=ignored)
        shutil.copytree(root / "tests" / "data", copy / "tests" / "data", dirs_exist_ok=True)
        for number, mutation in enumerate(MUTATIONS, 1):
            caught = _is_caught(copy, mutation)
            print(f"{number:3d} {'caught' if caught else 'MISSED'}  {mutation.right.strip()[:80]}")
            missed += [] if caught else [mutation]
    print(f"{len(MUTATIONS) - len(missed)} of {len(MUTATIONS)} caught")
    return len(missed)


def _is_caught(copy: Path, mutation: Mutation) -> bool:
    """Whether a test fails with the bug; the copy is as it was afterwards.

    Raises:
        LookupError: the text does not occur just once.
    """
    files = [path for name in PACKAGES for path in (copy / name).rglob("*.py")]
    places = [(path, path.read_text(encoding="utf-8").count(mutation.right)) for path in files]
    found = [path for path, count in places for _ in range(count)]
    if len(found) != 1:
        raise LookupError(f"{mutation.right!r} occurs {len(found)} times; expected once")
    path, text = found[0], found[0].read_text(encoding="utf-8")
    path.write_text(text.replace(mutation.right, mutation.wrong), encoding="utf-8")
    tests = [
        str(test) for name in mutation.tests.split() for test in copy.glob(f"tests/{name}*.py")
    ]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not slow", *tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            check=False,
        )
    finally:
        path.write_text(text, encoding="utf-8")
    return done.returncode == 1


if __name__ == "__main__":
    sys.exit(main())
