"""Pictures in a request, and limits on what is taken of it: bytes, seconds, number."""

from contextlib import aclosing
from dataclasses import dataclass

import anyio
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

MOST_BYTES = 2**24
"""Of a request: 16 MiB, a photograph of a telephone several times over."""
MOST_DISCARDED = 2**28
"""Of a longer one that are read on, so that who is still sending gets to read the answer."""
MOST_PICTURES = 32
SECONDS = 10.0
"""For a request to arrive."""


@dataclass(frozen=True)
class Upload:
    """A picture that somebody has sent: its bytes, and what the sender calls it."""

    name: str
    content: bytes


async def uploads(request: Request) -> list[Upload]:
    """The pictures of a request: its body, or the files of a form (multipart/form-data).

    Raises:
        HTTPException: 400 for a form that cannot be read or without files, 408 for a request that
            is too slow, 413 for one that is too long.
    """
    try:
        with anyio.fail_after(SECONDS):
            body = await _body(request)
    except TimeoutError:
        raise HTTPException(408, f"took longer than {SECONDS:g} seconds to arrive") from None
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        if not body:
            raise HTTPException(400, "no body; expected a picture, or a form of pictures")
        return [Upload("picture", body)]
    if found := await _files(request, body):
        return found
    raise HTTPException(400, "no files in the form; expected pictures")


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async with aclosing(request.stream()) as stream:
        async for part in stream:
            size += len(part)
            if size > MOST_DISCARDED:
                break
            if size <= MOST_BYTES:
                parts.append(part)
    if size > MOST_BYTES:
        raise HTTPException(413, f"more than {MOST_BYTES:,} bytes; send fewer or smaller pictures")
    return b"".join(parts)


async def _files(request: Request, body: bytes) -> list[Upload]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    limits = {"max_files": MOST_PICTURES, "max_fields": MOST_PICTURES}
    try:
        async with Request(request.scope, receive).form(**limits) as form:
            files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            return [Upload(_shown(file.filename), await file.read()) for file in files]
    except (LookupError, ValueError) as error:  # of character sets that are none
        raise HTTPException(400, "the form cannot be read") from error


def _shown(name: str | None) -> str:
    """A name in characters that can be written as UTF-8."""
    return (name or "picture").encode("utf-8", "backslashreplace").decode("utf-8")
