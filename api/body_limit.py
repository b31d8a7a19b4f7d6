"""A limit on what may be posted to pages that anybody can reach."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_FORM = 64 * 1024
"""Bytes: 4,000 Arabic letters of a form take 24,000."""


class BodyLimit:
    """ASGI middleware: what is posted below `prefix` is read no further than `largest` bytes, then refused (413)."""

    def __init__(self, app: ASGIApp, prefix: str, largest: int = LARGEST_FORM) -> None:
        self.app = app
        self.prefix = prefix
        self.largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(self.prefix):
            await self.app(scope, receive, send)
            return
        size = 0

        async def receive_within_limit() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.largest:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_within_limit, send)
