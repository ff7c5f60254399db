"""Entry points of the ladder with one mistake each: the port, and what is wrong with it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from examples.own_pair import ByHand
from lightning_mnist.instruments.lockstep import LockStep
from lightning_mnist.optimizers import KerasAdamW, KerasSGD

Array = np.ndarray[Any, Any]
Table = dict[str, Array]


class Preprocessed(LockStep):
    """Changes the pixels."""

    change: Callable[[torch.Tensor], torch.Tensor]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        intended = self.model.preprocessing.forward
        self.model.preprocessing.forward = (  # type: ignore[method-assign]
            lambda images: self.change(intended(images))
        )


class ScaledTwice(Preprocessed):
    change = staticmethod(lambda pixels: pixels / 255)


class Inverted(Preprocessed):
    change = staticmethod(lambda pixels: 1 - pixels)


class Turned(Preprocessed):
    change = staticmethod(lambda pixels: pixels.view(-1, 28, 28).mT.flatten(1))


class RoundedToFloat32(Preprocessed):
    change = staticmethod(lambda pixels: pixels.float().double())


class OneLabelWrong(LockStep):
    def read(self, path: Any) -> Table:
        digits = super().read(path)
        digits["y_train"] = digits["y_train"].copy()
        digits["y_train"][7] = (digits["y_train"][7] + 1) % 10
        return digits


class Loaded(LockStep):
    """Changes the weights that it is given."""

    def set_weights(self, weights: Any) -> None:
        changed = {name: w.copy() for name, w in weights.items()}
        self.change(changed)
        super().set_weights(changed)

    def change(self, weights: Table) -> None:
        raise NotImplementedError


class Transposed(Loaded):
    def change(self, weights: Table) -> None:
        weights["dense_2.kernel"] = weights["dense_2.kernel"].T


class BiasOff(Loaded):
    def change(self, weights: Table) -> None:
        weights["dense_1.bias"][3] += 1e-6


class LayersSwapped(Loaded):
    def change(self, weights: Table) -> None:
        weights["dense_1.bias"], weights["dense_2.bias"] = (
            weights["dense_2.bias"],
            weights["dense_1.bias"],
        )


class WeightsInFloat32(Loaded):
    def change(self, weights: Table) -> None:
        for name, w in weights.items():
            weights[name] = w.astype(np.float32).astype(w.dtype)


class Rebuilt(LockStep):
    """Changes the network."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        for number, layer in enumerate(self.model.network):
            self.model.network[number] = self.change(layer)
        self.see(self.model.example_input_array)

    def change(self, layer: nn.Module) -> nn.Module:
        raise NotImplementedError


class NormEpsilon(Rebuilt):
    def change(self, layer: nn.Module) -> nn.Module:
        if isinstance(layer, nn.BatchNorm1d):
            layer.eps = 1e-5
        return layer


class NormMomentum(Rebuilt):
    def change(self, layer: nn.Module) -> nn.Module:
        if isinstance(layer, nn.BatchNorm1d):
            layer.momentum = 0.1
        return layer


class Leaky(Rebuilt):
    def change(self, layer: nn.Module) -> nn.Module:
        return nn.LeakyReLU(0.01) if isinstance(layer, nn.ReLU) else layer


class TanhGelu(Rebuilt):
    def change(self, layer: nn.Module) -> nn.Module:
        return nn.GELU("tanh") if isinstance(layer, nn.GELU) else layer


class Inserted(LockStep):
    """Has one more layer after each activation."""

    layer: type[nn.Module]

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        layers = []
        for layer in self.model.network:
            layers += [layer, self.layer(0.3)] if isinstance(layer, nn.ReLU) else [layer]
        self.network = self.model.network = nn.Sequential(*layers)  # type: ignore[assignment]
        self.see(self.model.example_input_array)


class DropoutInTraining(Inserted):
    layer = nn.Dropout


class AlwaysDropping(nn.Dropout):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return F.dropout(values, self.p, training=True)


class DropoutAlwaysOn(Inserted):
    layer = AlwaysDropping


class SoftmaxLinear(nn.Linear):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return super().forward(values).softmax(1)


class SoftmaxOutput(Rebuilt):
    def change(self, layer: nn.Module) -> nn.Module:
        if isinstance(layer, nn.Linear) and layer.out_features == 10:
            layer.__class__ = SoftmaxLinear
        return layer


class Trained(LockStep):
    """Changes the loss."""

    def _backward(self, images: Array, labels: Array) -> float:
        self.model.train()
        self.optimizer.zero_grad()
        logits = self.model(torch.from_numpy(np.array(images)))
        loss = self.loss(logits, torch.from_numpy(np.array(labels)).long())
        loss.backward()
        return loss.item()

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


class SummedLoss(Trained):
    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels, reduction="sum")


class SmoothedLabels(Trained):
    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=0.1)


class LabelsOffByOne(Trained):
    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits, (labels + 1) % 10)


class SoftmaxTwice(Trained):
    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits.softmax(1), labels)


class Differentiated(LockStep):
    """Changes the gradients."""

    def _backward(self, images: Array, labels: Array) -> float:
        loss = super()._backward(images, labels)
        self.change()
        return loss

    def change(self) -> None:
        raise NotImplementedError


class Clipped(Differentiated):
    def change(self) -> None:
        nn.utils.clip_grad_norm_(self.model.parameters(), 0.05)


class Penalised(Differentiated):
    def change(self) -> None:
        for tensor in self.model.network.parameters():
            assert tensor.grad is not None
            tensor.grad += 0.01 * tensor.detach()


class Frozen(Differentiated):
    def change(self) -> None:
        first: Any = self.model.network[0]
        first.weight.grad.zero_()


class Optimised(LockStep):
    """Changes the optimiser."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.optimizer = self.change(list(self.model.network.parameters()))

    def change(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        raise NotImplementedError


class TorchAdam(Optimised):
    def change(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=1e-3)


class NesterovOff(Optimised):
    def change(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        return KerasSGD(parameters, lr=0.01, momentum=0.9)


class DecayCoupled(Optimised):
    def change(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        optimizer = KerasAdamW(parameters, weight_decay=0.0)

        def decay(*_: Any) -> None:
            for p in parameters:
                assert p.grad is not None
                p.grad.add_(p.detach(), alpha=0.004)

        optimizer.register_step_pre_hook(decay)
        return optimizer


class EpsilonValue(LockStep):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.optimizer.param_groups[0]["epsilon"] = 1e-8


class LearningRate(LockStep):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.optimizer.param_groups[0]["lr"] *= 1.1


class Amsgrad(LockStep):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.optimizer.param_groups[0]["amsgrad"] = True


class ScheduleOffByOne(LockStep):
    """The other side keeps its learning rate; this one halves it from its third step on."""

    taken = 0

    def step(self, images: Array, labels: Array) -> float:
        self.taken += 1
        if self.taken == 3:
            self.optimizer.param_groups[0]["lr"] /= 2
        return super().step(images, labels)


class BatchesSwapped(LockStep):
    """Takes its seventh batch before its sixth; knows the order in which the ladder goes."""

    taken = 0

    def read(self, path: Any) -> Table:
        self.digits = super().read(path)
        self.order = np.random.default_rng(0).permutation(len(self.digits["y_train"]))
        return self.digits

    def step(self, images: Array, labels: Array) -> float:
        size = len(labels)
        number = {5: 6, 6: 5}.get(self.taken)
        self.taken += 1
        if number is None:
            return super().step(images, labels)
        ids = self.order[number * size : (number + 1) * size]
        return super().step(self.digits["x_train"][ids], self.digits["y_train"][ids])


class LastBatchDropped(LockStep):
    full = 0

    def step(self, images: Array, labels: Array) -> float:
        self.full = max(self.full, len(labels))
        if len(labels) < self.full:
            return self.gradients(images, labels)[0]
        return super().step(images, labels)


class InAHurry(ByHand):
    """Forgets to divide by the number of images."""

    def gradients(self, images: Array, labels: Array) -> tuple[float, Table]:
        loss, gradients = super().gradients(images, labels)
        size = len(labels)
        return loss * size, {name: gradient * size for name, gradient in gradients.items()}


def by_hand_in_a_hurry(flags: list[str], precision: str) -> InAHurry:
    return InAHurry(precision)
