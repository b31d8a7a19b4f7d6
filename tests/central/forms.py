"""Forms: upload as a draft, files, publishing, versions, fields, and what they do to entity lists."""

import io
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pyxform.xls2xform import convert

from tests.central.actors import MANAGER, stamp
from tests.central.entity_lists import EntityList
from tests.central.form_files import FormFile, FormVersion, StoredFile
from tests.central.gate import Gate
from tests.central.problems import CentralProblemError, exists, missing, not_found, unexpected
from tests.central.projects import Project, Row
from tests.central.store import Store
from tests.central.xforms import Definition, parse_form

DONE = {"success": True}
WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORM = "/projects/{project_id}/forms/{form_id}"
SUFFIX = "[encrypted:AaIIaMrL]"


def form_row(project: Project, file: FormFile, version: FormVersion | None = None) -> Row:
    """A form with one of its versions; without one the published, else the draft."""
    shown = version or file.published or file.draft
    assert shown is not None
    draft = file.draft if shown is file.draft else None
    return {
        "projectId": project.id,
        "xmlFormId": file.form_id,
        "state": file.state,
        "enketoId": None,
        "enketoOnceId": None,
        "createdAt": stamp(file.created_at),
        "updatedAt": stamp(file.updated_at),
        "webformsEnabled": True,
        "keyId": file.key_id,
        "version": shown.version,
        "hash": shown.definition.md5(),
        "sha": shown.definition.md5(),
        "sha256": shown.definition.md5(),
        "draftToken": "x" * 64 if draft else None,
        "publishedAt": stamp(shown.published_at),
        "name": shown.definition.title,
    }


def file_row(project: Project, version: FormVersion, name: str) -> Row:
    """A file that a form names: uploaded, or an entity list of that name."""
    stored, is_list = version.files.get(name), name.removesuffix(".csv") in project.lists
    row: Row = {
        "name": name,
        "type": "file",
        "hash": stored.md5() if stored else None,
        "exists": stored is not None or is_list,
        "blobExists": stored is not None,
        "datasetExists": stored is None and is_list,
    }
    return row | ({"updatedAt": stamp(stored.at)} if stored else {})


def field_rows(definition: Definition) -> list[Row]:
    return [
        {
            "path": one.path,
            "name": one.name,
            "type": one.kind,
            "binary": True if one.kind == "binary" else None,
            "selectMultiple": True if one.is_multiple else None,
        }
        for one in definition.fields
    ]


def read_definition(request: Request, body: bytes) -> tuple[Definition, bool]:
    """Read an upload. Raises CentralProblemError: 400.16 on warnings, 400.2 without a form id."""
    is_workbook = request.headers.get("content-type", "").startswith(WORKBOOK)
    if is_workbook:
        fallback = request.headers.get("x-xlsform-formid-fallback")
        result = convert(io.BytesIO(body), form_name="data", default_name=fallback)
        if result.warnings and request.query_params.get("ignoreWarnings", "").lower() != "true":
            message = (
                "The Form is valid, but with warnings. Please check the warnings and if they are acceptable "
                "resubmit with ?ignoreWarnings=true"
            )
            raise CentralProblemError(
                400.16, message, {"warnings": {"xlsFormWarnings": list(result.warnings)}}
            )
        body = result.xform.encode()
    definition = parse_form(body.decode("utf-8", "replace"))
    if definition is None:
        raise missing("formId")
    repeats = [one.path[1:] for one in definition.fields if one.kind == "repeat"]
    paths = [path[1:] for path in definition.properties]
    if any(path.startswith(name) and not path.startswith(f"{name}/") for name in repeats for path in paths):
        reason = "Cannot save properties from a repeat on an entity outside of a repeat."
        message = f"The entity definition within the form is invalid. {reason}"
        raise CentralProblemError(400.25, message, {"reason": reason})
    return definition, is_workbook


def publish(store: Store, project: Project, file: FormFile) -> None:
    """Publish the draft. Raises CentralProblemError 409.6 where its version was published before."""
    draft = file.draft
    assert draft is not None
    if file.find(draft.version) is not None:
        message = f"A published form already exists in this project with the given version ({draft.version})."
        details = {"xmlFormId": file.form_id, "version": draft.version}
        raise CentralProblemError(409.6, message, details)
    now = store.now()
    draft.published_at, file.updated_at = now, now
    file.versions.append(draft)
    file.draft = None
    project.forms.setdefault(file.form_id, [])
    name = draft.definition.dataset
    if name:
        entities = project.lists.setdefault(name, EntityList(name, len(project.lists) + 1, now, now))
        entities.add_properties(list(draft.definition.properties.values()), now, file.form_id)


def make_router(store: Store, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1")

    def file_of(request: Request, project_id: int, form_id: str, level: int = 1) -> tuple[Project, FormFile]:
        _, project = gate.project(request, project_id, level)
        file = project.files.get(form_id)
        if file is None:
            raise not_found()
        return project, file

    def draft_of(file: FormFile) -> FormVersion:
        if file.draft is None:
            raise not_found()
        return file.draft

    def published_of(file: FormFile) -> FormVersion:
        if file.published is None:
            raise not_found()
        return file.published

    @router.get("/projects/{project_id}/forms")
    def forms(request: Request, project_id: int) -> Response:
        _, project = gate.project(request, project_id)
        rows = [form_row(project, file) for file in project.files.values()]
        scripted = [name for name in project.forms if name not in project.files]
        rows += [{"projectId": project_id, "xmlFormId": name, "state": "open"} for name in scripted]
        return JSONResponse(rows)

    @router.post("/projects/{project_id}/forms")
    async def create(request: Request, project_id: int) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        definition, is_workbook = read_definition(request, await request.body())
        with store.lock:
            if definition.form_id in project.files:
                values = [str(project_id), definition.form_id]
                raise exists("forms", ["projectId", "xmlFormId"], values)
            file = FormFile(definition.form_id, store.now(), len(project.files) + 1)
            _put_draft(project, file, definition, is_workbook=is_workbook)
            project.files[file.form_id] = file
            if request.query_params.get("publish", "").lower() == "true":
                publish(store, project, file)
        return JSONResponse(form_row(project, file))

    @router.get(FORM)
    def form(request: Request, project_id: int, form_id: str) -> Response:
        if form_id.endswith(".xml"):
            _, file = file_of(request, project_id, form_id.removesuffix(".xml"))
            return Response(published_of(file).definition.xml, media_type="application/xml; charset=utf-8")
        project, file = file_of(request, project_id, form_id)
        row = form_row(project, file)
        if request.headers.get("x-extended-metadata") == "true":
            row |= _extended(project, file)
        return JSONResponse(row)

    @router.patch(FORM)
    async def change(request: Request, project_id: int, form_id: str) -> Response:
        project, file = file_of(request, project_id, form_id, MANAGER)
        state = (await request.json()).get("state")
        if state not in {"open", "closing", "closed"}:
            raise unexpected("state", str(state), "not a recognized state name")
        file.state, file.updated_at = state, store.now()
        return JSONResponse(form_row(project, file))

    @router.post(f"{FORM}/draft")
    async def draft(request: Request, project_id: int, form_id: str) -> Response:
        project, file = file_of(request, project_id, form_id, MANAGER)
        body = await request.body()
        if not body:
            published = published_of(file)
            _put_draft(project, file, published.definition, is_workbook=published.is_workbook)
            return JSONResponse(DONE)
        definition, is_workbook = read_definition(request, body)
        if definition.form_id != form_id:
            reason = "The xmlFormId must match the form being edited."
            raise unexpected("xmlFormId", definition.form_id, reason)
        _put_draft(project, file, definition, is_workbook=is_workbook)
        return JSONResponse(DONE)

    @router.get(f"{FORM}/draft")
    def get_draft(request: Request, project_id: int, form_id: str) -> Response:
        project, file = file_of(request, project_id, form_id)
        return JSONResponse(form_row(project, file, draft_of(file)))

    @router.delete(f"{FORM}/draft")
    def drop_draft(request: Request, project_id: int, form_id: str) -> Response:
        _, file = file_of(request, project_id, form_id, MANAGER)
        draft_of(file)
        file.draft = None
        return JSONResponse(DONE)

    @router.post(f"{FORM}/draft/publish")
    def publish_draft(request: Request, project_id: int, form_id: str) -> Response:
        project, file = file_of(request, project_id, form_id, MANAGER)
        with store.lock:
            version = request.query_params.get("version")
            if version is not None:
                draft_of(file).definition.version = version
            draft_of(file)
            publish(store, project, file)
        return JSONResponse(DONE)

    @router.get(f"{FORM}/draft/attachments")
    def draft_files(request: Request, project_id: int, form_id: str) -> Response:
        project, file = file_of(request, project_id, form_id)
        version = draft_of(file)
        return JSONResponse([file_row(project, version, name) for name in version.definition.files])

    @router.post(f"{FORM}/draft/attachments/{{name}}")
    async def upload(request: Request, project_id: int, form_id: str, name: str) -> Response:
        project, file = file_of(request, project_id, form_id, MANAGER)
        version = draft_of(file)
        if name not in version.definition.files:
            raise not_found()
        version.files[name] = StoredFile(await request.body(), store.now())
        return JSONResponse(file_row(project, version, name))

    @router.get(f"{FORM}/attachments")
    def files(request: Request, project_id: int, form_id: str) -> Response:
        project, file = file_of(request, project_id, form_id)
        version = published_of(file)
        return JSONResponse([file_row(project, version, name) for name in version.definition.files])

    @router.get(f"{FORM}/attachments/{{name}}")
    def download(request: Request, project_id: int, form_id: str, name: str) -> Response:
        _, file = file_of(request, project_id, form_id)
        stored = published_of(file).files.get(name)
        if stored is None:
            raise not_found()
        return attachment(stored.content, name)

    @router.get(f"{FORM}/versions")
    def versions(request: Request, project_id: int, form_id: str) -> Response:
        project, file = file_of(request, project_id, form_id)
        return JSONResponse([form_row(project, file, one) for one in reversed(file.versions)])

    @router.get(f"{FORM}/versions/{{version}}")
    def version(request: Request, project_id: int, form_id: str, version: str) -> Response:
        project, file = file_of(request, project_id, form_id)
        found = file.find(version.removesuffix(".xml"))
        if found is None:
            raise not_found()
        if version.endswith(".xml"):
            return Response(found.definition.xml, media_type="application/xml; charset=utf-8")
        return JSONResponse(form_row(project, file, found))

    @router.get(f"{FORM}/fields")
    def fields(request: Request, project_id: int, form_id: str) -> Response:
        _, file = file_of(request, project_id, form_id)
        rows = field_rows(published_of(file).definition)
        if request.query_params.get("odata", "").lower() == "true":
            rows = [row | {"path": _odata_path(row["path"])} for row in rows]
        return JSONResponse(rows)

    @router.get(f"{FORM}/dataset-diff")
    def changes(request: Request, project_id: int, form_id: str) -> Response:
        project, file = file_of(request, project_id, form_id)
        return JSONResponse(_changes(project, published_of(file).definition))

    @router.get(f"{FORM}/draft/dataset-diff")
    def draft_changes(request: Request, project_id: int, form_id: str) -> Response:
        project, file = file_of(request, project_id, form_id)
        return JSONResponse(_changes(project, draft_of(file).definition, is_draft=True))

    return router


def _put_draft(project: Project, file: FormFile, definition: Definition, *, is_workbook: bool) -> None:
    """Replace the draft; files of the published version stay attached."""
    before = file.draft or file.published
    kept = (
        {name: stored for name, stored in before.files.items() if name in definition.files} if before else {}
    )
    file.draft = FormVersion(definition, files=kept, is_workbook=is_workbook)
    if project.key is not None:
        file.key_id, file.draft.suffix = project.key.id, SUFFIX


def _odata_path(path: str) -> str:
    return "/".join(
        "".join(c if c.isascii() and c.isalnum() else "_" for c in part) for part in path.split("/")
    )


def _changes(project: Project, definition: Definition, *, is_draft: bool = False) -> list[Row]:
    if not definition.dataset:
        return []
    saved = list(definition.properties.values())
    listed = project.lists.get(definition.dataset)
    known = list(listed.properties) if listed else []
    names = [*known, *(name for name in saved if name not in known)]
    rows: list[Any] = [{"name": name, "inForm": name in saved} for name in names]
    if is_draft:
        rows = [row | {"isNew": row["name"] not in known} for row in rows]
        return [{"name": definition.dataset, "isNew": listed is None, "properties": rows}]
    return [{"name": definition.dataset, "properties": rows}]


def _extended(project: Project, file: FormFile) -> Row:
    entries = project.listed(file.form_id) if file.form_id in project.forms else []
    states = [entry.review_state for entry in entries]
    version = file.published
    return {
        "submissions": len(entries),
        "entityRelated": bool(version and version.definition.dataset),
        "reviewStates": {
            "received": states.count(None),
            "hasIssues": states.count("hasIssues"),
            "edited": states.count("edited"),
        },
        "lastSubmission": stamp(max((entry.created_at for entry in entries), default=None)),
        "excelContentType": WORKBOOK if version and version.is_workbook else None,
        "publicLinks": 0,
        "createdBy": {"id": 5, "type": "user"},
        "publishNotes": None,
    }


def attachment(content: bytes, name: str, headers: dict[str, str] | None = None) -> Response:
    """Answer with a file."""
    kind = "text/csv; charset=utf-8" if name.endswith(".csv") else "application/octet-stream"
    told = f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(name)}"
    return Response(content, media_type=kind, headers={"Content-Disposition": told} | (headers or {}))
