"""torch's compiler is imported once something is compiled, and is then what it always is."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

BEFORE = """
import sys
from lightning_mnist import late_compiler, lean_imports
late_compiler.install()
lean_imports.import_torchmetrics()
import torch
@torch.compiler.disable
def past(x):
    "Doubles."
    return x * 2
assert (past(3), past.__doc__) == (6, "Doubles.")
from lightning.fabric.wrappers import OptimizedModule, _unwrap_compiled
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
def train():
    optimizer.zero_grad()
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
train()
assert not isinstance(model, OptimizedModule)
def loaded():
    return "torch._dynamo.eval_frame" in sys.modules
assert not loaded() and "sympy" not in sys.modules
"""
"""Trains, and needs no compiler."""
AFTER = """
assert loaded()
import torch._dynamo, torch._dynamo.config as config
from torch._dynamo.eval_frame import OptimizedModule as Real
assert type(torch._dynamo) is type(sys) and torch._dynamo is sys.modules["torch._dynamo"]
assert torch._dynamo.config is config is sys.modules["torch._dynamo.config"]
assert config.__spec__.origin.endswith("config.py")
assert torch._dynamo.OptimizedModule is Real
assert not any("late_compiler" in type(finder).__module__ for finder in sys.meta_path)
from torch._dynamo.testing import CompileCounter
counter = CompileCounter()
around = torch.compile(lambda x: past(x + 1) + 1, backend=counter)
assert around(torch.ones(1)).item() == 5
assert counter.frame_count == 2 and counter.op_count == 2  # around what is past it
compiled = torch.compile(model, backend="eager")
compiled._compile_kwargs = {}
assert torch.equal(compiled(torch.ones(1, 2)), model(torch.ones(1, 2)))
assert isinstance(compiled, OptimizedModule) and not isinstance(model, OptimizedModule)
assert _unwrap_compiled(compiled)[0] is model
train()
"""
"""It is there, it is whole, nothing of it twice, and Lightning knows what it has compiled."""


def run(program: str) -> None:
    """Fails where the program does, in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr


WANTED = {
    "a name": "torch._dynamo.list_backends()",
    "names": "from torch._dynamo import explain, config",
    "a part": "import torch._dynamo.config",
    "a part's name": "from torch._dynamo.utils import counters",
    "a part of a part": "import torch._dynamo.backends.registry",
    "torch.compile": "torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1))",
    "torch.compiler": "torch.compiler.reset()",
    "a class that is passed over": "torch.compiler.disable(type('Class', (), {}))",
    "another library": "import torch._inductor",
}


@pytest.mark.slow
@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_whoever_wants_the_compiler_gets_it(wanted: str) -> None:
    run(f"{BEFORE}{wanted}{AFTER}")
