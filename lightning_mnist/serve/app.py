"""What is served: the page at ``/``, and readings of the pictures that are sent to ``/predict``."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from io import BytesIO

import anyio
from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from lightning_mnist.calibration import Calibration
from lightning_mnist.own_images import Picture
from lightning_mnist.reading import pixels_of, readings_of
from lightning_mnist.serve.door import Door, refused
from lightning_mnist.serve.reader import Reader, Row
from lightning_mnist.serve.uploads import Upload, uploads
from lightning_mnist.trained import Trained

ROUTES = "GET / is the page, and POST /predict reads pictures"
SAID = {404: f"nothing is there; {ROUTES}", 405: f"not in this way; {ROUTES}"}


def app_of(trained: Trained, page: str, host: str, processes: int) -> Starlette:
    """An ASGI application; `host` is a name of this machine beside its own."""
    reader = Reader(processes, partial(_rows, trained))

    async def show_page(request: Request) -> Response:
        return HTMLResponse(page)

    async def rows(sent: list[Upload]) -> list[Row]:
        said: list[Row] = [{}] * len(sent)

        async def read(place: int) -> None:
            said[place] = await reader.read(sent[place])

        async with anyio.create_task_group() as group:
            for place in range(len(sent)):
                group.start_soon(read, place)
        return said

    async def predict(request: Request) -> Response:
        said = await rows(await uploads(request))
        return JSONResponse(said, 422 if all("error" in row for row in said) else 200)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await reader.start(Upload("", _a_one()))
        yield

    app = Starlette(
        routes=[Route("/", show_page), Route("/predict", predict, methods=["POST"])],
        middleware=[Middleware(Door, host=host)],
        exception_handlers={HTTPException: _say, ClientDisconnect: _say_nothing},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _rows(trained: Trained, sent: Sequence[Upload], found: Sequence[Picture | str]) -> list[Row]:
    """What ``predict --output`` says of each picture, or what is wrong with it."""
    rows = [{"file": upload.name, "error": what} for upload, what in zip(sent, found, strict=True)]
    places = [place for place, what in enumerate(found) if isinstance(what, Picture)]
    if places:
        pictures = [what for what in found if isinstance(what, Picture)]
        readings = readings_of(
            [sent[place].name for place in places],
            pictures,
            trained.logits(pixels_of(pictures)),
            trained.calibration or Calibration(),
        )
        for place, reading in zip(places, readings, strict=True):
            rows[place] = reading.row()
    return rows


def _a_one() -> bytes:
    sheet = Image.new("L", (28, 28))
    sheet.paste(255, (13, 4, 16, 24))
    file = BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _say(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refused(error.status_code, SAID.get(error.status_code, error.detail))


def _say_nothing(request: Request, error: Exception) -> Response:
    """To who has gone away."""
    return Response(status_code=400)
