"""Headers of every answer, and the last resort when something crashes."""

import logging
import traceback

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import crash_answer

log = logging.getLogger(__name__)


def content_security_policy(tile_url: str | None) -> str:
    """Everything from ourselves; map tiles from one more host when the operator set one."""
    images = ["'self'", "data:"]
    if tile_url:
        scheme, _, rest = tile_url.partition("://")
        host = rest.split("/", 1)[0].replace("{s}", "*")
        images.append(f"{scheme}://{host}")
    return (
        "default-src 'self'; "
        f"img-src {' '.join(images)}; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class SecurityHeaders:
    """ASGI middleware: adds the headers; a crash becomes a plain 500 whose log holds the place, not the message.

    The message of an exception may quote a value that a person typed, and the server would log it whole.
    """

    def __init__(self, app: ASGIApp, tile_url: str | None = None) -> None:
        self.app = app
        self.headers = {
            "Content-Security-Policy": content_security_policy(tile_url),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
            "Cross-Origin-Opener-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception as error:  # the edge of the program: whatever it is, the user gets an answer
            places = "".join(traceback.format_tb(error.__traceback__))
            log.error("crash: %s\n%s", type(error).__name__, places)  # noqa: TRY400  no message, see above
            if not started:
                answer = crash_answer(Request(scope, receive))
                await answer(scope, receive, send_with_headers)
