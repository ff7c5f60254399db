"""Ranks, the processes of one training, end together: one that dies takes the others along.

Left alone they would wait for it for half an hour, or for ever. Who starts ranks watches them, and
they watch who started them. torchrun watches its own.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from rich.console import Console
from torch import distributed
from torch.distributed import DistError

from lightning_mnist.errors import InputError

LOOK = 0.5
"""Seconds between looks at the other processes."""
GRACE = 10.0
"""Seconds that a rank which cannot go on leaves to those who know why, and who end it."""
PARENT = "LIGHTNING_MNIST_PARENT"
"""Environment variable of a rank that another has started: the process id of that one."""


class RankLostError(RuntimeError):
    """Another rank no longer answers; the message is for people."""


class WatchingLauncher(_SubprocessScriptLauncher):
    """Starts ranks as Lightning does, ``python -m`` once more for each, and watches them.

    Lightning's own watch kills everybody without a word; and it sets the number of threads anew.
    """

    _ending = False
    _watching = False

    def launch(
        self,
        function: Callable[..., Any],
        *args: Any,
        trainer: Trainer | None = None,
        **kwargs: Any,
    ) -> Any:
        """Start the other ranks, unless they have been started, and call `function`.

        Raises:
            InputError: SLURM's tasks are not the trainer's devices.
            RankLostError: another rank no longer answers.
        """
        environment = self.cluster_environment
        try:
            environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        except ValueError as error:
            raise InputError(" ".join(str(error).split())) from error
        if not environment.creates_processes_externally:
            os.environ[PARENT] = str(os.getpid())
            self._call_children_scripts()
            atexit.register(self._outlive)
            self._watch(self._look_after_children)
        elif environment.local_rank() > 0 and PARENT in os.environ:
            self._watch(self._look_after_parent)
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            if _connection_lost(error):
                time.sleep(GRACE)  # a watch says who has died, and ends this process meanwhile
                raise RankLostError(
                    f"rank {environment.global_rank()} has lost the connection to another rank; "
                    "the run has ended; what the other rank printed says why"
                ) from error
            self._ending = True
            self.kill(signal.SIGKILL)
            raise

    def _watch(self, look: Callable[[], None]) -> None:
        """Call `look` now and then, whatever the main thread waits for."""

        def watch() -> None:
            while not self._ending:
                look()
                time.sleep(LOOK)

        if not self._watching:
            self._watching = True
            threading.Thread(target=watch, name="ranks", daemon=True).start()

    def _look_after_children(self) -> None:
        for number, child in enumerate(self.procs, 1):
            if child.poll() and not self._ending:
                self.kill(signal.SIGKILL)
                rank = self.cluster_environment.node_rank() * self.num_processes + number
                how = _how(child.poll() or 0)
                _end(f"rank {rank} {how}, and the others cannot go on; the run has ended")

    def _look_after_parent(self) -> None:
        if os.getppid() == int(os.environ[PARENT]):
            return
        if self.cluster_environment.local_rank() > 1:  # one of them says it
            os._exit(1)
        _end("the rank that had started the others has died; the run has ended")

    def _outlive(self) -> None:
        """See the children out, so that their parent's end before theirs means that it died."""
        deadline = time.monotonic() + GRACE
        for child in self.procs:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._ending = True
                child.kill()


class EndAtOnce(Callback):
    """SIGTERM ends a rank at once, and with it the run.

    Lightning would have the ranks tell each other about it, each between two steps of its own: the
    message meets another rank's gradients, and both wait.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Undo what Lightning has just set."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    on_validation_start = on_test_start = on_train_start


def watch_ranks(trainer: Trainer) -> None:
    """Have the ranks of a trainer, if it has several, end together."""
    launcher = trainer.strategy.launcher
    if not isinstance(launcher, _SubprocessScriptLauncher):
        return
    environment = launcher.cluster_environment
    trainer.strategy._launcher = WatchingLauncher(
        environment, launcher.num_processes, launcher.num_nodes
    )
    if not isinstance(environment, SLURMEnvironment):  # it has a use for signals
        trainer.callbacks.append(EndAtOnce())  # type: ignore[attr-defined]


def check_batch_norm(trainer: Trainer, batch_norm: bool | str) -> None:
    """Refuse what Lightning would do wrongly, or what torch cannot do.

    Raises:
        InputError: batch norm over all ranks that would not be Keras', or not on a GPU.
    """
    if not batch_norm or getattr(trainer.strategy, "_layer_sync", None) is None:
        return
    if batch_norm == "keras":
        raise InputError(
            "--trainer.sync_batchnorm true: would replace Keras' batch norm by torch's; "
            "choose false, or --model.batch_norm true"
        )
    if trainer.strategy.root_device.type == "cpu":
        raise InputError(
            "--trainer.sync_batchnorm true: torch computes it on GPUs only; choose false"
        )


def leave(code: int) -> int:
    """Return the exit code `code`; where ranks have spoken, end this process with it instead.

    Gloo's threads free their tensors when they get to it. If Python is being taken down by then,
    the process dies of SIGABRT: "terminate called without an active exception" (PyTorch's issue
    190489). So Python is not taken down; what is registered with `atexit` runs.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        return code
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def leave_it_to_the_first() -> None:
    """Let the first rank say what all have met; it ends this one, unless it has not met it."""
    time.sleep(GRACE)


def _connection_lost(error: BaseException) -> bool:
    """Whether a collective call has failed; Gloo raises no class of its own."""
    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error).lower()
    )


def _how(code: int) -> str:
    """What has become of a process with this exit code, as `subprocess` has it."""
    if code > 0:
        return f"has ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"


def _end(why: str) -> NoReturn:
    """Say why, and end this process, whatever its main thread waits for."""
    Console().show_cursor()  # a progress bar hides it
    sys.stdout.flush()
    print(f"\nerror: {why}", file=sys.stderr, flush=True)
    os._exit(1)
