"""What a command line comes to: LightningCLI, with a run directory and our tables."""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser
from rich.console import Console
from torchmetrics import MetricCollection

from lightning_mnist.calibration import Calibration, Calibrator
from lightning_mnist.callbacks import RunRecorder
from lightning_mnist.checkpoint import WholeCheckpointIO, read_checkpoint, split_of
from lightning_mnist.command_line.flags import as_list, fuse_optimizer, step_callbacks, tensorboard
from lightning_mnist.command_line.own_flags import AskedCLI, add_recipe, learning_callbacks
from lightning_mnist.data.datamodule import DigitsDataModule
from lightning_mnist.divergence import WatchForNaN
from lightning_mnist.errors import InputError
from lightning_mnist.guard import CollapseGuard
from lightning_mnist.module import DigitClassifier
from lightning_mnist.network import described, work_of_a_step
from lightning_mnist.optimization import configured
from lightning_mnist.ranks import watch_ranks
from lightning_mnist.resuming import run_folder
from lightning_mnist.resuming.kept import Ending, kept_checkpoints
from lightning_mnist.resuming.named import find_named
from lightning_mnist.resuming.resumable import check_resumable, restoring
from lightning_mnist.resuming.resume import compare
from lightning_mnist.scores import Scores
from lightning_mnist.threads import chosen_threads
from lightning_mnist.views import chosen, report_views
from parity.claims import Claim
from parity.watch.symptoms import Symptoms


class DigitsCLI(AskedCLI):
    """``fit``, ``validate``, ``test`` and ``predict`` for a `DigitClassifier`."""

    model: DigitClassifier
    datamodule: DigitsDataModule
    exit_code = 0
    run_dir: Path | None = None
    checkpoint: dict[str, Any] | None = None
    data_so_far: dict[str, Any] | None = None

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The commands, and the arguments of the trainer's methods that are not flags."""
        return {
            "fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule", "weights_only"},
            "validate": {"model", "dataloaders", "datamodule", "weights_only", "verbose"},
            "test": {"model", "dataloaders", "datamodule", "weights_only", "verbose"},
            "predict": {
                "model", "dataloaders", "datamodule", "weights_only", "return_predictions",
            },
        }  # fmt: skip

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """One seed for everything, and the default recipe's optimiser and schedule."""
        add_recipe(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Check the checkpoint, and take its split: others may hold images that it has learned."""
        super().parse_arguments(parser, args)
        command = self.config.subcommand
        config = self.config[command]
        if config.ckpt_path is None:
            if command != "fit":
                parser.error(f"{command} needs --ckpt_path FILE.ckpt, a checkpoint written by fit")
            return
        if command == "predict" and not config.images:
            parser.error("predict needs --images FILE..., pictures of one digit each")
        find_named(config)
        self.checkpoint = read_checkpoint(Path(config.ckpt_path))
        if command != "fit" and (split := split_of(self.checkpoint, config.ckpt_path)):
            config.seed_everything, config.data.val_size = split

    def _parse_ckpt_path(self) -> None:
        """The model is the checkpoint's; `fit` compares instead, so that no flag goes unheard."""
        if self.config.subcommand != "fit":
            super()._parse_ckpt_path()

    def before_instantiate_classes(self) -> None:
        """Choose the run directory; refuse one that holds another run, and another recipe."""
        if self.subcommand not in ("fit", "test"):
            return
        config = self.config[self.subcommand]
        if self.subcommand == "fit":
            fuse_optimizer(config)
        chosen(config.views)  # a wrong name is said before anything is done
        self.run_dir = run_folder.choose(config, self.subcommand)
        recipe = config.clone()
        # The recipe says what to run; where it ran, and from where it went on, is not a part.
        for key in ("run_dir", "ckpt_path", "config", "resume"):
            recipe.pop(key, None)
        parser = self._parser(self.subcommand)
        self.recipe = parser.dump(recipe, skip_check=True, skip_none=False)
        if self.subcommand == "fit" and (config.resume or config.ckpt_path):
            usual = parser.dump(parser.get_defaults(), skip_check=True, skip_none=False)
            self.data_so_far = compare(self.checkpoint, config, self.recipe, usual)

    def instantiate_classes(self) -> None:
        """Build model, data, optimiser and trainer; what they refuse is the user's input."""
        try:
            super().instantiate_classes()
            self._configure_optimizers()
        except InputError:
            raise
        except (ValueError, TypeError, ImportError, MisconfigurationException) as error:
            raise InputError(" ".join(str(error).split())) from error
        self._choose_threads()

    def _run_subcommand(self, subcommand: str) -> None:
        """Moments of idle weights decay into denormals, which take a hundred times as long."""
        torch.set_flush_denormal(True)
        path = self.config[subcommand].ckpt_path
        claim = self.recorder.claim if self.run_dir else None
        try:
            with run_folder.filling(claim, subcommand), restoring(self.trainer, path):
                super()._run_subcommand(subcommand)
        finally:
            torch.set_flush_denormal(False)

    def _configure_optimizers(self) -> None:
        """Lightning's own gives an optimiser all parameters as one group."""
        config = self.config_init[self.subcommand]
        if config.optimizer:
            self.model.configure_optimizers = configured(  # type: ignore[method-assign]
                self.model,
                config.optimizer,
                config.lr_scheduler,
                config.get("weight_decay_on", "all"),
            )

    def _choose_threads(self) -> None:
        ranks = self.trainer.num_devices * self.trainer.num_nodes
        work = work_of_a_step(self.model.network, self.datamodule.batch_size / ranks)
        asked = self.config[self.subcommand].threads
        if threads := chosen_threads(asked, work, self.trainer.num_devices):
            torch.set_num_threads(threads)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Add what every run has: whole checkpoints and, where it leaves files, the recorder."""
        config = self.config_init[self.subcommand].trainer
        kwargs["plugins"] = [*as_list(config.plugins), WholeCheckpointIO()]
        callbacks = as_list(config.callbacks) + step_callbacks(config)
        callbacks += learning_callbacks(self.config[self.subcommand])
        kwargs["gradient_clip_val"] = None  # one of those does it
        if self.run_dir is not None:
            kwargs["default_root_dir"] = str(self.run_dir)
            callbacks += self._callbacks(self.run_dir)
        kwargs["callbacks"] = callbacks
        if config.logger is None:
            kwargs["logger"] = self.subcommand == "fit" and tensorboard(self.run_dir)
        trainer = super().instantiate_trainer(**kwargs)
        watch_ranks(trainer)
        return trainer

    def _callbacks(self, run_dir: Path) -> list[Callback]:
        config = self.config[self.subcommand]
        self.recorder = RunRecorder(
            Claim(run_dir), self.recipe, config.seed_everything, self.data_so_far
        )
        callbacks: list[Callback] = [self.recorder]
        if self.subcommand == "fit":
            callbacks += [Calibrator(), Ending(self.recipe)]
        if self.subcommand == "test":
            trained = Symptoms.beside(Path(config.ckpt_path))
            callbacks.append(CollapseGuard(run_dir, trained=trained))
        else:
            guard = [] if config.guard == "off" else [CollapseGuard(run_dir, config.guard)]
            self.nan = WatchForNaN(config.guard, guard[0].look if guard else None)
            callbacks += [self.nan, *guard]
        if self.subcommand == "fit" and config.trainer.enable_checkpointing is not False:
            callbacks += kept_checkpoints(run_dir, config.keep)
        return callbacks

    def after_instantiate_classes(self) -> None:
        """Load the weights, except where `fit` goes on from a checkpoint: Lightning does that."""
        if self.checkpoint is None:
            return
        if self.subcommand != "fit":
            self.model.load_state_dict(self.checkpoint["state_dict"])
        elif self.config.fit.optimizer:
            path = self.config.fit.ckpt_path
            check_resumable(path, self.checkpoint, self.model, self.trainer)

    def before_fit(self) -> None:
        """Say what is trained."""
        if self.trainer.is_global_zero:
            print(f"network: {described(self.model.network)}", flush=True)

    def after_fit(self) -> None:
        """Test the best checkpoint, or, where none was kept, the network as it is."""
        best = getattr(self.trainer.checkpoint_callback, "best_model_path", None)
        if best:
            # Not through ckpt_path: that would also take the recorder back to the best epoch.
            self.model.load_state_dict(read_checkpoint(Path(best))["state_dict"])
        self.test(self.model, self.datamodule, best)
        self.after_test()
        self.exit_code = int(self.nan.seen is not None)

    def test(
        self, model: DigitClassifier, datamodule: DigitsDataModule, ckpt_path: str | None
    ) -> None:
        """Test the loaded weights, without Lightning's own table."""
        self.trainer.test(model, datamodule=datamodule, verbose=False)

    def validate(
        self, model: DigitClassifier, datamodule: DigitsDataModule, ckpt_path: str
    ) -> None:
        """Validate the loaded weights, without Lightning's own table."""
        self.trainer.validate(model, datamodule=datamodule, verbose=False)

    def predict(self, model: DigitClassifier, datamodule: DigitsDataModule, ckpt_path: str) -> None:
        """Read the user's own pictures."""
        config = self.config.predict
        if self.trainer.num_devices * self.trainer.num_nodes > 1:
            raise InputError("predict reads pictures on one device; choose --trainer.devices 1")
        from lightning_mnist.predict_files import predict_files  # OpenCV is not for training

        files = (config.images, config.output, config.preview)
        calibration = Calibration.of(self.checkpoint or {})
        self.exit_code = predict_files(self.trainer, model, calibration, *files)

    def after_test(self) -> None:
        """Show what was right and where the files are."""
        self._show(self.model.test_scores, "test part")
        if self.trainer.is_global_zero:
            assert self.run_dir is not None
            names = chosen(self.config[self.subcommand].views)
            scores = report_views(self.model, self.datamodule, names, self.run_dir)
            self.recorder.finish(self.model, scores)
            print(f"run directory: {self.run_dir}")

    def after_validate(self) -> None:
        """Show what was right."""
        self._show(self.model.val_scores, "validation part")

    def _show(self, metrics: MetricCollection, part: str) -> None:
        scores = Scores.of(metrics)
        if self.trainer.is_global_zero:
            scores.show(f"{part} of {self.datamodule.description['name']}", Console())
