"""Run the web server, in the foreground for `ihala serve` or on a thread for the demo and the tests."""

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from api.app import create_app
from api.context import AppContext
from api.openrosa_log import LOG_CONFIG

_START_SECONDS = 20.0


class PortInUseError(OSError):
    """Another program listens where the web server was to listen."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"Another program uses port {port} of {host}. Stop it, or set IHALA_PORT to another port."
        )


def make_server(context: AppContext, *, log_level: str | None = None) -> uvicorn.Server:
    """Give the server, not yet running; its access log never holds a tablet's token."""
    settings = context.settings
    return uvicorn.Server(
        uvicorn.Config(
            create_app(context),
            host=settings.host,
            port=settings.port,
            log_config=LOG_CONFIG,
            log_level=log_level,
            access_log=False,
            server_header=False,
        )
    )


@contextmanager
def running_server(context: AppContext) -> Iterator[str]:
    """Serve on a thread for the block; yields the base address. Port 0 takes a free port.

    Raises PortInUseError.
    """
    settings = context.settings
    try:
        bound = socket.create_server((settings.host, settings.port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortInUseError(settings.host, settings.port) from None
    with bound as listener:
        # asyncio sets this only on sockets it made itself; without it every answer waits 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = make_server(context, log_level="warning")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = threading.Event()
        for _ in range(int(_START_SECONDS / 0.05)):
            if server.started or not thread.is_alive():
                break
            deadline.wait(0.05)
        if not server.started:
            raise RuntimeError("The web server did not start.")
        try:
            yield f"http://{settings.host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=10)
