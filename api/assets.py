"""Static files: our own, Leaflet and the Arabic-script font from their wheels. Nothing comes from another host.

An address carries a hash of the file, so that a browser may keep it for ever and still see a new version.
"""

import hashlib
from functools import cache
from pathlib import Path

import pylopdf_fonts_ar
from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from xstatic.pkg import leaflet

OWN_FOLDER = Path(__file__).parent / "static"
FOLDERS = {
    "/static": OWN_FOLDER,
    "/assets/leaflet": Path(leaflet.BASE_DIR),
    "/assets/fonts": Path(pylopdf_fonts_ar.__file__).parent,
}
SERVED_SUFFIXES = frozenset({".css", ".js", ".png", ".svg", ".ttf", ".woff2"})
ONE_YEAR = "public, max-age=31536000, immutable"


class LastingFiles(StaticFiles):
    """Static files of the wheels' folders: only what a page needs (never code or maps), kept for a year."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Serve one file; anything but the suffixes we know is not found."""
        if Path(path).suffix not in SERVED_SUFFIXES:
            return Response(status_code=404)
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = ONE_YEAR
        return response


def mount_assets(app: FastAPI) -> None:
    """Mount the folders."""
    for prefix, folder in FOLDERS.items():
        app.mount(prefix, LastingFiles(directory=folder))


@cache
def asset(address: str) -> str:
    """The address of a static file with the hash of its content."""
    prefix, folder = next(item for item in FOLDERS.items() if address.startswith(item[0] + "/"))
    content = (folder / address.removeprefix(prefix + "/")).read_bytes()
    return f"{address}?v={hashlib.sha256(content).hexdigest()[:10]}"
