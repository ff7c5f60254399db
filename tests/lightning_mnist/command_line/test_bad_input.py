"""Bad input at the command line: one sentence, an exit code, and nothing left behind."""

import re
from pathlib import Path

import pytest

from tests.conftest import Here


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (("nope",), 2, "unknown command 'nope'; expected one of fit, validate, test, predict"),
        (("fit", "--nope", "1"), 2, "unrecognized arguments: --nope 1"),
        (("fit", "--trainer.nope", "1"), 2, "unrecognized arguments: --trainer.nope 1"),
        (("fit", "--model.activation", "wavy"), 2, "model.activation.*Given value: wavy"),
        (("fit", "--model.hidden", "8"), 2, "model.hidden.*Got value: 8"),
        (("fit", "--model.hidden", "[0]"), 1, r"hidden widths are \[0\]; expected each at least 1"),
        (("fit", "--model.dropout", "1.5"), 1, "dropout is 1.5; expected a probability"),
        (("fit", "--optimizer", "Nope"), 2, "optimizer.*Nope"),
        (("fit", "--optimizer.lr", "-1"), 1, "Invalid learning rate: -1"),
        (("fit", "--data.source", "cifar"), 1, "cifar: no such file or data set"),
        (("fit", "--data.source", "gone.npz"), 1, "gone.npz: no such file"),
        (("fit", "--data.batch_size", "0"), 1, "--data.batch_size is 0; expected at least 1"),
        (("fit", "--data.val_size", "5"), 1, "--data.val_size: cannot keep 5"),
        (("fit", "--trainer.max_epochs", "-7"), 1, "max_epochs. must be .* You passed in -7"),
        (("fit", "--trainer.accelerator", "tpu"), 1, "torch_xla"),
        (("fit", "-c", "gone.yaml"), 2, "File does not exist: .*gone.yaml"),
        (("fit", "--run_dir", "/dev/null/run"), 1, "--run_dir /dev/null/run: cannot be written"),
        (("fit", "--ckpt_path", "gone.ckpt"), 1, "--ckpt_path gone.ckpt: no such file"),
        (("test",), 2, "test needs --ckpt_path FILE.ckpt"),
        (("validate",), 2, "validate needs --ckpt_path"),
        (("predict", "--images", "a.png"), 2, "predict needs --ckpt_path"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_gets_one_sentence(
    flags: tuple[str, ...], code: int, said: str, here: Here, tmp_path: Path
) -> None:
    if flags[0] == "fit" and "--data.source" not in flags:
        flags += ("--data.source", "digits")
    done = here(*flags)
    assert done.code == code
    (sentence,) = (line for line in done.err.splitlines() if line.startswith("error: "))
    assert len(sentence) < 600
    assert re.search(said, sentence)
    assert "Traceback" not in done.err + done.out
    assert list(tmp_path.iterdir()) == []  # nothing was left behind


def test_batch_norm_of_one_image_is_refused_in_one_sentence(here: Here, tiny_npz: Path) -> None:
    done = here("fit", "--data.source", tiny_npz, "--data.batch_size", 366)
    assert done.code == 1
    assert "error: the last of an epoch's batches would hold one image" in done.err
