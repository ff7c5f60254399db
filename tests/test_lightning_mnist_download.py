"""Downloads, against a local server: real requests, whole files or none, and quick refusals."""

import functools
import gzip
import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from torchvision.datasets import MNIST

from lightning_mnist import download, sources
from lightning_mnist.errors import InputError
from lightning_mnist.sources import MNIST_MD5, RawDigits
from tests.test_lightning_mnist_sources import write_idx_folder


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def mirror(
    tiny_digits: RawDigits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The folder that a local mirror of a tiny MNIST serves."""
    served = tmp_path / "served"
    write_idx_folder(tiny_digits, served, zipped=True)
    resources = []
    for name in MNIST_MD5:
        zipped = (served / f"{name}.gz").read_bytes()
        resources.append((f"{name}.gz", hashlib.md5(zipped).hexdigest()))  # noqa: S324
        plain = hashlib.md5(gzip.decompress(zipped)).hexdigest()  # noqa: S324
        monkeypatch.setitem(MNIST_MD5, name, plain)
    handler = functools.partial(QuietHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        monkeypatch.setattr(MNIST, "resources", resources)
        yield served
        server.shutdown()


@pytest.mark.parametrize("source", ["mnist", "auto"])
def test_mnist_is_downloaded_once(
    source: str, mirror: Path, tmp_path: Path, tiny_digits: RawDigits
) -> None:
    root = tmp_path / "root"
    sources.prepare(source, root)
    loaded = sources.load(source, root)
    assert loaded.name == "mnist"
    assert loaded.sha256 == tiny_digits.sha256
    assert sorted(path.name for path in root.iterdir()) == ["MNIST"]
    for path in mirror.iterdir():
        path.unlink()
    sources.prepare(source, root)  # needs the mirror no more


def test_a_download_that_is_not_mnist_is_refused_and_leaves_nothing(
    mirror: Path, tmp_path: Path
) -> None:
    images = mirror / "train-images-idx3-ubyte.gz"
    images.write_bytes(images.read_bytes()[:-5])
    root = tmp_path / "root"
    with pytest.raises(InputError, match=r"could not be downloaded \(Error downloading train"):
        sources.prepare("mnist", root)
    assert sources.find_mnist(root) is None


def test_auto_goes_on_without_mnist_and_says_so(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in mirror.iterdir():
        path.unlink()
    sources.prepare("auto", tmp_path)
    said = capsys.readouterr().err
    assert "NOT MNIST" in said
    assert "no mirror can be reached" in said
    assert "scikit-learn's 1,797 handwritten digits" in said


@pytest.fixture
def silent_mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mirror that takes the connection and then says nothing, as some firewalls do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        monkeypatch.setattr(MNIST, "mirrors", [address, address])
        yield address


@pytest.mark.usefixtures("silent_mirror")
def test_a_silent_network_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert download.REACH_SECONDS <= 10  # of the 30 seconds that a user may be kept waiting
    monkeypatch.setattr(download, "REACH_SECONDS", 0.2)
    with pytest.raises(InputError, match="no mirror can be reached; put the four IDX files"):
        download.download_mnist(tmp_path)


def test_a_name_server_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, answered = threading.Event(), threading.Event()

    def look_up(*_: object, **__: object) -> list[object]:
        released.wait(60)
        answered.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(download, "REACH_SECONDS", 0.2)
    with pytest.raises(InputError, match="no mirror can be reached"):
        download.download_mnist(tmp_path)
    assert not answered.is_set()
    released.set()
