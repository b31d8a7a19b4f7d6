"""Submissions as CSV: the only way to the content where a project is encrypted."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tests.central.answers import Json
from tests.central.feeds import chosen, content_of, etag_of, form_version, system_of
from tests.central.forms import attachment
from tests.central.gate import Gate
from tests.central.problems import CentralProblemError
from tests.central.projects import Entry, Project, Row
from tests.central.store import Store

FORM = "/projects/{project_id}/forms/{form_id}"
NOT_DECRYPTED = "not decrypted"
ENCRYPTED_CONTENT = "submission.xml.enc"
SYSTEM = {
    "SubmitterID": "submitterId",
    "SubmitterName": "submitterName",
    "AttachmentsPresent": "attachmentsPresent",
    "AttachmentsExpected": "attachmentsExpected",
    "Status": "status",
    "ReviewState": "reviewState",
    "DeviceID": "deviceId",
    "Edits": "edits",
    "FormVersion": "formVersion",
}
POINT = ("Latitude", "Longitude", "Altitude", "Accuracy")


def make_router(store: Store, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1")

    async def export(request: Request, project_id: int, form_id: str, *, is_zip: bool) -> Response:
        _, project = gate.form(request, project_id, form_id)
        entries = chosen(project, form_id, dict(request.query_params))
        headers = {"ETag": etag_of(project, form_id, entries)}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        told = dict(parse_qsl((await request.body()).decode())) if request.method == "POST" else {}
        keys = {name for name in told if name.isdigit()}
        if keys and (project.key is None or str(project.key.id) not in keys):
            entries = [
                entry for entry in entries if not entry.is_encrypted
            ]  # those of other keys are left out
        try:
            is_open = check_passphrase(project, told)
        except CentralProblemError as error:
            return Json(error.body(), int(error.code), headers)
        split = request.query_params.get("splitSelectMultiples") == "true"
        tables = to_tables(project, form_id, entries, is_open=is_open, split=split)
        if request.query_params.get("groupPaths") == "false":
            tables[form_id] = _without_groups(tables[form_id])
        if not is_zip:
            return attachment(tables[form_id], f"{form_id}.csv", headers)
        with_files = request.query_params.get("attachments") != "false"
        shown = [one for one in entries if is_open or not one.is_encrypted]
        content = _zip(tables, shown if with_files else [])
        if is_open and any(entry.is_encrypted and entry.is_damaged for entry in entries):
            content = content[: len(content) // 2]
        name = f"{form_id}.zip" if with_files else f"{form_id}.csv.zip"
        answer = attachment(content, name, headers)
        answer.headers["Content-Type"] = "application/zip"
        return answer

    @router.api_route(f"{FORM}/submissions.csv", methods=["GET", "POST"])
    async def as_csv(request: Request, project_id: int, form_id: str) -> Response:
        return await export(request, project_id, form_id, is_zip=False)

    @router.api_route(f"{FORM}/submissions.csv.zip", methods=["GET", "POST"])
    async def as_zip(request: Request, project_id: int, form_id: str) -> Response:
        return await export(request, project_id, form_id, is_zip=True)

    return router


def check_passphrase(project: Project, told: dict[str, str]) -> bool:
    """Say whether content may be shown. Raises CentralProblemError 400.12 on a wrong passphrase, also for no rows."""
    key = project.key
    if key is None:
        return True
    passphrase = told.get(str(key.id))
    if passphrase is None:
        return False
    if passphrase != key.passphrase:
        message = "Could not perform decryption. Double check your passphrase and your data and try again."
        raise CentralProblemError(400.12, message)
    return True


def to_tables(
    project: Project, form_id: str, entries: list[Entry], *, is_open: bool, split: bool = False
) -> dict[str, bytes]:
    """Write the root table and one for each repeat, by the names of their files without `.csv`."""
    contents = [(entry, content_of(project, form_id, entry)) for entry in entries]
    columns = _columns_of(project, form_id, contents)
    if split:
        columns = _with_choices(project, form_id, columns, contents)
    rows = []
    for entry, content in contents:
        shown = is_open or not entry.is_encrypted
        system = system_of(entry) | {"formVersion": form_version(entry)}
        system["status"] = None if shown else NOT_DECRYPTED
        answers = dict(_flat("", content)) if shown else {}
        if split:
            answers |= _ticks(columns, answers)
        values = [answers.get(name, "") for name in columns]
        last = [_text(system[name]) for name in SYSTEM.values()]
        rows.append([system["submissionDate"], *values, entry.root, *last])
    tables = {form_id: _csv(["SubmissionDate", *columns, "KEY", *SYSTEM], rows)}
    for path in _repeats_of(project, form_id, contents):
        tables[f"{form_id}-{path.split('/')[-1]}"] = _repeat_table(
            project, form_id, path, contents, is_open=is_open
        )
    return tables


def _repeat_table(
    project: Project, form_id: str, path: str, contents: list[tuple[Entry, Row]], *, is_open: bool
) -> bytes:
    found = []
    for entry, content in contents:
        if is_open or not entry.is_encrypted:
            found += _rows_of(path.split("/"), content, entry.root)
    columns = _columns_within(project, form_id, f"/{path}/")
    columns = columns or list(dict.fromkeys(name for _, _, row in found for name, _ in _flat("", row)))
    rows = [
        [*(dict(_flat("", row)).get(name, "") for name in columns), parent, own] for parent, own, row in found
    ]
    return _csv([*columns, "PARENT_KEY", "KEY"], rows)


def _rows_of(names: list[str], content: Row, key: str, path: str = "") -> list[tuple[str, str, Row]]:
    """List (key of the parent, own key, row) of a repeat, through groups and outer repeats."""
    first, *rest = names
    value, path = content.get(first), f"{path}/{first}"
    if isinstance(value, dict) and rest:
        return _rows_of(rest, value, key, path)
    found: list[tuple[str, str, Row]] = []
    for number, row in enumerate(value or [], 1):
        own = f"{key}{path}[{number}]"
        found += _rows_of(rest, row, own) if rest else [(key, own, row)]
    return found


def _columns_of(project: Project, form_id: str, contents: list[tuple[Entry, Row]]) -> list[str]:
    columns = _columns_within(project, form_id, "/")
    return columns or list(dict.fromkeys(name for _, row in contents for name, _ in _flat("", row)))


def _columns_within(project: Project, form_id: str, start: str) -> list[str]:
    """List the columns of a table by the form; a repeat within is a table of its own."""
    file = project.files.get(form_id)
    if file is None or file.published is None:
        return []
    names: list[str] = []
    fields = [one for one in file.published.definition.fields if one.path.startswith(start)]
    repeats = tuple(f"{one.path}/" for one in fields if one.kind == "repeat")
    for one in fields:
        name = one.path[len(start) :].replace("/", "-")
        if one.kind not in {"structure", "repeat"} and not one.path.startswith(repeats):
            names += [f"{name}-{part}" for part in POINT] if one.kind == "geopoint" else [name]
    return names


def _without_groups(table: bytes) -> bytes:
    """Take the names of groups off the header; the parts of a point keep their question."""
    header, _, rest = table.partition(b"\n")
    names = []
    for name in header.decode().split(","):
        parts = name.split("-")
        names.append("-".join(parts[-2:]) if parts[-1] in POINT else parts[-1])
    return ",".join(names).encode() + b"\n" + rest


def _with_choices(
    project: Project, form_id: str, columns: list[str], contents: list[tuple[Entry, Row]]
) -> list[str]:
    """Add a column for every choice that anybody ticked."""
    file = project.files.get(form_id)
    fields = file.published.definition.fields if file is not None and file.published is not None else []
    multiple = {one.path[1:].replace("/", "-") for one in fields if one.is_multiple}
    found: list[str] = []
    for name in columns:
        ticked = {
            choice
            for _, row in contents
            for choice in (dict(_flat("", row)).get(name, "").split() if name in multiple else ())
        }
        found += [name, *(f"{name}/{choice}" for choice in sorted(ticked))]
    return found


def _ticks(columns: list[str], answers: dict[str, str]) -> dict[str, str]:
    """Write 1 or 0 under every choice, where the question was answered."""
    ticks = {}
    for name in columns:
        question, _, choice = name.partition("/")
        if choice and answers.get(question):
            ticks[name] = str(int(choice in answers[question].split()))
    return ticks


def _repeats_of(project: Project, form_id: str, contents: list[tuple[Entry, Row]]) -> list[str]:
    file = project.files.get(form_id)
    if file is not None and file.published is not None:
        return [one.path[1:] for one in file.published.definition.fields if one.kind == "repeat"]
    return list(dict.fromkeys(path for _, row in contents for path in _lists_in("", row)))


def _lists_in(path: str, row: Row) -> Iterator[str]:
    for name, value in row.items():
        if isinstance(value, list):
            yield f"{path}{name}"
        elif isinstance(value, dict) and value.get("type") != "Point":
            yield from _lists_in(f"{path}{name}/", value)


def _flat(prefix: str, row: Row) -> Iterator[tuple[str, str]]:
    """Flatten groups to `group-question`, and a point to its four columns."""
    for name, value in row.items():
        if name.startswith("__") or "@" in name or isinstance(value, list):
            continue
        full = f"{prefix}{name}"
        if isinstance(value, dict) and value.get("type") == "Point":
            longitude, latitude, *rest = value["coordinates"]
            accuracy = value.get("properties", {}).get("accuracy")
            numbers = (latitude, longitude, rest[0] if rest else None, accuracy)
            yield from zip((f"{full}-{part}" for part in POINT), map(_text, numbers), strict=True)
        elif isinstance(value, dict):
            yield from _flat(f"{full}-", value)
        else:
            yield full, _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _csv(header: list[str], rows: list[list[Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8", "replace")


def _zip(tables: dict[str, bytes], entries: list[Entry]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in tables.items():
            archive.writestr(f"{name}.csv", content)
        for entry in entries:
            for name, photo in entry.photos.items():
                if photo is not None and name != ENCRYPTED_CONTENT:
                    archive.writestr(f"media/{name.removesuffix('.enc')}", photo)
    return out.getvalue()
