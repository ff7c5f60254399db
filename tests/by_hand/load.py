"""Clients at once, for a while: ``python -m tests.by_hand.load PORT`` asks a running server.

``python -m lightning_mnist serve --ckpt_path BEST.ckpt --port 8000`` starts one. Each client sends
a picture, waits for the answer, pauses and goes on; it keeps its connection.
"""

import argparse
import asyncio
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def drawing(side: int) -> bytes:
    """A seven on a sheet of `side` x `side` pixels, as a PNG."""
    sheet = Image.new("L", (side, side), 255)
    stroke = [(0.3 * side, 0.25 * side), (0.7 * side, 0.25 * side), (0.45 * side, 0.8 * side)]
    ImageDraw.Draw(sheet).line(stroke, fill=0, width=max(2, side // 13), joint="curve")
    file = BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


async def client(port: int, request: bytes, pause: float, end: float) -> tuple[list[float], int]:
    """Milliseconds that each answer took, and how many were other than 200."""
    took, errors = [], 0
    await asyncio.sleep(pause * np.random.default_rng().random())  # not in step
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < end:
        start = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        await reader.readexactly(int(fields[b"content-length"]))
        took.append(1_000 * (time.perf_counter() - start))
        errors += head.split()[1] != b"200"
        await asyncio.sleep(pause)
    writer.close()
    return took, errors


async def load(flags: argparse.Namespace) -> int:
    """Ask, and print what came of it."""
    content = drawing(flags.side) if flags.picture is None else flags.picture.read_bytes()
    request = (
        f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content
    end = time.perf_counter() + flags.seconds
    done = await asyncio.gather(
        *(client(flags.port, request, flags.pause, end) for _ in range(flags.clients))
    )
    took = np.concatenate([times for times, _ in done])
    errors = sum(count for _, count in done)
    middle, most, highest = np.quantile(took, [0.5, 0.99, 1])
    print(
        f"{flags.clients} clients, {flags.pause:g} s between requests, {len(content):,} bytes: "
        f"{len(took):,} answers, {len(took) / flags.seconds:.0f} a second, {errors} errors; "
        f"median {middle:.1f} ms, 99 % within {most:.1f} ms, all within {highest:.1f} ms"
    )
    return 1 if errors else 0


def main() -> int:
    """Read the flags, and ask; 1 where an answer was other than 200."""
    parser = argparse.ArgumentParser(prog="python -m tests.by_hand.load")
    add = parser.add_argument
    add("port", type=int, help="Of the server.")
    add("--clients", type=int, default=32, help="At once; 32 by default.")
    add("--seconds", type=float, default=60, help="60 by default.")
    add("--pause", type=float, default=1, help="Seconds between requests; 0 never pauses.")
    add("--side", type=int, default=28, help="Pixels of the drawing that is sent.")
    add("--picture", type=Path, help="A picture to send instead.")
    return asyncio.run(load(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
