"""A socket, and uvicorn on it."""

import errno
import logging
import socket

import uvicorn
from starlette.applications import Starlette

from lightning_mnist.errors import InputError
from lightning_mnist.serve.patience import PatientProtocol
from parity.files import said_of

GRACE = 5
"""Seconds for requests in progress, once asked to stop."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InputError: the port is taken, or cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(
                f"--port {port}: another program listens there; choose another, or 0 for any"
            ) from error
        raise InputError(f"--host {host} --port {port}: {said_of(error)}") from error
    # Whoever connects gets it too: asyncio does not know these for TCP, and an answer in two parts
    # would wait 40 ms for the other side to acknowledge the first.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def server_of(app: Starlette) -> uvicorn.Server:
    """A server for one process, which says nothing but what is wrong with itself."""
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="none",
            lifespan="on",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
    )
