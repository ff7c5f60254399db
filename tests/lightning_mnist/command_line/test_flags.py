"""Flags that mean something else here: chosen classes, fused optimisers, clipping."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonargparse import Namespace
from torch.optim import Optimizer

from lightning_mnist import optimizers
from lightning_mnist.command_line.command import BuiltCLI, open_cli
from lightning_mnist.command_line.parser import own_defaults
from lightning_mnist.errors import InputError
from tests.conftest import ROOT

Build = Callable[..., BuiltCLI]
Parse = Callable[..., Namespace]


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Build:
    """What ``fit`` would run with these flags, built."""
    monkeypatch.setattr(sys, "argv", ["lightning_mnist"])

    def of(*flags: object) -> BuiltCLI:
        cli = open_cli(BuiltCLI, ["fit", "--model.hidden", "[8]", *map(str, flags)])
        assert isinstance(cli, BuiltCLI)
        return cli

    return of


@pytest.fixture(scope="module")
def parsed() -> Parse:
    """What ``fit`` is told by these flags, all defaults resolved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["lightning_mnist"])
        parser = open_cli(BuiltCLI, ["fit", "--model.hidden", "[8]"]).parser
    return lambda *flags: parser.parse_args(["fit", *map(str, flags)]).fit


def optimizer_of(cli: BuiltCLI) -> Optimizer:
    chosen: Any = cli.model.configure_optimizers()
    return chosen[0][0]  # type: ignore[no-any-return]


def named(choice: Any) -> tuple[str, float]:
    """The class of an optimiser, and its learning rate."""
    return choice.class_path.rpartition(".")[2], choice.init_args.lr


@pytest.mark.parametrize(
    ("flags", "kind", "expected"),
    [
        ((), "Adam", 0.002),
        (("--optimizer.lr", 0.1), "Adam", 0.1),
        (("--optimizer", "Adam"), "Adam", 0.001),
        (("--optimizer", "SGD"), "SGD", 0.001),
        (("--optimizer=torch.optim.RMSprop",), "RMSprop", 0.01),
        (("--optimizer.class_path", "Adadelta"), "Adadelta", 1.0),
        (("--optimizer", "KerasSGD"), "KerasSGD", 0.01),
        (("--optimizer", "SGD", "--optimizer", "KerasAdagrad"), "KerasAdagrad", 0.001),
        (("--optimizer", "SGD", "--optimizer.lr", 0.1), "SGD", 0.1),
        (("--optimizer.lr=0.1", "--optimizer", "SGD"), "SGD", 0.1),
        (("--optimizer", "null", "--optimizer", "SGD"), "SGD", 0.001),
        (("-c", ROOT / "configs" / "augmented.yaml", "--optimizer", "KerasSGD"), "KerasSGD", 0.01),
        (("-c", ROOT / "configs" / "keras_match.yaml", "--optimizer.lr", 0.3), "KerasAdam", 0.3),
    ],
    ids=str,
)
def test_a_named_optimiser_starts_from_its_own_defaults(
    flags: tuple[object, ...], kind: str, expected: float, parsed: Parse
) -> None:
    assert named(parsed(*flags).optimizer) == (kind, expected)


@pytest.mark.parametrize(
    ("optimizer", "kind", "expected"),
    [
        ({"class_path": "SGD"}, "SGD", 0.001),
        ("SGD", "SGD", 0.001),
        ({"class_path": "SGD", "init_args": {"lr": 0.3}}, "SGD", 0.3),
        ({"init_args": {"lr": 0.3}}, "Adam", 0.3),
    ],
    ids=str,
)
def test_so_does_one_that_a_recipe_names(
    optimizer: object, kind: str, expected: float, parsed: Parse, tmp_path: Path
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"optimizer": optimizer}))
    for earlier in ((), ("-c", ROOT / "configs" / "default.yaml")):
        assert named(parsed(*earlier, f"--config={path}").optimizer) == (kind, expected)
    inline = yaml.safe_dump({"model": {"hidden": [8] * 200}, "optimizer": optimizer})
    assert named(parsed("-c", inline).optimizer) == (kind, expected)


@pytest.mark.parametrize("recipe", ["missing.yaml", "[", "a: b: c"])
def test_a_recipe_that_cannot_be_read_is_refused_by_the_parser(
    recipe: str, parsed: Parse, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed("-c", recipe)
    assert capsys.readouterr().err.startswith("error: ")


def test_a_setting_that_both_have_is_not_taken_over(parsed: Parse) -> None:
    """AdamW decays weights by 0.01, and Adam by nothing."""
    adam = ("--optimizer", "Adam", "--optimizer.weight_decay", 0)
    adamw = parsed(*adam, "-c", ROOT / "configs" / "augmented.yaml", "--optimizer", "AdamW")
    assert adamw.optimizer.init_args.weight_decay == 0.01
    assert adamw.optimizer.init_args.eps == 1e-8


def test_every_optimiser_of_ours_starts_from_its_own_rate(parsed: Parse) -> None:
    for name in optimizers.__all__:
        own = inspect.signature(getattr(optimizers, name)).parameters["lr"].default
        assert named(parsed("--optimizer", name).optimizer) == (name, own)


def test_a_named_schedule_starts_from_its_own_defaults(parsed: Parse) -> None:
    schedule = parsed("--lr_scheduler.step_size", 2, "--lr_scheduler", "StepLR").lr_scheduler
    assert (schedule.init_args.step_size, schedule.init_args.gamma) == (2, 0.1)
    assert parsed("--lr_scheduler.gamma", 0.5).lr_scheduler.init_args.gamma == 0.5


def test_other_flags_are_passed_on_in_their_order() -> None:
    flags = ["fit", "--trainer.callbacks", "A", "--trainer.callbacks.b", "1", "-c", "none.yaml"]
    assert own_defaults(flags) == flags
    assert own_defaults([]) == []
    assert own_defaults(["fit", "--optimizer"]) == ["fit", "--optimizer", "null", "--optimizer"]


@pytest.mark.parametrize(
    ("flags", "fused"),
    [
        ((), True),
        (("--optimizer", "AdamW"), True),
        (("--optimizer", "SGD", "--optimizer.lr", 0.1), True),
        (("--optimizer.fused", "false"), False),
        (("--optimizer.foreach", "true"), None),
    ],
    ids=str,
)
def test_optimisers_are_fused_unless_the_user_has_chosen(
    flags: tuple[object, ...], fused: bool | None, build: Build
) -> None:
    cli = build(*flags)
    assert optimizer_of(cli).param_groups[0]["fused"] is fused
    assert cli.config.fit.optimizer.init_args.fused is fused  # what the record will say


def test_optimisers_that_cannot_be_fused_are_left_alone(build: Build) -> None:
    assert "fused" not in optimizer_of(build("--optimizer", "KerasAdam")).param_groups[0]
    assert type(optimizer_of(build("--optimizer", "RMSprop"))).__name__ == "RMSprop"


def test_scaled_gradients_are_clipped_unfused_or_not_at_all(build: Build) -> None:
    flags = ("--trainer.precision", "16-mixed", "--trainer.gradient_clip_val", 1)
    with pytest.raises(InputError, match="fused true: cannot clip the gradients of a scaled loss"):
        build(*flags, "--optimizer.fused", "true")
