"""Requests that nobody means well with, byte for byte; each must be answered with 4xx."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lightning_mnist.serve.uploads import MOST_BYTES, MOST_PICTURES

HOST = b"Host: 127.0.0.1\r\n"
MEGABYTE = 2**20


@dataclass(frozen=True)
class Hostile:
    """A request.

    Attributes:
        name: What is wrong with it.
        sent: Its bytes; whoever has sent them waits for an answer.
    """

    name: str
    sent: bytes


def request(
    method: str = "POST", path: str = "/predict", *headers: str, body: bytes | None = None
) -> bytes:
    """A request in good order, as far as it is not made otherwise."""
    lines = [f"{method} {path} HTTP/1.1\r\n".encode("latin-1"), HOST]
    lines += [f"{header}\r\n".encode("latin-1") for header in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}\r\n".encode())
    return b"".join(lines) + b"\r\n" + (body or b"")


def form(*parts: bytes, boundary: str = "b", charset: str = "", end: bytes = b"--b--\r\n") -> bytes:
    """A form of parts, each its headers and its content."""
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end
    return request(
        "POST", "/predict", f"Content-Type: multipart/form-data; boundary={boundary}{charset}",
        body=body,
    )  # fmt: skip


def file_part(name: bytes, content: bytes = b"no picture") -> bytes:
    return b'Content-Disposition: form-data; name="f"; filename="%b"\r\n\r\n%b' % (name, content)


def png(side: int, colour: int = 255) -> bytes:
    """A blank sheet."""
    file = io.BytesIO()
    Image.new("L", (side, side), colour).save(file, "PNG")
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of zeros that says how large it is, and is."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(min((width + 1) * height, 2 * MEGABYTE)), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def wrong_methods() -> Iterator[Hostile]:
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "X"):
        yield Hostile(f"{method} /predict", request(method))
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "MKCOL"):
        yield Hostile(f"{method} /", request(method, "/", body=b""))
    yield Hostile("CONNECT", b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n" + HOST + b"\r\n")
    upgrade = ("Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x")
    yield Hostile("a web socket", request("GET", "/predict", *upgrade))


def files_of_the_machine() -> Iterator[Hostile]:
    """Paths out of a folder that there is not."""
    for path in (
        "/../etc/passwd", "/../../../../../../etc/passwd", "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/%2e%2e/etc/passwd", "/%252e%252e/etc/passwd", "/..\\..\\etc\\passwd",
        "/..%5c..%5cwindows%5cwin.ini", "//etc/passwd", "/etc/passwd", "/./etc/passwd",
        "/....//....//etc/passwd", "/..;/etc/passwd", "/%c0%ae%c0%ae/etc/passwd",
        "/predict/../../etc/passwd", "/predict/..%2fetc/passwd", "/static/../../etc/passwd",
        "/page.html", "/index.html", "/app.py", "/.git/config", "/.env", "/proc/self/environ",
        "/record.json", "/checkpoints/best.ckpt", "/favicon.ico", "/robots.txt", "/docs",
        "/openapi.json", "/predict/", "/PREDICT", "/predict%00", "/%00", "/%0d%0aX-Evil:%201",
        "/predict.json", "/~root", "/C:/windows/win.ini", "/%ff%fe", "/?x=/etc/passwd/..",
        "file:///etc/passwd", "http://example.com/", "*", "/" + "a" * 9_000,
    ):  # fmt: skip
        method = "POST" if path.startswith("/?") else "GET"
        yield Hostile(f"{method} {path[:40]}", request(method, path))


def no_http() -> Iterator[Hostile]:
    line = b"POST /predict HTTP/1.1\r\n" + HOST
    for name, sent in {
        "a greeting of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "HTTP/0.9": b"GET /\r\n\r\n",
        "HTTP/9.9": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
        "no version": b"GET / \r\n" + HOST + b"\r\n",
        "no path": b"GET HTTP/1.1\r\n" + HOST + b"\r\n",
        "lower case": b"get / http/1.1\r\n" + HOST + b"\r\n",
        "SSH": b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
        "SMTP": b"EHLO example.com\r\n\r\n",
        "NUL bytes only": bytes(100) + b"\r\n\r\n",
        "NUL in the path": b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n",
        "NUL in the method": b"G\0T / HTTP/1.1\r\n" + HOST + b"\r\n",
        "NUL in a header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
        "NUL in a header's name": b"GET / HTTP/1.1\r\n" + HOST + b"X\0: a\r\n\r\n",
        "letters beyond ASCII in the path": b"GET /\xc3\xa4 HTTP/1.1\r\n" + HOST + b"\r\n",
        "no colon": b"GET / HTTP/1.1\r\n" + HOST + b"header\r\n\r\n",
        "no name": b"GET / HTTP/1.1\r\n" + HOST + b": value\r\n\r\n",
        "space before the colon": b"GET / HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n",
        "carriage return in a header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n",
        "a long header": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * MEGABYTE + b"\r\n\r\n",
        "a long name": b"GET / HTTP/1.1\r\n" + HOST + b"X" * MEGABYTE + b": a\r\n\r\n",
        "50,000 headers": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 50_000 + b"\r\n",
        "a long path": b"GET /" + b"a" * MEGABYTE + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        "a long method": b"G" * MEGABYTE + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
        "two lengths": line + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "a negative length": line + b"Content-Length: -1\r\n\r\n",
        "a length in words": line + b"Content-Length: ten\r\n\r\n",
        "a length with a sign": line + b"Content-Length: +3\r\n\r\nabc",
        "a length in hexadecimal": line + b"Content-Length: 0x10\r\n\r\n",
        "a length of 40 figures": line + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n",
        "chunks of no size": line + b"Transfer-Encoding: chunked\r\n\r\nx\r\nabc\r\n",
        "chunks of a huge size": line + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 99 + b"\r\n",
        "a chunk that is longer": line + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        "length and chunks": line
        + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "an encoding that is none": line + b"Transfer-Encoding: gzip\r\n\r\nabc",
    }.items():
        yield Hostile(name, sent)
    for seed in range(10):
        noise = np.random.default_rng(seed).bytes(200)
        yield Hostile(f"noise {seed}", noise + b"\r\n\r\n")


def other_hosts() -> Iterator[Hostile]:
    for host in (
        "example.com", "127.0.0.1.example.com", "localhost.example.com", "evil-localhost",
        "localhost:80:80", "user@localhost", "localhost/", "localhost#", "localhost,example.com",
        "", " ", "[::1", "[zz]", "127.0.0.1:port", "2130706433.example", "\xe4.de",
    ):  # fmt: skip
        head = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"
        yield Hostile(f"Host: {host}", head.encode("latin-1"))
    yield Hostile("no host", b"GET / HTTP/1.1\r\n\r\n")
    yield Hostile("no host in HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n")
    yield Hostile("two hosts", b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n")
    for origin in ("http://example.com", "null", "https://127.0.0.1:1", "http://[", "file://"):
        yield Hostile(f"Origin: {origin}", request("GET", "/", f"Origin: {origin}"))


def no_pictures() -> Iterator[Hostile]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(10 * MEGABYTE))
    good = png(40, 0)
    for name, body in {
        "nothing": b"",
        "one byte": b"x",
        "text": b"seven",
        "JSON": b'{"picture": "seven.png"}',
        "a path": b"/etc/passwd",
        "HTML": b"<html><script>alert(1)</script>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "an entity of XML": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        "PDF": b"%PDF-1.7\n1 0 obj<<>>endobj",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run",
        "a pickle": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
        "a zip of zeros": archive.getvalue(),
        "a gzip of zeros": gzip.compress(bytes(10 * MEGABYTE)),
        "10 MB of zeros": bytes(10 * MEGABYTE),
        "a blank sheet": png(40),
        "one pixel": png(1),
        "a PNG's first bytes": good[:8],
        "a bomb of 60,000 x 60,000": bomb(60_000, 60_000),
        "a bomb of 2**31 x 2**31": bomb(2**31 - 1, 2**31 - 1),
        "a bomb in one row": bomb(2**30, 1),
        "a PNG of no width": bomb(0, 10),
        "a PNG that is cut off": bomb(3_000, 3_000)[:-500],
        "a JPEG's first bytes": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
        "a GIF of no frames": b"GIF89a\xff\xff\xff\xff\x00\x00\x00;",
        "a BMP of negative size": b"BM" + struct.pack("<IIIIiiHHI", 54, 0, 54, 40, -9, -9, 1, 24, 0)
        + bytes(24),
        "a TIFF that leads to itself": b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00",
        "a WebP's first bytes": b"RIFF\xff\xff\xff\xffWEBPVP8L",
        "an icon of 255": b"\0\0\1\0\xff\0" + bytes(16),
        "a HEIC's first bytes": b"\0\0\0\x18ftypheic" + bytes(12),
    }.items():  # fmt: skip
        yield Hostile(name, request(body=body))
    for seed in range(30):
        rng, damaged = np.random.default_rng(seed), bytearray(good)
        for _ in range(10):
            damaged[rng.integers(8, 33)] = rng.integers(256)  # of the head
        yield Hostile(f"a damaged PNG {seed}", request(body=bytes(damaged)))
    for kind in ("text/html", "application/json", "image/svg+xml", "multipart", "x" * 1_000, ""):
        yield Hostile(f"type {kind[:20]}", request("POST", "/predict", f"Content-Type: {kind}",
                                                   body=b"{}"))  # fmt: skip


def too_much() -> Iterator[Hostile]:
    yield Hostile("a body that is too long", request(body=bytes(MOST_BYTES + 1)))
    head = b"POST /predict HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n" % MEGABYTE + bytes(MEGABYTE) + b"\r\n"
    yield Hostile("chunks that are too long", head + chunk * 17 + b"0\r\n\r\n")
    yield Hostile("too many pictures", form(*[file_part(b"x")] * (MOST_PICTURES + 1)))
    field = b'Content-Disposition: form-data; name="x"\r\n\r\ny'
    yield Hostile("too many fields", form(*[field] * 1_000))
    yield Hostile("a long field", form(field + b"y" * 2 * MEGABYTE))
    yield Hostile("too large a picture", form(file_part(b"x", bomb(60_000, 60_000))))


def bad_forms() -> Iterator[Hostile]:
    for name in (b"../../etc/passwd", b"/etc/passwd", b"a\0b", b"\xff\xfe", b"", b"x" * 5_000):
        yield Hostile(f"a file called {name[:20]!r}", form(file_part(name)))
    for charset in ("idna", "punycode", "zlib", "utf-7", "utf-16", "hex", "none", "a\\0b", "rot13"):
        part = file_part(b"+2AA-\xff")
        yield Hostile(f"characters of {charset}", form(part, charset=f"; charset={charset}"))
    yield Hostile("another boundary", form(file_part(b"x"), boundary="other"))
    yield Hostile("a boundary of no letters", form(file_part(b"x"), boundary='""'))
    yield Hostile("a long boundary", form(file_part(b"x"), boundary="b" * 5_000))
    yield Hostile("no end", form(file_part(b"x"), end=b""))
    yield Hostile("no parts", form())
    yield Hostile("no files", form(b'Content-Disposition: form-data; name="x"\r\n\r\ny'))
    yield Hostile("no disposition", form(b"Content-Type: image/png\r\n\r\ny"))
    yield Hostile("no name", form(b'Content-Disposition: form-data; filename="x"\r\n\r\ny'))
    yield Hostile("no headers", form(b"\r\ny"))
    yield Hostile("a header without colon", form(b"Content-Disposition\r\n\r\ny"))
    yield Hostile("a long header", form(b"X: " + b"a" * MEGABYTE + b"\r\n\r\ny"))
    yield Hostile("many headers", form(b"X: a\r\n" * 50_000 + b"\r\ny"))
    yield Hostile("noise", form(np.random.default_rng(0).bytes(5_000)))
    plain = request("POST", "/predict", "Content-Type: multipart/form-data", body=b"--b--")
    yield Hostile("no boundary", plain)
    mixed = request("POST", "/predict", "Content-Type: multipart/mixed; boundary=b", body=b"--b--")
    yield Hostile("mixed", mixed)


def falling_silent() -> Iterator[Hostile]:
    """Their senders wait, as if the rest were still to come."""
    line = b"POST /predict HTTP/1.1\r\n" + HOST
    for name, sent in {
        "half of a method": b"PO",
        "half of a head": line + b"X: ",
        "no end of a head": line,
        "no body": line + b"Content-Length: 100\r\n\r\n",
        "half of a body": line + b"Content-Length: 100\r\n\r\nhalf",
        "no end of chunks": line + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "a body of 10**18 bytes": line + b"Content-Length: 1000000000000000000\r\n\r\nx",
        "a form without its end": form(file_part(b"x"))[:-20],
        "no body to go on with": line + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
    }.items():
        yield Hostile(name, sent)


REQUESTS = [
    hostile
    for kind in (
        wrong_methods, files_of_the_machine, no_http, other_hosts, no_pictures, too_much, bad_forms,
        falling_silent,
    )
    for hostile in kind()
]  # fmt: skip
