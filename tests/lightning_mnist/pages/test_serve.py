"""The server: it reads what `predict` reads, and outlives whoever means no good."""

import gc
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest
import torch
from PIL import Image, ImageDraw

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from lightning_mnist.calibration import Calibration
from lightning_mnist.checkpoint import WholeCheckpointIO
from lightning_mnist.errors import InputError
from lightning_mnist.module import DigitClassifier
from lightning_mnist.own_images import Picture, read_picture
from lightning_mnist.reading import UNCALIBRATED, pixels_of, readings_of
from lightning_mnist.serve import door, patience, reader, uploads
from lightning_mnist.serve.app import _rows, app_of
from lightning_mnist.serve.door import is_ours
from lightning_mnist.serve.reader import look
from lightning_mnist.serve.server import listen, server_of
from lightning_mnist.serve.uploads import Upload
from lightning_mnist.trained import Deployed, Trained
from tests.conftest import Here
from tests.support.hostile_requests import REQUESTS, Hostile, file_part, form, png

PAGE = "<!doctype html><title>the page</title>"


@pytest.fixture(scope="module")
def model() -> Trained:
    torch.manual_seed(0)
    module = DigitClassifier(hidden=[16])
    deployed = Deployed(module.preprocessing, module.network).eval().requires_grad_(False)
    return Trained(Path("best.ckpt"), deployed, Calibration(1.5, 3.0), {}, {}, 0, None)


@pytest.fixture(scope="module")
def port(model: Trained) -> Iterator[int]:
    """Of a server in a thread of this process; however slow the machine, it waits for us."""
    with pytest.MonkeyPatch.context() as patch, listen("127.0.0.1", 0) as listening:
        for module in (reader, patience, uploads):
            patch.setattr(module, "SECONDS", 120.0)
        server = server_of(app_of(model, PAGE, "127.0.0.1", processes=1))
        thread = threading.Thread(target=server.run, args=([listening],))
        number: int = listening.getsockname()[1]
        thread.start()
        try:
            yield number
        finally:
            server.should_exit = True
            thread.join(120)


def test_objects_of_before_are_not_looked_through_while_it_serves(port: int) -> None:
    """With torch there are hundreds of thousands: everybody would wait for that."""
    assert gc.get_freeze_count() > 10 * len(gc.get_objects())


def picture(kind: str = "PNG", x: int = 60) -> bytes:
    """A seven."""
    sheet = Image.new("L", (140, 140), 255)
    ImageDraw.Draw(sheet).line([(x - 30, 30), (x + 40, 30), (x, 110)], fill=0, width=9)
    file = BytesIO()
    sheet.save(file, kind)
    return file.getvalue()


def ask(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], Any]:
    """Status, headers, and the body, decoded where it is JSON."""
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        said = {name.lower(): value for name, value in answer.getheaders()}
        is_json = said.get("content-type") == "application/json"
        return answer.status, said, json.loads(content) if is_json else content.decode()
    finally:
        connection.close()


def post_form(port: int, *files: tuple[str, bytes]) -> tuple[int, Any]:
    body = form(*(file_part(name.encode(), content) for name, content in files))
    head, _, content = body.partition(b"\r\n\r\n")
    assert b"boundary=b" in head
    kind = "multipart/form-data; boundary=b"
    status, _, said = ask(port, "POST", "/predict", content, Content_Type=kind)
    return status, said


def expected(model: Trained, path: Path) -> dict[str, Any]:
    """What `predict` says of a file."""
    found = [read_picture(path)]
    assert model.calibration is not None
    logits = model.logits(pixels_of(found))
    return readings_of([path.name], found, logits, model.calibration)[0].row()


def assert_alike(row: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert row.keys() == wanted.keys()
    for key, value in wanted.items():
        assert row[key] == (pytest.approx(value, abs=1e-6) if key[0] in "cp" else value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_read_as_predict_reads_it(
    kind: str, port: int, model: Trained, tmp_path: Path
) -> None:
    path = tmp_path / "picture"
    path.write_bytes(picture(kind))
    status, _, rows = ask(port, "POST", "/predict", path.read_bytes(), Content_Type="image/png")
    assert status == 200
    (row,) = rows
    assert_alike(row, expected(model, path))


def test_a_form_of_pictures_is_read_in_its_order(port: int, model: Trained, tmp_path: Path) -> None:
    sent = [(f"{place}.png", picture(x=50 + 5 * place)) for place in range(5)]
    sent.insert(2, ("ill.png", b"no picture"))
    sent.append(("0.png", picture(x=90)))
    status, rows = post_form(port, *sent)
    assert status == 200
    assert [row["file"] for row in rows] == [name for name, _ in sent]
    assert rows[2] == {"file": "ill.png", "error": "no picture of a kind that is known"}
    for (name, content), row in zip(sent, rows, strict=True):
        if name != "ill.png":
            (tmp_path / name).write_bytes(content)
            assert_alike(row, expected(model, tmp_path / name))


def test_where_nothing_can_be_read_each_reason_is_said(port: int) -> None:
    status, rows = post_form(port, ("a.png", png(30)), ("b.png", b"x"))
    assert status == 422
    assert "no ink" in rows[0]["error"]
    assert [row["file"] for row in rows] == ["a.png", "b.png"]


def test_the_page_is_there_and_no_other_origin_may_read_it(port: int) -> None:
    status, headers, page = ask(port, "GET", "/")
    assert (status, page) == (200, PAGE)
    assert headers["x-content-type-options"] == "nosniff"
    assert not [name for name in headers if name.startswith("access-control")]
    own = f"http://127.0.0.1:{port}"
    assert ask(port, "GET", "/", Origin=own)[0] == 200
    assert ask(port, "GET", "/", Origin="http://example.com")[0] == 403


@pytest.mark.parametrize(
    ("header", "ours"),
    [
        ("127.0.0.1:8000", True), ("localhost", True), ("LocalHost:1", True), ("[::1]:80", True),
        ("192.168.0.7:8000", True), ("digits.lan", True), ("example.com", False), ("", False),
        ("localhost.example.com", False), ("127.0.0.1.example.com", False), ("[::1", False),
    ],
)  # fmt: skip
def test_a_host_is_ours_by_address_or_by_name(header: str, ours: bool) -> None:
    assert is_ours(header, "digits.lan") is ours


def status_of(port: int, hostile: Hostile) -> int | None:
    """Of the answer; None where there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        with suppress(OSError):  # the answer may be there before all has been sent
            connection.sendall(hostile.sent)
        with suppress(OSError), connection.makefile("rb") as answer:
            for line in answer:
                if line.startswith(b"HTTP/1.") and not line.startswith(b"HTTP/1.1 100 "):
                    return int(line.split()[1])
    return None


def test_there_are_hostile_requests_of_many_kinds() -> None:
    assert len(REQUESTS) >= 200
    assert len({hostile.sent for hostile in REQUESTS}) == len(REQUESTS)


# Starlette leaves the last file of a form without its end to Python, which closes it.
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile")
def test_whoever_is_hostile_is_refused_and_the_server_lives_on(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        for module in (patience, uploads):
            patch.setattr(module, "SECONDS", 0.2)
        answers = {hostile.name: status_of(port, hostile) for hostile in REQUESTS}
    wrong = {n: status for n, status in answers.items() if status is None or status // 100 != 4}
    assert wrong == {}
    assert ask(port, "POST", "/predict", picture())[0] == 200


def test_a_foreign_page_may_not_even_ask(port: int) -> None:
    """Nor is a preflight request of another origin allowed anything."""
    origin, method = "http://example.com", "POST"
    status, headers, _ = ask(
        port, "OPTIONS", "/predict", Origin=origin, Access_Control_Request_Method=method
    )
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]


def test_too_many_at_once_are_told_to_come_back(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_AT_ONCE", 0)
    status, _, said = ask(port, "GET", "/")
    assert status == 429
    assert "try again" in said["error"]


def test_one_who_goes_away_while_sending_is_forgotten(
    port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\na"
        )
    assert ask(port, "POST", "/predict", picture())[0] == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("work", "seconds", "words"),
    [
        (b"import time; time.sleep(600)", 0.1, "took longer"),
        (b"import os; os.kill(os.getpid(), 9)", 60, "has crashed"),
    ],
)
def test_what_a_decoder_does_happens_elsewhere(
    work: bytes, seconds: float, words: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(reader, "look", exec)  # in its place, one that does what it is sent
        patch.setattr(reader, "SECONDS", seconds)
        status, _, rows = ask(port, "POST", "/predict", work)
    assert status == 422
    assert words in rows[0]["error"]
    assert ask(port, "POST", "/predict", picture())[0] == 200


def test_whatever_a_decoder_raises_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(content: bytes) -> None:
        raise RecursionError

    monkeypatch.setattr(reader, "grey_in", fails)
    assert look(b"") == "cannot be read as a picture (RecursionError)"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Of a network that has not been trained, on data that it does not say."""
    path = tmp_path / "best.ckpt"
    state = DigitClassifier(hidden=[16]).state_dict()
    content = {"state_dict": state, "hyper_parameters": {"hidden": [16]}}
    WholeCheckpointIO().save_checkpoint(content, path)
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_asked_to_stop(
    number: signal.Signals, here: Here, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_mnist.serve.command.allowed_cpus", lambda: 1)
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    seen: list[tuple[int, dict[str, str], Any]] = []

    def look_and_stop() -> None:
        with suppress(OSError):
            while not seen:
                time.sleep(0.05)
                with suppress(ConnectionRefusedError):
                    seen.append(ask(port, "GET", "/"))
        os.kill(os.getpid(), number)

    asking = threading.Thread(target=look_and_stop)
    asking.start()
    flags = ("--ckpt_path", checkpoint, "--port", port, "--data.source", "digits")
    done = here("serve", *flags)
    asking.join()
    assert done.code == 128 + number
    assert done.err == f"{UNCALIBRATED}\n\nstopped by {number.name}\n"
    assert f"http://127.0.0.1:{port}/ is the page" in done.out
    status, _, page = seen[0]
    assert status == 200
    assert "Draw a digit" in page


def test_a_port_that_is_taken_is_named(port: int) -> None:
    with pytest.raises(InputError, match=f"--port {port}: another program listens there"):
        listen("127.0.0.1", port)


def test_a_host_that_is_none_is_named() -> None:
    with pytest.raises(InputError, match="--host no host --port 0: "):
        listen("no host", 0)


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_port_that_is_none_is_named(port: str, here: Here) -> None:
    done = here("serve", "--ckpt_path", "x.ckpt", f"--port={port}")
    assert done.code == 2
    assert "is no port" in done.err


def test_a_package_that_is_missing_is_named(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_mnist.sentences.find_spec", lambda name: None)
    done = here("serve", "--ckpt_path", "x.ckpt")
    assert done.code == 1
    assert "pip install 'lightning-mnist[serve]'" in done.err


def test_digits_that_are_not_at_hand_are_asked_for(here: Here, checkpoint: Path) -> None:
    done = here("serve", "--ckpt_path", checkpoint)
    assert done.code == 1
    assert "expected --data.source" in done.err


def test_pictures_that_wait_together_are_read_together_and_only_one_is_at_fault(
    model: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process: it is handed a picture, then all that have come meanwhile; a crash is one's."""
    handed: list[list[bytes]] = []

    async def found(sent: list[Upload], seconds: float) -> list[Picture | str] | str:
        handed.append([upload.content for upload in sent])
        await anyio.sleep(0)  # so that the others come to wait
        if b"ill" in handed[-1]:
            return "crashed"
        return [upload.content.decode() for upload in sent]

    async def read_all(contents: list[bytes]) -> list[dict[str, Any]]:
        reading = reader.Reader(1, partial(_rows, model))
        rows: list[dict[str, Any]] = [{}] * len(contents)

        async def read(place: int) -> None:
            rows[place] = await reading.read(Upload(str(place), contents[place]))

        async with anyio.create_task_group() as group:
            for place in range(len(contents)):
                group.start_soon(read, place)
        return rows

    monkeypatch.setattr(reader, "_found", found)
    contents = [b"first", b"ill", *(b"%d" % number for number in range(12))]
    rows = anyio.run(read_all, contents)
    assert sum(len(together) > 1 for together in handed) >= 2
    assert max(map(len, handed)) <= reader.MOST_TOGETHER
    said = ["crashed" if content == b"ill" else content.decode() for content in contents]
    assert rows == [{"file": str(place), "error": what} for place, what in enumerate(said)]
