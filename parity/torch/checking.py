"""The check before the first step for any module: it measures, `parity.watch.check` decides."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from parity.torch.behaviour import behaviour_of
from parity.torch.between import following
from parity.torch.drawing import drawing_of
from parity.torch.facts import (
    Facts,
    batch_of,
    facts_of,
    frozen_of,
    momentum_of,
    penalties_of,
    trainable,
)
from parity.torch.layouts import Array
from parity.torch.losses import Use, misread, noticed, swapped
from parity.torch.network import inputs
from parity.torch.rates import rate_of
from parity.torch.refusals import refused_by, refused_by_loss
from parity.torch.samples import Samples, samples_of
from parity.torch.state import unchanged
from parity.torch.trace import called, first_tensor
from parity.watch.check import Program, causes_of
from parity.watch.check.words import findings_of, say
from parity.watch.diagnosis import Finding

MOST = 500
"""Samples that the network is asked for."""


def check(
    model: nn.Module,
    x: Any,
    y: Any = None,
    *,
    loss: Callable[..., Any] | None = None,
    optimizer: Optimizer | None = None,
    validation: tuple[Any, Any] | None = None,
    test: tuple[Any, Any] | None = None,
) -> list[Finding]:
    """Look at a program before its first step, print what looks wrong, and give it back.

    Nothing is trained and nothing changes. What is left out is not looked at.

    Args:
        model: As it is about to be trained.
        x: Samples [N, ...], tensor or array, a tuple of several, or a ``DataLoader``.
        y: Targets, [N] or [N, C]; None for a ``DataLoader``.
        loss: From what the module gives and the targets to a scalar, as in the loop.
        optimizer: Of its weights.
        validation: Samples and targets that are held out.
        test: Likewise.

    Returns:
        Causes with their figures and the line to change, the surest first; none if all looks well.

    Raises:
        TypeError: as `parity.torch.samples.samples_of`.
    """
    samples = samples_of(x, y, MOST, "check", model)
    held = {"validation": validation, "test": test}
    others = {name: samples_of(*pair, MOST, "check", model) for name, pair in held.items() if pair}
    findings = _look(model, samples, others, loss, optimizer)
    say(findings)
    return findings


def _look(
    model: nn.Module,
    samples: Samples,
    others: dict[str, Samples],
    loss: Callable[..., Any] | None,
    optimizer: Optimizer | None,
) -> list[Finding]:
    try:
        facts = facts_of(model, samples.x)
        fed = {name: facts_of(model, other.x).fed for name, other in others.items()}
    except Exception as error:  # a model is anyone's code
        return [refused_by(model, error, samples)]
    use, refused = (None, None) if loss is None else _tried(model, loss, samples)
    program = program_of(
        model,
        optimizer,
        samples,
        facts,
        use,
        "" if use is None else following(facts.outputs, use.given),
        misread=use is not None and misread(facts.outputs, use),
        swapped=use is not None and swapped(facts.outputs, use),
        others={name: values for name, values in fed.items() if values is not None},
        other_inputs={n: s.inputs for n, s in others.items() if s.inputs is not None},
    )
    findings = findings_of(causes_of(program))
    if refused is not None and not findings:
        findings = [refused_by_loss(use, refused, facts.outputs, samples.y)]
    return findings


def program_of(
    model: nn.Module,
    optimizer: Optimizer | None,
    samples: Samples,
    facts: Facts,
    use: Use | None,
    between: str | None,
    **known: Any,
) -> Program:
    """What is known of a program.

    Args:
        model: Before its first step.
        optimizer: Of its weights; None where it is not known.
        samples: That it trains on.
        facts: Of the module, asked for these samples.
        use: The loss at work; None where it is not known.
        between: What is done to the module's answers before the loss gets them; None if not known.
        known: More of `Program`.
    """
    if between is None:
        use, between = use if known.get("swapped") else None, ""
    outputs, last = facts.before(use, between)
    behaviour = behaviour_of(model, samples.x, facts.outputs, optimizer)
    behaviour["course"] = behaviour["course"]._replace(**drawing_of(samples))
    data: dict[str, Any] = {
        "targets": samples.y if samples.targets is None else samples.targets,
        "whole": samples.targets is not None,
        "fair": samples.fair,
        "order": samples.order,
    } | behaviour
    return Program(
        "torch",
        facts.layers,
        facts.fed,
        outputs,
        inputs=samples.inputs,
        last=last,
        ends=facts.ends and not between,
        loss=None if use is None else use.described,
        shapes=None if use is None else use.shapes,
        optimizer="" if optimizer is None else type(optimizer).__name__,
        rate=rate_of(optimizer),
        trainable=trainable(model, optimizer),
        batch=samples.batch or batch_of(use),
        penalties=penalties_of(optimizer),
        summed=use is not None and use.settings.get("reduction") == "sum",
        momentum=momentum_of(optimizer),
        **(data | frozen_of(facts, optimizer) | known),
    )


def _tried(
    model: nn.Module, loss: Callable[..., Any], samples: Samples
) -> tuple[Use | None, Exception | None]:
    """The loss function that `loss` calls on what the module gives, and what it has refused."""
    uses: list[Use] = []
    with unchanged(model), torch.no_grad(), noticed(uses.append):
        given = called(model, inputs(model, samples.x))
        answers = first_tensor(given)
        try:
            loss(given, _as_given(samples.y, answers))
        except Exception as error:  # a loss is anyone's code
            return (uses[0] if uses else None), error
    return (uses[0] if uses else None), None


def _as_given(y: Array, answers: Tensor | None) -> Any:
    """Targets as a tensor in the network's floating point; texts as they are."""
    if y.dtype.kind not in "iufb":
        return y
    values = torch.from_numpy(np.array(y))
    if values.is_floating_point() and answers is not None and answers.is_floating_point():
        values = values.to(answers.dtype)
    return values if answers is None else values.to(answers.device)
