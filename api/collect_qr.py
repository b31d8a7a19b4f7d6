"""The QR code that sets up ODK Collect on a tablet: the server's address with the tablet's token in it.

Whoever holds the code is that tablet: it is shown or printed once, and never stored or logged.
"""

import base64
import io
import json
import zlib
from typing import Any

import segno

_ERROR_CORRECTION = "m"


def server_url(public_url: str, token: str) -> str:
    """Return the address that Collect posts to."""
    return f"{public_url.rstrip('/')}/openrosa/{token}"


def collect_settings(public_url: str, token: str, project_name: str) -> dict[str, Any]:
    """Return Collect's settings for the built-in inbox."""
    return settings_of_server(server_url(public_url, token), project_name)


def settings_of_server(address: str, project_name: str) -> dict[str, Any]:
    """Return Collect's settings: forms follow the server, finished ones are sent once there is a net."""
    return {
        "general": {
            "server_url": address,
            "form_update_mode": "match_exactly",
            "autosend": "wifi_and_cellular",
        },
        "project": {"name": project_name, "icon": "إ", "color": "#1f6f5c"},
        "admin": {},
    }


def qr_text(settings: dict[str, Any]) -> str:
    """Return what stands in the QR code: base64 of the zlib-compressed JSON."""
    compact = json.dumps(settings, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(zlib.compress(compact, 9)).decode()


def qr_svg(settings: dict[str, Any]) -> str:
    """Return the code as an SVG element, to stand in a page."""
    return str(_qr(settings).svg_inline(scale=4, border=4))


def qr_png(settings: dict[str, Any]) -> bytes:
    """Return the code as a PNG picture, to print."""
    picture = io.BytesIO()
    _qr(settings).save(picture, kind="png", scale=6, border=4)
    return picture.getvalue()


def qr_terminal(settings: dict[str, Any]) -> str:
    """Return the code in block characters, to be scanned off a terminal."""
    lines = io.StringIO()
    _qr(settings).terminal(out=lines, border=2, compact=True)
    return lines.getvalue()


def qr_modules(settings: dict[str, Any]) -> list[list[bool]]:
    """Return the code as rows of dark and light, without a margin, to be drawn."""
    return [[bool(dot) for dot in row] for row in _qr(settings).matrix]


def _qr(settings: dict[str, Any]) -> Any:
    return segno.make(qr_text(settings), error=_ERROR_CORRECTION, micro=False)
