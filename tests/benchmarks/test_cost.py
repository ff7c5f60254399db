"""The model of what an epoch costs counts right, and finds the numbers of a machine."""

import pytest

from benchmarks.cost import MEASURED, NODE, Link, Machine, Step, epoch, left_out
from lightning_mnist.network import MLP, work_of_a_step


def test_weights_are_the_networks() -> None:
    network = MLP(784, [512, 64], 10)
    assert Step((512, 64), 7).weights == sum(p.numel() for p in network.parameters())


def test_operations_are_those_of_the_products() -> None:
    """Of a batch of 5: both layers forward and back to weights, the second to its inputs too."""
    first, second = 784 * 32, 32 * 10
    assert Step((32,), 5).operations == 2 * 5 * (2 * first + 3 * second)
    wide = Step((4096, 4096), 64)
    assert wide.operations == pytest.approx(work_of_a_step(MLP(784, [4096] * 2, 10), 64), rel=0.1)


def test_a_machine_is_found_by_its_steps() -> None:
    planted = Machine(operation=1.6e-11, byte=3e-11, step=5e-5)
    seconds = [planted.seconds(step) for step in MEASURED]
    found = Machine.fitted(MEASURED, seconds)
    assert found.operation == pytest.approx(planted.operation)
    assert found.byte == pytest.approx(planted.byte)
    assert found.step == pytest.approx(planted.step)
    assert left_out(MEASURED, seconds) == pytest.approx(seconds)


def test_a_step_is_predicted_from_the_others_alone() -> None:
    planted = Machine(operation=1.6e-11, byte=3e-11, step=5e-5)
    seconds = [planted.seconds(step) for step in MEASURED]
    right = seconds[3]
    seconds[3] *= 10
    assert left_out(MEASURED, seconds)[3] == pytest.approx(right)


def test_devices_share_a_batch_and_exchange_their_gradients() -> None:
    step, machine = Step((1024,), 512), Machine(1e-12, 1e-12, 1e-5)
    alone = epoch(machine, step, 5_120, NODE, 1)
    assert alone == pytest.approx(10 * machine.seconds(step))
    link = Link(byte=1e-9, message=1e-6)
    exchanged = 14 * (4 * step.weights / 8 * 1e-9 + 1e-6)
    shared = epoch(machine, step, 5_120, link, 8)
    assert shared == pytest.approx(10 * (machine.seconds(Step((1024,), 64)) + exchanged))
