"""Submissions by REST: the list, single ones, versions, XML, files, review states, deletion."""

from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tests.central.actors import MANAGER, stamp
from tests.central.gate import Gate
from tests.central.intake import receive, replace
from tests.central.problems import not_found, unexpected
from tests.central.projects import Entry, Project, Row, Sent
from tests.central.store import Store

DONE = {"success": True}
STATES = {None, "edited", "hasIssues", "rejected", "approved"}
SUBMISSIONS = "/projects/{project_id}/forms/{form_id}/submissions"


def version_row(entry: Entry, number: int) -> Row:
    """One version, as the lists show it."""
    sent = entry.sent[number]
    return {
        "submitterId": sent.submitter.id,
        "createdAt": stamp(sent.at),
        "instanceName": sent.instance_name,
        "instanceId": sent.instance_id if sent.xml is not None else _scripted_id(entry, number),
        "current": number == len(entry.sent) - 1,
        "deviceId": sent.device,
        "userAgent": sent.agent,
    }


def _scripted_id(entry: Entry, number: int) -> str:
    return str(entry.versions[number]["meta"]["instanceID"] or entry.root)


def short_row(entry: Entry) -> Row:
    """One submission without its versions."""
    first = entry.sent[0]
    return {
        "instanceId": entry.root,
        "submitterId": first.submitter.id,
        "deviceId": first.device,
        "createdAt": stamp(entry.created_at),
        "updatedAt": stamp(entry.updated_at),
        "reviewState": entry.review_state,
        "deletedAt": stamp(entry.deleted_at),
    }


def index_row(entry: Entry) -> Row:
    """One line of the REST list."""
    current = version_row(entry, len(entry.sent) - 1)
    return short_row(entry) | {"userAgent": entry.sent[0].agent, "currentVersion": current}


def xml_of(entry: Entry, number: int, form_id: str) -> bytes:
    """Return a version's XML; of a scripted one, its answers as elements."""
    sent = entry.sent[number]
    if sent.xml is not None:
        return sent.xml
    row = {name: value for name, value in entry.versions[number].items() if not name.startswith("__")}
    version = escape(str(entry.versions[number].get("__system", {}).get("formVersion")))
    root = f'<data id="{form_id}" version="{version}">{_elements(row)}</data>'
    return f"<?xml version='1.0' ?>{root}".encode("utf-8", "replace")


def _elements(row: Row) -> str:
    parts = []
    for name, value in row.items():
        if "@" in name or value is None:
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and item.get("type") == "Point":
                longitude, latitude, *rest = item["coordinates"]
                text = " ".join(str(part) for part in (latitude, longitude, *rest))
            else:
                inner = {k: v for k, v in item.items() if k != "__id"} if isinstance(item, dict) else None
                text = escape(str(item)) if inner is None else _elements(inner)
            parts.append(f"<{name}>{text}</{name}>")
    return "".join(parts)


def make_router(store: Store, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1")

    def live(project: Project, form_id: str, root: str) -> Entry:
        entry = project.entry(form_id, root)
        if entry.deleted_at is not None:
            raise not_found()
        return entry

    @router.get(SUBMISSIONS)
    def index(request: Request, project_id: int, form_id: str, deleted: bool = False) -> Response:
        _, project = gate.form(request, project_id, form_id)
        etag = project.etag(form_id)
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        rows = [index_row(entry) for entry in project.listed(form_id, deleted=deleted)]
        return JSONResponse(rows, headers={"ETag": etag})

    @router.post(SUBMISSIONS)
    async def create(
        request: Request,
        project_id: int,
        form_id: str,
        deviceID: str | None = None,  # noqa: N803
    ) -> Response:
        actor, project = gate.form(request, project_id, form_id, MANAGER)
        sent = Sent(store.now(), "", actor, device=deviceID, agent=request.headers.get("user-agent"))
        entry = receive(store, project, form_id, await request.body(), sent)
        row = index_row(entry)
        return JSONResponse({name: row[name] for name in row if name not in {"reviewState", "deletedAt"}})

    @router.get(f"{SUBMISSIONS}/keys")
    def keys(request: Request, project_id: int, form_id: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        key = project.key
        if key is None or not any(entry.is_encrypted for entry in project.forms[form_id]):
            return JSONResponse([])
        row = {"id": key.id, "public": "MIIB", "managed": True, "hint": key.hint}
        return JSONResponse([row | {"createdAt": stamp(key.created_at)}])

    @router.get(f"{SUBMISSIONS}/{{root}}.xml")
    def xml(request: Request, project_id: int, form_id: str, root: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        for entry in project.listed(form_id):
            later = [s.instance_id for s in entry.sent[1:]]
            if root != entry.root and root in later:
                own = f"/v1/projects/{project_id}/forms/{form_id}/submissions/{quote(entry.root, safe='')}"
                where = f"{own}/versions/{root}.xml"
                body = f"Moved Permanently. Redirecting to {where}"
                return Response(body, 301, {"Location": where}, "text/plain")
        entry = live(project, form_id, root)
        return Response(xml_of(entry, -1, form_id), media_type="application/xml; charset=utf-8")

    @router.get(f"{SUBMISSIONS}/{{root}}/versions")
    def versions(request: Request, project_id: int, form_id: str, root: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        entry = live(project, form_id, root)
        return JSONResponse([version_row(entry, number) for number in reversed(range(len(entry.sent)))])

    @router.get(f"{SUBMISSIONS}/{{root}}/versions/{{version}}.xml")
    def version_xml(request: Request, project_id: int, form_id: str, root: str, version: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        entry = live(project, form_id, root)
        numbers = range(len(entry.sent))
        number = next((n for n in numbers if version_row(entry, n)["instanceId"] == version), None)
        if number is None:
            raise not_found()
        return Response(xml_of(entry, number, form_id), media_type="application/xml; charset=utf-8")

    @router.get(f"{SUBMISSIONS}/{{root}}/attachments")
    def attachments(request: Request, project_id: int, form_id: str, root: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        photos = live(project, form_id, root).photos
        return JSONResponse([{"name": name, "exists": photos[name] is not None} for name in sorted(photos)])

    @router.get(f"{SUBMISSIONS}/{{root}}/attachments/{{name}}")
    def attachment(request: Request, project_id: int, form_id: str, root: str, name: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        content = live(project, form_id, root).photos.get(name)
        if content is None:
            raise not_found()
        quoted = f"inline; filename=\"{name}\"; filename*=UTF-8''{quote(name)}"
        kind = "image/jpeg" if name.endswith((".jpg", ".jpeg")) else "application/octet-stream"
        return Response(content, media_type=kind, headers={"Content-Disposition": quoted})

    @router.get(f"{SUBMISSIONS}/{{root}}/audits")
    def audits(request: Request, project_id: int, form_id: str, root: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        return JSONResponse(live(project, form_id, root).audits)

    @router.get(f"{SUBMISSIONS}/{{root}}/comments")
    def comments(request: Request, project_id: int, form_id: str, root: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        return JSONResponse(live(project, form_id, root).comments)

    @router.post(f"{SUBMISSIONS}/{{root}}/comments")
    async def comment(request: Request, project_id: int, form_id: str, root: str) -> Response:
        actor, project = gate.form(request, project_id, form_id)
        body = (await request.json())["body"]
        row = {"body": body, "actorId": actor.id, "createdAt": stamp(store.now())}
        live(project, form_id, root).comments.insert(0, row)
        return JSONResponse(row)

    @router.post(f"{SUBMISSIONS}/{{root}}/restore")
    def restore(request: Request, project_id: int, form_id: str, root: str) -> Response:
        _, project = gate.form(request, project_id, form_id, MANAGER)
        with store.lock:
            entry = project.entry(form_id, root)
            if entry.deleted_at is None:
                raise not_found()
            store.bring_back(project, form_id, entry)
        return JSONResponse(DONE)

    @router.get(f"{SUBMISSIONS}/{{root}}")
    def single(request: Request, project_id: int, form_id: str, root: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        entry = live(project, form_id, root)
        row = index_row(entry)
        if request.headers.get("x-extended-metadata") == "true":
            row["submitter"] = entry.sent[0].submitter.row()
            row["currentVersion"]["submitter"] = entry.sent[-1].submitter.row()
        return JSONResponse(row)

    @router.patch(f"{SUBMISSIONS}/{{root}}")
    async def review(request: Request, project_id: int, form_id: str, root: str) -> Response:
        actor, project = gate.form(request, project_id, form_id, MANAGER)
        body: dict[str, Any] = await request.json()
        state = body.get("reviewState")
        with store.lock:
            entry = live(project, form_id, root)
            if state not in STATES:
                raise unexpected("state", str(state), "not a recognized state name")
            entry.review_state, entry.updated_at = state, store.now()
            project.happened(form_id, entry)
            store.audit(actor, "submission.update", {"reviewState": state}, entry)
        return JSONResponse(short_row(entry))

    @router.put(f"{SUBMISSIONS}/{{root}}")
    async def edit(request: Request, project_id: int, form_id: str, root: str) -> Response:
        actor, project = gate.form(request, project_id, form_id, MANAGER)
        sent = Sent(store.now(), "", actor, device=None, agent=request.headers.get("user-agent"))
        entry = live(project, form_id, root)
        replace(store, project, form_id, await request.body(), sent, entry)
        return JSONResponse(index_row(entry))

    @router.delete(f"{SUBMISSIONS}/{{root}}")
    def delete(request: Request, project_id: int, form_id: str, root: str) -> Response:
        actor, project = gate.form(request, project_id, form_id, MANAGER)
        with store.lock:
            entry = live(project, form_id, root)
            store.drop(project, form_id, entry)
            details = {"instanceId": root, "submissionId": entry.number}
            store.audit(actor, "submission.delete", details, entry)
        return JSONResponse(DONE)

    return router
