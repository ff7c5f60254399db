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

from lightning_mnist.data import download, sources
from lightning_mnist.data.idx import MNIST_SHA256
from lightning_mnist.data.sources import RawDigits
from lightning_mnist.errors import InputError
from tests.lightning_mnist.training.test_sources import write_idx_folder


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
    for name in MNIST_SHA256:
        content = gzip.decompress((served / f"{name}.gz").read_bytes())
        monkeypatch.setitem(MNIST_SHA256, name, hashlib.sha256(content).hexdigest())
    handler = functools.partial(QuietHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(download, "MIRRORS", (f"http://127.0.0.1:{server.server_port}/",))
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


def test_what_is_downloaded_is_encrypted_on_its_way() -> None:
    assert all(mirror.startswith("https://") for mirror in download.MIRRORS)


@pytest.mark.slow
def test_the_real_files_have_these_checksums(mnist_root: Path) -> None:
    for name, sha256 in MNIST_SHA256.items():
        content = gzip.decompress((mnist_root / f"{name}.gz").read_bytes())
        assert hashlib.sha256(content).hexdigest() == sha256


@pytest.mark.parametrize("harm", ["cut", "another"])
def test_a_download_that_is_not_mnist_is_refused_and_leaves_nothing(
    harm: str, mirror: Path, tmp_path: Path
) -> None:
    labels = mirror / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[-1] ^= 1
    labels.write_bytes(labels.read_bytes()[:-5] if harm == "cut" else gzip.compress(content))
    root = tmp_path / "root"
    said = r"could not be downloaded \(http.*t10k-labels-idx1-ubyte.gz is not MNIST's"
    with pytest.raises(InputError, match=said):
        sources.prepare("mnist", root)
    assert sources.find_mnist(root) is None
    assert list((root / "MNIST" / "raw").iterdir()) == []


def test_where_one_mirror_fails_the_other_is_asked(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = download.MIRRORS[0]
    wrong = mirror / "wrong"
    wrong.mkdir()
    for path in mirror.glob("*.gz"):
        (wrong / path.name).write_bytes(b"moved")
    for first in (f"{sound}wrong/", f"{sound}nowhere/"):
        monkeypatch.setattr(download, "MIRRORS", (first, sound))
        monkeypatch.setattr(download, "_first_to_answer", lambda _, first=first: first)
        root = tmp_path / str(len(first))
        sources.prepare("mnist", root)
        assert sources.load("mnist", root).name == "mnist"


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
        monkeypatch.setattr(download, "MIRRORS", (address, address))
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
        released.wait(600)
        answered.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(download, "REACH_SECONDS", 0.2)
    with pytest.raises(InputError, match="no mirror can be reached"):
        download.download_mnist(tmp_path)
    assert not answered.is_set()
    released.set()
