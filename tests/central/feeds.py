"""The OData feed of submissions: the root table, single rows, and repeats as tables of their own."""

import copy
import json
from collections.abc import Mapping
from urllib.parse import unquote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tests.central.actors import stamp
from tests.central.gate import Gate
from tests.central.odata import Filter, Reading, next_link, page_of
from tests.central.problems import CentralProblemError, not_found, unsupported
from tests.central.projects import Entry, Project, Row, event_hash
from tests.central.store import Store

SVC = "/projects/{project_id}/forms/{form_id}.svc"
REVIEW, DELETED = "__system/reviewState", "__system/deletedAt"
FIELDS: dict[str, Reading] = {
    "__id": lambda entry: entry.root,
    "__system/submissionDate": lambda entry: entry.created_at,
    "__system/updatedAt": lambda entry: entry.updated_at,
    "__system/submitterId": lambda entry: entry.sent[0].submitter.id,
    REVIEW: lambda entry: entry.review_state,
    DELETED: lambda entry: entry.deleted_at,
}


def content_of(project: Project, form_id: str, entry: Entry) -> Row:
    """Return the newest version's content with repeats, by the newest form."""
    sent, file = entry.sent[-1], project.files.get(form_id)
    if sent.xml is not None and file is not None and file.published is not None:
        return file.published.definition.to_row(sent.xml, entry.root)
    return copy.deepcopy(entry.versions[-1])


def form_version(entry: Entry) -> str | None:
    """The version of the first submission, whatever later ones say."""
    if entry.form_version is not None:
        return entry.form_version
    return str(entry.versions[0].get("__system", {}).get("formVersion"))


def system_of(entry: Entry) -> Row:
    first = entry.sent[0]
    return {
        "submissionDate": stamp(entry.created_at),
        "updatedAt": stamp(entry.updated_at),
        "submitterId": str(first.submitter.id),
        "submitterName": first.submitter.name,
        "attachmentsPresent": sum(photo is not None for photo in entry.photos.values()),
        "attachmentsExpected": len(entry.photos),
        "status": "notDecrypted" if entry.is_encrypted else None,
        "reviewState": entry.review_state,
        "deviceId": first.device,
        "edits": len(entry.versions) - 1,
        "formVersion": form_version(entry),
        "deletedAt": stamp(entry.deleted_at),
    }


def feed_row(project: Project, form_id: str, entry: Entry, *, expand: bool) -> Row:
    """One row of the feed; an encrypted one has no content."""
    row: Row = {}
    if not entry.is_encrypted:
        row = content_of(project, form_id, entry)
        row = row if expand else _without_repeats(row)
    return row | {"__id": entry.root, "__system": system_of(entry)}


def _without_repeats(row: Row) -> Row:
    return {
        name: _without_repeats(value) if isinstance(value, dict) else value
        for name, value in row.items()
        if not isinstance(value, list) or name == "coordinates"
    }


def chosen(
    project: Project, form_id: str, asked: Mapping[str, str], fields: Mapping[str, Reading] = FIELDS
) -> list[Entry]:
    """List what the filter chooses; deleted ones only where it names their date."""
    if "$filter" not in asked:
        return project.listed(form_id)
    choice = Filter(asked["$filter"], fields)
    names_deleted = any(name.endswith(DELETED) for name in choice.names)
    entries = project.listed(form_id, deleted=None if names_deleted else False)
    return [entry for entry in entries if choice.matches(entry)]


def etag_of(project: Project, form_id: str, page: list[Entry]) -> str:
    """The ETag knows the events of the rows, not their photos."""
    return event_hash("".join(f"{form_id}{project.id}{entry.root}{entry.event}" for entry in page))


def _sorted(entries: list[Entry], order: str) -> list[Entry]:
    for part in reversed(order.split(",")):
        name, *direction = part.split()
        if name not in FIELDS:
            raise unsupported(f"$orderby {name}")
        read = FIELDS[name]
        entries = sorted(
            entries, key=lambda one: (read(one) is not None, read(one)), reverse=direction == ["desc"]
        )
    return entries


def _selected(row: Row, select: str) -> Row:
    names = {name.split("/")[0] for name in select.split(",")}
    return {name: value for name, value in row.items() if name.split("@")[0] in names}


def _well_known_text(row: Row) -> Row:
    shown = {}
    for name, value in row.items():
        if isinstance(value, dict) and value.get("type") == "Point":
            shown[name] = f"POINT ({' '.join(str(number) for number in value['coordinates'])})"
        else:
            shown[name] = _well_known_text(value) if isinstance(value, dict) else value
    return shown


def make_router(store: Store, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get(SVC)
    def document(request: Request, project_id: int, form_id: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        file = project.files.get(form_id)
        fields = file.published.definition.fields if file and file.published else []
        tables = [f"Submissions.{one.path[1:].replace('/', '.')}" for one in fields if one.kind == "repeat"]
        value = [{"name": name, "kind": "EntitySet", "url": name} for name in ["Submissions", *tables]]
        context = f"{_context(store, project_id, form_id)}/$metadata"
        media = "application/json; charset=utf-8; odata.metadata=minimal"
        return Response(json.dumps({"@odata.context": context, "value": value}), media_type=media)

    @router.get(f"{SVC}/Submissions")
    def feed(request: Request, project_id: int, form_id: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        return _feed(store, project, request, form_id)

    @router.get(f"{SVC}/{{table}}")
    def table(request: Request, project_id: int, form_id: str, table: str) -> Response:
        _, project = gate.form(request, project_id, form_id)
        if table.startswith("Submissions("):
            return _single(store, project, request, form_id, unquote(table[12:-1]).strip("'"))
        if table.startswith("Submissions."):
            return _repeat(store, project, request, form_id, table)
        raise not_found()

    return router


def _context(store: Store, project_id: int, form_id: str) -> str:
    return f"{store.public_url}/v1/projects/{project_id}/forms/{form_id}.svc"


def _feed(store: Store, project: Project, request: Request, form_id: str) -> Response:
    asked = dict(request.query_params)
    if "$orderby" in asked and "$skiptoken" in asked:
        raise unsupported("using $orderby and $skiptoken together")
    if "$select" in asked and "$expand" in asked:
        raise CentralProblemError(501.11, "This server doesn't support $select query parameter with $expand.")
    entries = chosen(project, form_id, asked)
    if "$orderby" in asked:
        entries = _sorted(entries, asked["$orderby"])
    page, token = page_of(entries, asked, "instanceId", lambda one: one.root, store.page_limit)
    headers = {"ETag": etag_of(project, form_id, page)} if asked.get("$top") != "0" else {}
    if headers and request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    rows = [feed_row(project, form_id, one, expand=asked.get("$expand") == "*") for one in page]
    if "$select" in asked:
        rows = [_selected(row, asked["$select"]) for row in rows]
    if asked.get("$wkt") == "true":
        rows = [_well_known_text(row) for row in rows]
    return _page(store, project, form_id, "Submissions", rows, asked, token, len(entries), headers)


def _page(
    store: Store,
    project: Project,
    form_id: str,
    table: str,
    rows: list[Row],
    asked: dict[str, str],
    token: str | None,
    count: int,
    headers: dict[str, str],
) -> Response:
    context = _context(store, project.id, form_id)
    body: Row = {"value": rows, "@odata.context": f"{context}/$metadata#{table}"}
    if token is not None:
        rest = {name: value for name, value in asked.items() if name not in {"$skiptoken", "$skip"}}
        body["@odata.nextLink"] = next_link(context, table, rest, token)
    if asked.get("$count") == "true":
        body["@odata.count"] = count
    # ASCII, so that a row may hold what UTF-8 cannot.
    return Response(json.dumps(body), media_type="application/json; charset=utf-8", headers=headers)


def _single(store: Store, project: Project, request: Request, form_id: str, root: str) -> Response:
    entry = next((one for one in project.listed(form_id) if one.root == root), None)
    if entry is None:
        raise not_found()
    row = feed_row(project, form_id, entry, expand=request.query_params.get("$expand") == "*")
    context = f"{_context(store, project.id, form_id)}/$metadata#Submissions"
    return JSONResponse({"value": [row], "@odata.context": context})


def _repeat(store: Store, project: Project, request: Request, form_id: str, table: str) -> Response:
    """A repeat as a table: its filter needs the prefix of the root."""
    asked = dict(request.query_params)
    fields = {f"$root/Submissions/{name}": read for name, read in FIELDS.items()}
    entries = chosen(project, form_id, asked, fields)
    rows = []
    for entry in entries:
        found = [content_of(project, form_id, entry)]
        for name in table.split(".")[1:]:
            found = [item for row in found for item in row.get(name) or []]
        rows += [_without_repeats(row) | {"__Submissions-id": entry.root} for row in found]
    page, token = page_of(rows, asked, "repeatId", lambda row: str(row["__id"]))
    headers = {"ETag": etag_of(project, form_id, entries)}
    return _page(store, project, form_id, table, page, asked, token, len(rows), headers)
