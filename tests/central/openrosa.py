"""What ODK Collect asks of Central: list of forms, files, entity lists, and sending."""

import hashlib
import re
from collections.abc import Awaitable, Callable
from xml.sax.saxutils import escape

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from tests.central.actors import Actor
from tests.central.entities import to_csv
from tests.central.form_files import FormFile
from tests.central.forms import attachment
from tests.central.gate import Gate
from tests.central.intake import form_of, published, receive, replace, stale
from tests.central.problems import CentralProblemError, forbidden, not_found, not_signed_in
from tests.central.projects import Entry, Project, Sent
from tests.central.store import Store
from tests.central.xforms import read_xml, text_of

KEY = "/key/{token}/projects/{project_id}"
TOKEN = re.compile(r"[A-Za-z0-9!$]{64}")
TEXT_XML = "text/xml; charset=utf-8"
HEADERS = {"X-OpenRosa-Version": "1.0", "X-OpenRosa-Accept-Content-Length": "100000000"}
LANGUAGE = {"Content-Language": "en"}


def say(status: int, message: str, nature: str = "", headers: dict[str, str] | None = None) -> Response:
    """Answer as OpenRosa wants it."""
    body = (
        '\n  <OpenRosaResponse xmlns="http://openrosa.org/http/response" items="0">\n'
        f'    <message nature="{nature}">{escape(message, {chr(39): "&#39;"})}</message>\n'
        "  </OpenRosaResponse>"
    )
    return Response(body, status, headers, TEXT_XML)


def refuse(error: CentralProblemError, headers: dict[str, str] | None = None) -> Response:
    return say(int(error.code), error.message, "error", headers)


def make_router(store: Store, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1")

    def enter(request: Request, token: str, project_id: int) -> tuple[Actor, Project]:
        """Let a tablet in. Raises CentralProblemError 401.2, 403.1, 404.1, and 400.4 without the header."""
        gate.log(request)
        if not TOKEN.fullmatch(token):
            raise not_signed_in()
        project = store.projects.get(project_id)
        users = [] if project is None else project.app_users
        user = next((one for one in users if one.token == token), None)
        if user is None or project is None:
            raise forbidden()
        user.last_used = store.now()
        return user, project

    def check_header(request: Request) -> None:
        if request.headers.get("x-openrosa-version") != "1.0":
            message = "An expected header field (X-OpenRosa-Version) did not match the expected format."
            raise CentralProblemError(400.4, message)

    def assigned(project: Project, user: Actor, form_id: str) -> FormFile:
        file = project.files.get(form_id)
        if file is None or file.published is None:
            raise not_found()
        if user.id not in file.assigned:
            raise forbidden()
        return file

    def answered(act: Callable[[], Response]) -> Response:
        try:
            return act()
        except CentralProblemError as error:
            return refuse(error)

    @router.get(f"{KEY}/formList")
    def form_list(request: Request, token: str, project_id: int) -> Response:
        def act() -> Response:
            user, project = enter(request, token, project_id)
            check_header(request)
            base = f"{store.public_url}/v1/key/{token}/projects/{project_id}/forms"
            files = sorted(project.files.values(), key=lambda one: -one.number)
            shown = [
                one for one in files if one.published and one.state == "open" and user.id in one.assigned
            ]
            forms = "".join(_xform(base, file) for file in shown)
            body = (
                '<?xml version="1.0" encoding="UTF-8"?>\n'
                f'  <xforms xmlns="http://openrosa.org/xforms/xformsList">{forms}\n  </xforms>'
            )
            return Response(body, 200, LANGUAGE | HEADERS, TEXT_XML)

        return answered(act)

    @router.get(f"{KEY}/forms/{{form_id}}.xml")
    def form(request: Request, token: str, project_id: int, form_id: str) -> Response:
        def act() -> Response:
            user, project = enter(request, token, project_id)
            version = assigned(project, user, form_id).published
            assert version is not None
            return Response(version.definition.xml, media_type="application/xml; charset=utf-8")

        return answered(act)

    @router.get(f"{KEY}/forms/{{form_id}}/manifest")
    def manifest(request: Request, token: str, project_id: int, form_id: str) -> Response:
        def act() -> Response:
            user, project = enter(request, token, project_id)
            check_header(request)
            base = f"{store.public_url}/v1/key/{token}/projects/{project_id}"
            body = _manifest(project, assigned(project, user, form_id), user, base)
            return Response(body, 200, LANGUAGE | HEADERS, TEXT_XML)

        return answered(act)

    @router.get(f"{KEY}/forms/{{form_id}}/attachments/{{name}}")
    def media(request: Request, token: str, project_id: int, form_id: str, name: str) -> Response:
        def act() -> Response:
            user, project = enter(request, token, project_id)
            content, _ = _file(project, assigned(project, user, form_id), user, name)
            etag = f'"{_md5(content)}"'
            if request.headers.get("if-none-match") == etag:
                return Response(status_code=304)
            return attachment(content, name, {"ETag": etag})

        return answered(act)

    @router.get(f"{KEY}/datasets/{{name}}/integrity")
    def integrity(request: Request, token: str, project_id: int, name: str) -> Response:
        def act() -> Response:
            _, project = enter(request, token, project_id)
            if name not in project.lists:
                raise not_found()
            known = project.lists[name].entities
            asked = [one for one in request.query_params.get("id", "").split(",") if one in known]
            rows = "".join(
                f'\n      <entity id="{one}">\n        <deleted>'
                f"{str(known[one].deleted_at is not None).lower()}</deleted>\n      </entity>"
                for one in asked
            )
            body = f'<?xml version="1.0" encoding="UTF-8"?>\n  <data>\n    <entities>{rows}\n    </entities>'
            return Response(f"{body}\n  </data>", media_type=TEXT_XML)

        return answered(act)

    @router.head(f"{KEY}/submission")
    def head(request: Request, token: str, project_id: int) -> Response:
        def act() -> Response:
            enter(request, token, project_id)
            check_header(request)
            return Response(status_code=204, headers=LANGUAGE | HEADERS)

        return answered(act)

    @router.post(f"{KEY}/submission")
    async def submit(request: Request, token: str, project_id: int) -> Response:
        try:
            user, project = enter(request, token, project_id)
            check_header(request)
        except CentralProblemError as error:
            return refuse(error)
        try:
            await _take(store, project, user, request)
        except CentralProblemError as error:
            return refuse(error, LANGUAGE | HEADERS)
        return say(201, "full submission upload was successful!", "", LANGUAGE | HEADERS)

    return router


async def _take(store: Store, project: Project, user: Actor, request: Request) -> None:
    """Store what Collect sends. Raises CentralProblemError."""
    parts: dict[str, bytes] = {}
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        read: Callable[[UploadFile], Awaitable[bytes]] = UploadFile.read
        form = await request.form()
        parts = {name: await read(part) for name, part in form.items() if isinstance(part, UploadFile)}
    if "xml_submission_file" not in parts:
        raise CentralProblemError(400.2, "Required multipart POST field xml_submission_file missing.")
    body = parts.pop("xml_submission_file")
    xml = read_xml(body)
    form_id = form_of(xml)
    file = project.files.get(form_id)
    if file is None or user.id not in file.assigned:
        raise not_found()
    if file.state == "closed":
        message = (
            "This form is not currently accepting submissions. Please talk to your program staff if this is "
            "unexpected."
        )
        raise CentralProblemError(409.2, message)
    published(project, form_id, xml)
    device = request.query_params.get("deviceID")
    sent = Sent(store.now(), "", user, device=device, agent=request.headers.get("user-agent"))
    root = text_of(xml, "meta", "instanceID") or ""
    known = next((one for one in project.listed(form_id, deleted=None) if one.root == root), None)
    if text_of(xml, "meta", "deprecatedID") is not None:
        replace(store, project, form_id, body, sent, None)
    elif known is None:
        receive(store, project, form_id, body, sent, parts)
    else:
        _again(known, body, parts)


def _again(known: Entry, body: bytes, parts: dict[str, bytes]) -> None:
    """Take the same submission again: only byte for byte, and only for its files."""
    if known.deleted_at is not None:
        raise CentralProblemError(409.18, "This submission has been deleted. You may not resubmit it.")
    if len(known.sent) > 1:
        raise stale("undefined")
    if known.sent[-1].xml != body:
        message = (
            "A submission already exists with this ID, but with different XML. Resubmissions to attach "
            "additional multimedia must resubmit an identical xml_submission_file."
        )
        raise CentralProblemError(409.1, message)
    known.photos |= {name: content for name, content in parts.items() if name in known.photos}


def _file(project: Project, file: FormFile, user: Actor, name: str) -> tuple[bytes, bool]:
    """Return a file of a form, and whether it is an entity list; of a list, what this tablet may see."""
    assert file.published is not None
    stored = file.published.files.get(name)
    if stored is not None:
        return stored.content, False
    entities = project.lists.get(name.removesuffix(".csv"))
    if entities is None or name not in file.published.definition.files:
        raise not_found()
    return to_csv(entities, entities.seen_by(user), for_device=True), True


def _manifest(project: Project, file: FormFile, user: Actor, base: str) -> str:
    assert file.published is not None
    rows = []
    for name in file.published.definition.files:
        try:
            content, is_list = _file(project, file, user, name)
        except CentralProblemError:
            continue
        kind = ' type="entityList"' if is_list else ""
        url = f"{base}/datasets/{name.removesuffix('.csv')}/integrity"
        row = (
            f"\n    <mediaFile{kind}>\n      <filename>{name}</filename>\n      <hash>md5:{_md5(content)}</hash>\n"
            f"      <downloadUrl>{base}/forms/{file.form_id}/attachments/{name}</downloadUrl>\n"
        )
        rows.append(
            row + (f"      <integrityUrl>{url}</integrityUrl>\n" if is_list else "") + "    </mediaFile>"
        )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n  <manifest xmlns="http://openrosa.org/xforms/xformsManifest">'
    return f"{head}{''.join(rows)}\n  </manifest>"


def _xform(base: str, file: FormFile) -> str:
    assert file.published is not None
    definition = file.published.definition
    lines = {
        "formID": file.form_id,
        "name": definition.title,
        "version": file.published.version,
        "hash": f"md5:{definition.md5()}",
        "downloadUrl": f"{base}/{file.form_id}.xml",
    }
    if definition.files:
        lines["manifestUrl"] = f"{base}/{file.form_id}/manifest"
    inner = "".join(f"\n      <{name}>{escape(value)}</{name}>" for name, value in lines.items())
    return f"\n    <xform>{inner}\n    </xform>"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
