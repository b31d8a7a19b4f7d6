"""Files of one version of a submission: an edit takes over those that it names, a former version keeps its own."""

import hashlib

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tests.central.gate import Gate
from tests.central.problems import not_found
from tests.central.store import Store

FILES = "/projects/{project_id}/forms/{form_id}/submissions/{root}/versions/{version}/attachments"


def make_router(store: Store, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1")

    def photos(
        request: Request, project_id: int, form_id: str, root: str, version: str
    ) -> dict[str, bytes | None]:
        _, project = gate.form(request, project_id, form_id)
        entry = project.entry(form_id, root)
        if entry.deleted_at is not None:
            raise not_found()
        if version == entry.current:
            return entry.photos
        if version in entry.former_photos:
            return entry.former_photos[version]
        raise not_found()

    @router.get(FILES)
    def attachments(request: Request, project_id: int, form_id: str, root: str, version: str) -> Response:
        named = photos(request, project_id, form_id, root, version)
        return JSONResponse([{"name": name, "exists": named[name] is not None} for name in sorted(named)])

    @router.get(f"{FILES}/{{name}}")
    def attachment(
        request: Request, project_id: int, form_id: str, root: str, version: str, name: str
    ) -> Response:
        content = photos(request, project_id, form_id, root, version).get(name)
        if content is None:
            raise not_found()
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        return Response(content, media_type="image/jpeg", headers={"ETag": f'"{digest}"'})

    return router
