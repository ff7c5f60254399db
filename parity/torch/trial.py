"""Trains copies of a module with remedies; the module, its optimiser and all randomness stay."""

import inspect
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.optim import Optimizer

from parity.torch.between import FOLLOWING
from parity.torch.intervention import Intervention, adjusted
from parity.torch.layouts import as_array
from parity.torch.losses import Use
from parity.torch.network import inputs, layers
from parity.torch.samples import taken as picked
from parity.torch.state import unchanged
from parity.torch.trace import first_tensor
from parity.watch.check import Change, Program, Remedy
from parity.watch.check.course import SMALL
from parity.watch.check.program import Task
from parity.watch.trials import AS_IT_IS, Material, middle, score

State = dict[str, Tensor]


def state_of(module: nn.Module) -> State:
    """Copies of parameters and buffers, from which trials start."""
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach().clone() for name, tensor in named}


class Trial:
    """See `parity.watch.trials.Trial`.

    Args:
        module: What is trained.
        initial: Its state before the first step.
        material: Samples for it.
        program: What is known of it.
        use: The loss at work, on a batch of the program; None where it is the program's own.
        between: What the program does to the module's answers before the loss gets them.
        optimizer: The program's.
        runs: Whether the program gets through a step as it is.
    """

    def __init__(
        self,
        module: nn.Module,
        initial: State,
        material: Material,
        program: Program,
        use: Use | None,
        between: str,
        optimizer: Optimizer | None,
        runs: bool,
    ) -> None:
        self.module, self.initial, self.material = module, initial, material
        self.program, self.use, self.between = program, use, between
        self.optimizer, self.runs = optimizer, runs
        self.task: Task = material.task
        weights = list(module.named_parameters())
        groups = [] if optimizer is None else optimizer.param_groups
        given = {id(weight) for group in groups for weight in group["params"]}
        learned = [n for n, w in weights if w.requires_grad and (not given or id(w) in given)]
        self.all = [name for name, _ in weights]
        self.learned = learned or self.all
        self.counts = (0, 0, 0)

    def run(self, remedy: Remedy, steps: int, seconds: float) -> tuple[float, int]:
        """Train with a remedy; gives the score on held-out samples and the steps taken.

        Raises:
            ValueError: the remedy cannot be applied to this network.
        """
        features, targets = self.material.features(remedy), self.material.targets(remedy)
        training = unchanged(self.module, training=True)
        with adjusted(self.module, remedy), training, torch.enable_grad():
            torch.manual_seed(0)
            state = self._start(remedy, features, targets)
            learned = [state[name] for name in self._learned(remedy)]
            optimizer = self._optimizer(remedy, learned)
            batches, end, taken = self.material.batches(remedy), time.monotonic() + seconds, 0
            every = 1 if Change.EACH in remedy else self.program.gathered
            while taken < steps and (taken < 2 or time.monotonic() < end):
                chosen = next(batches)
                if taken and self.program.redrawn and Change.KEPT not in remedy:
                    self._redraw(state, taken)
                if taken % every == 0 and (Change.ZEROED in remedy or not self.program.gathers):
                    optimizer.zero_grad()
                given = self._answers(remedy, state, picked(features, chosen))
                loss = self._loss(remedy, given, targets[chosen])
                if not torch.isfinite(loss):
                    taken = steps  # it can get no better
                    break
                (loss * self._scale(remedy) / every).backward()  # type: ignore[no-untyped-call]
                taken += 1
                if taken % every:
                    continue
                if self.program.clipped and Change.UNCLIPPED not in remedy:
                    nn.utils.clip_grad_norm_(learned, self.program.clipped)
                if Change.THAWED in remedy or self.program.trainable != 0:
                    optimizer.step()
            return self._score(remedy, state, features, targets), taken

    def _redraw(self, state: State, taken: int) -> None:
        """Begin again, as often as the program does."""
        if taken % self.program.redrawn == 0:
            with torch.no_grad():
                for name in self.all:
                    state[name].copy_(self.initial[name])

    def _learned(self, remedy: Remedy) -> list[str]:
        """Names of the weights that are trained."""
        frozen = self.program.stuck or self.program.undrawn
        return self.all if Change.THAWED in remedy and frozen else self.learned

    def _start(self, remedy: Remedy, features: Any, targets: Any) -> State:
        state = {name: tensor.clone() for name, tensor in self.initial.items()}
        if remedy.initial:
            for name in self.learned:
                if state[name].ndim > 1 and remedy.initial == "he":
                    nn.init.kaiming_normal_(state[name])
                elif state[name].ndim > 1:
                    nn.init.xavier_uniform_(state[name])
                elif name.endswith("bias"):
                    nn.init.zeros_(state[name])
        few = picked(features, np.arange(min(2, len(targets))))
        if not any(self.counts):
            counting = Intervention(AS_IT_IS)
            self._pass(counting, state, few)
            self.counts = counting.seen_activations, counting.seen_layers, counting.seen_tail
        if remedy.head in ("classes", "binary"):
            self._widen(remedy, state, few)
        for name in self._learned(remedy):
            state[name].requires_grad_()
        return state

    def _widen(self, remedy: Remedy, state: State, few: Any) -> None:
        """Give the last layer an output for each class, where it has another number."""
        classes = int(self.material.names(remedy).max()) + 1
        columns = self.program.columns
        if columns is None or columns == classes or (columns == 1 and classes == 2):
            return
        found = [part for part in layers(self.module, few).values() if part.kind == "dense"]
        name = found[-1].path + ".weight" if found else ""
        if name.lstrip(".") not in state:
            raise ValueError("the last layer is not known")
        name = name.lstrip(".")
        kernel = state[name]
        state[name] = nn.init.xavier_uniform_(kernel.new_empty(classes, kernel.shape[1]))
        if (bias := name.removesuffix("weight") + "bias") in state:
            state[bias] = kernel.new_zeros(classes)

    def _optimizer(self, remedy: Remedy, weights: list[Tensor]) -> Optimizer:
        own = self.optimizer
        if Change.ADAM in remedy or own is None:
            return torch.optim.Adam(weights, lr=remedy.rate or 0.001)
        known = inspect.signature(type(own)).parameters
        group = own.param_groups[0]
        settings = {name: group[name] for name in own.defaults if name in known and name in group}
        if "maximize" in settings:  # `_loss` goes up where the program does
            settings["maximize"] = False
        if Change.UNPENALISED in remedy:
            settings["weight_decay"] = 0.0
        if Change.DAMPED in remedy and "betas" in settings:
            settings["betas"] = (0.9, 0.999)
        elif Change.DAMPED in remedy:
            settings["momentum"] = 0.9
        settings["lr"] = float(group["lr"]) if remedy.rate is None else remedy.rate
        make: Callable[..., Optimizer] = type(own)
        return make(weights, **settings)

    def _pass(self, mode: Intervention, state: State, x: Any) -> Tensor:
        fed = inputs(self.module, x)
        args = fed if isinstance(fed, tuple | list) else () if isinstance(fed, dict) else (fed,)
        with mode:
            given = functional_call(
                self.module, state, tuple(args), fed if isinstance(fed, dict) else None
            )
        found = first_tensor(given)
        assert found is not None
        return found

    def _answers(self, remedy: Remedy, state: State, x: Any) -> Tensor:
        """What the loss is given."""
        layers = self.program.layers
        ends = not self.between and self.program.last not in ("", "linear")
        ends |= self.between == "log" and bool(layers) and layers[-1].kind == "activation"
        given = self._pass(Intervention(remedy, *self.counts, ends), state, x)
        return FOLLOWING[self.between](given) if self.between and not remedy.head else given

    def _loss(self, remedy: Remedy, given: Tensor, y: Any) -> Tensor:
        """That of the remedy's head, or the program's own."""
        targets = torch.from_numpy(np.array(y)).to(given.device)
        if not remedy.head:
            uphill = self.program.ascends and Change.DESCENDS not in remedy
            return self._own_loss(given, targets) * (-1 if uphill else 1)
        if remedy.head == "classes" or (remedy.head == "binary" and given.shape[-1] > 1):
            names = targets.argmax(1) if targets.ndim == 2 and targets.shape[1] > 1 else targets
            return F.cross_entropy(given, names.reshape(-1).long())
        targets = targets.to(given.dtype).reshape(given.shape)
        loss = F.mse_loss if remedy.head == "values" else F.binary_cross_entropy_with_logits
        return loss(given, targets)

    def _scale(self, remedy: Remedy) -> float:
        """What the program makes of its loss, where that is next to nothing, or far too much."""
        course, unscaled = self.program.course, Change.UNSCALED in remedy or remedy.head
        own = abs(course.factor) * self.program.gathered
        return 1.0 if unscaled or SMALL <= own <= (1 / SMALL if course.kept else own) else own

    def _own_loss(self, given: Tensor, targets: Tensor) -> Tensor:
        assert self.use is not None
        wanted, count = self.use.given.shape, len(given)
        if given.ndim == 3 and given.shape[1:] == (wanted[-1], *wanted[1:2]):
            given = given.transpose(1, 2)
        elif given[0].numel() == wanted[1:].numel():
            given = given.reshape(count, *wanted[1:])
        asked = self.use.targets
        if targets[0].numel() == asked.shape[1:].numel():
            targets = targets.reshape(count, *asked.shape[1:])
        elif asked.ndim == 2 and targets.numel() == count:
            targets = F.one_hot(targets.reshape(-1).long(), asked.shape[1])
        elif asked.ndim == 1 and targets.ndim == 2:
            targets = targets.argmax(1)
        return self.use.of(given, targets.to(asked.dtype))

    def _score(self, remedy: Remedy, state: State, features: Any, targets: Any) -> float:
        held = self.material.held
        with unchanged(self.module), torch.no_grad():
            given = as_array(self._answers(remedy, state, picked(features, held)).float())
        told = self.task in ("classes", "binary")
        wanted = self.material.names(remedy)[held] if told else targets[held]
        return score(self.task, given, wanted, middle(self.program, remedy))
