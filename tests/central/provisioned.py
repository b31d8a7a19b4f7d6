"""A stand-in for what ODK Central keeps about one project: forms, entity lists, app users, rights.

Its answers follow a real v2026.2.2; tests/integration/test_central_truth.py asks a real one the same questions.
"""

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

READ = {
    "actor_property.list", "dataset.list", "dataset.read", "entity.list", "entity.read", "form.list", "form.read",
    "project.read", "submission.list", "submission.read",
}  # fmt: skip
WRITE = READ | {
    "actor_property.update", "assignment.create", "assignment.delete", "assignment.list", "dataset.create",
    "dataset.update", "entity.create", "entity.delete", "entity.update", "field_key.create", "field_key.list",
    "field_key.update", "form.create", "form.update", "project.update", "session.end", "submission.update",
}  # fmt: skip
VERBS = {"viewer": READ, "manager": WRITE, "admin": WRITE | {"config.set", "project.create", "user.create"}}
AT = "2026-11-23T12:29:53.830Z"
PASSWORD = "a long password"
NO_RIGHT = "The authentication you provided does not have rights to perform that action."


class ProblemError(Exception):
    """An error as Central words it."""

    def __init__(self, code: float, message: str, details: Any = None) -> None:
        self.code, self.message, self.details = code, message, details
        super().__init__(message)


@dataclass
class Definition:
    """One version of a form."""

    xml: str
    files: dict[str, bytes] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)

    @property
    def version(self) -> str:
        return _found(r'<instance>\s*<\w+[^>]*? version="([^"]*)"', self.xml)

    @property
    def root(self) -> str:
        return _found(r"<instance>\s*<(\w+)", self.xml)

    @property
    def named(self) -> list[str]:
        return re.findall(r'src="jr://file(?:-csv)?/([^"]+)"', self.xml)

    @property
    def saves(self) -> dict[str, list[str]]:
        """Central sees entities only under a root of the name `data`."""
        name = _found(r'<entity[^>]* dataset="([^"]+)"', self.xml)
        if not name:
            return {}
        saved = re.findall(r'entities:saveto="([^"]+)"', self.xml)
        return {name: saved if self.root == "data" else []}


@dataclass
class FormStore:
    """A form with its published versions, the newest last, and its draft."""

    published: list[Definition] = field(default_factory=list)
    draft: Definition | None = None
    state: str = "open"


@dataclass
class ListStore:
    """An entity list without its entities."""

    properties: list[str] = field(default_factory=list)
    approval: bool = False
    access: dict[str, Any] | None = None


@dataclass
class Project:
    """A server with one project. `roles`: e-mail -> role. `is_old`: a server from before actor properties."""

    project_id: int = 1
    name: str = "Returns"
    exists: bool = True
    archived: bool = False
    key_id: int | None = None
    is_old: bool = False
    version: str | None = "2026.2.2"
    roles: dict[str, str] = field(
        default_factory=lambda: {"reader@example.org": "viewer", "manager@example.org": "manager"}
    )
    sessions: dict[str, str] = field(default_factory=dict)
    forms: dict[str, FormStore] = field(default_factory=dict)
    lists: dict[str, ListStore] = field(default_factory=dict)
    actor_properties: list[str] = field(default_factory=list)
    app_users: list[dict[str, Any]] = field(default_factory=list)
    assigned: set[tuple[int, str]] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    changes: int = 0

    def picture(self) -> dict[str, Any]:
        """All that stands, without tokens: equal pictures are equal servers."""
        names = {user["id"]: user["displayName"] for user in self.app_users}
        return {
            "forms": {
                form_id: (
                    [one.version for one in form.published],
                    [sorted(one.files) for one in form.published],
                )
                for form_id, form in self.forms.items()
            },
            "lists": {
                name: (sorted(one.properties), one.approval, one.access) for name, one in self.lists.items()
            },
            "actor_properties": sorted(self.actor_properties),
            "app_users": sorted(
                (user["displayName"], user["token"] is not None, str(user["properties"]))
                for user in self.app_users
            ),
            "assigned": sorted((names[number], form_id) for number, form_id in self.assigned),
        }


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else ""


def make_project_router(project: Project) -> APIRouter:
    router = APIRouter(prefix="/v1")

    def enter(request: Request, verb: str | None = None, number: int | None = None) -> str:
        project.requests.append(f"{request.method} {request.url.path}")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        email = project.sessions.get(token)
        if email is None:
            raise ProblemError(401.2, "Could not authenticate with the provided credentials.")
        if number is not None and (number != project.project_id or not project.exists):
            raise ProblemError(404.1, "Could not find the resource you were looking for.")
        if verb and verb not in VERBS[project.roles[email]]:
            raise ProblemError(403.1, NO_RIGHT)
        if request.method != "GET" and not request.url.path.endswith("/sessions/current"):
            project.changes += 1
        return email

    def form_of(form_id: str) -> FormStore:
        if form_id not in project.forms:
            raise ProblemError(404.1, "Could not find the resource you were looking for.")
        return project.forms[form_id]

    def row_of(form_id: str, definition: Definition, *, published: bool) -> dict[str, Any]:
        version = definition.version + ("[encrypted:abc]" if project.key_id else "")
        return {
            "projectId": project.project_id, "xmlFormId": form_id, "state": form_of(form_id).state, "version": version,
            "keyId": project.key_id, "hash": hashlib.md5(definition.xml.encode()).hexdigest(),  # noqa: S324
            "publishedAt": AT if published else None, "name": form_id, "createdAt": AT, "updatedAt": None,
        }  # fmt: skip

    def current(form_id: str, *, draft: bool = False) -> Definition:
        form = form_of(form_id)
        found = form.draft if draft else (form.published[-1] if form.published else form.draft)
        if found is None:
            raise ProblemError(404.1, "Could not find the resource you were looking for.")
        return found

    @router.post("/sessions")
    async def sign_in(request: Request) -> Response:
        body = await request.json()
        if body["email"] not in project.roles or body["password"] != PASSWORD:
            raise ProblemError(401.2, "Could not authenticate with the provided credentials.")
        token = secrets.token_hex(32)
        project.sessions[token] = body["email"]
        return JSONResponse({"token": token, "csrf": "x", "expiresAt": AT, "createdAt": AT})

    @router.get("/users/current")
    def user(request: Request) -> Response:
        return JSONResponse({"email": enter(request), "id": 5})

    @router.get("/users")
    def users(request: Request, q: str) -> Response:
        enter(request, "user.create")
        rows = [{"id": at, "email": email} for at, email in enumerate(project.roles, 5) if q in email]
        return JSONResponse(rows)

    @router.delete("/sessions/{token}")
    def end(request: Request, token: str) -> Response:
        enter(request)
        if token == "current":
            project.sessions.pop(request.headers["authorization"].removeprefix("Bearer "))
            return JSONResponse({"success": True})
        found = next((one for one in project.app_users if one["token"] == token), None)
        email = project.sessions[request.headers["authorization"].removeprefix("Bearer ")]
        if found is None or "session.end" not in VERBS[project.roles[email]]:
            raise ProblemError(403.1, NO_RIGHT)
        found["token"] = None
        return JSONResponse({"success": True})

    @router.get("/projects")
    def projects(request: Request) -> Response:
        enter(request)
        return JSONResponse([{"id": project.project_id, "name": project.name}] if project.exists else [])

    @router.post("/projects")
    async def make(request: Request) -> Response:
        enter(request, "project.create")
        project.name, project.exists = (await request.json())["name"], True
        return JSONResponse({"id": project.project_id, "name": project.name})

    @router.post("/projects/{number}/assignments/{role}/{actor}")
    def give_role(request: Request, number: int, role: str, actor: int) -> Response:
        enter(request, "assignment.create", number)
        email = list(project.roles)[actor - 5]
        if project.roles[email] == role:
            raise ProblemError(409.3, "A resource already exists with actorId,roleId,acteeId value(s) of x.")
        project.roles[email] = role
        return JSONResponse({"success": True})

    @router.get("/projects/{number}")
    def one(request: Request, number: int) -> Response:
        email = enter(request, "project.read", number)
        row = {
            "id": number,
            "name": project.name,
            "archived": project.archived or None,
            "keyId": project.key_id,
        }
        return JSONResponse(row | {"verbs": sorted(VERBS[project.roles[email]])})

    @router.get("/projects/{number}/forms")
    def forms(request: Request, number: int) -> Response:
        enter(request, "form.list", number)
        rows = [
            row_of(form_id, current(form_id), published=bool(form.published))
            for form_id, form in project.forms.items()
        ]
        return JSONResponse(rows)

    @router.post("/projects/{number}/forms")
    async def create_form(request: Request, number: int) -> Response:
        enter(request, "form.create", number)
        definition = Definition((await request.body()).decode())
        form_id = _found(r'<instance>\s*<\w+[^>]*? id="([^"]*)"', definition.xml)
        if form_id in project.forms:
            raise ProblemError(409.3, "A resource already exists with projectId,xmlFormId value(s) of x.")
        definition.lists = {name for name in project.lists if f"{name}.csv" in definition.named}
        project.forms[form_id] = FormStore(draft=definition)
        return JSONResponse(row_of(form_id, definition, published=False))

    @router.post("/projects/{number}/forms/{form_id}/draft")
    async def create_draft(request: Request, number: int, form_id: str) -> Response:
        enter(request, "form.update", number)
        form = form_of(form_id)
        kept = dict(form.published[-1].files) if form.published else {}
        if form.draft:
            kept |= form.draft.files
        xml = (await request.body()).decode()
        form.draft = Definition(xml, kept)
        form.draft.lists = {name for name in project.lists if f"{name}.csv" in form.draft.named}
        return JSONResponse({"success": True})

    @router.get("/projects/{number}/forms/{form_id}/draft")
    def draft(request: Request, number: int, form_id: str) -> Response:
        enter(request, "form.read", number)
        return JSONResponse(row_of(form_id, current(form_id, draft=True), published=False))

    @router.get("/projects/{number}/forms/{form_id}/versions")
    def versions(request: Request, number: int, form_id: str) -> Response:
        enter(request, "form.read", number)
        rows = [row_of(form_id, one, published=True) for one in reversed(form_of(form_id).published)]
        return JSONResponse(rows)

    @router.get("/projects/{number}/forms/{form_id}/fields")
    def fields(request: Request, number: int, form_id: str) -> Response:
        enter(request, "form.read", number)
        definition = current(form_id)
        paths = re.findall(rf'<bind nodeset="/{definition.root}(/[^"]+)"', definition.xml)
        return JSONResponse(
            [{"path": path, "name": path.rpartition("/")[2], "type": "string"} for path in paths]
        )

    def attachments_of(definition: Definition) -> list[dict[str, Any]]:
        rows = []
        for name in definition.named:
            content, is_list = definition.files.get(name), name.removesuffix(".csv") in definition.lists
            digest = hashlib.md5(content).hexdigest() if content is not None else None  # noqa: S324
            rows.append(
                {"name": name, "type": "file", "hash": digest, "exists": content is not None or is_list}
                | {"blobExists": content is not None, "datasetExists": is_list}
            )
        return rows

    def diff_of(definition: Definition) -> list[dict[str, Any]]:
        return [
            {"name": name, "properties": [{"name": one, "inForm": True} for one in saved]}
            for name, saved in definition.saves.items()
        ]

    @router.get("/projects/{number}/forms/{form_id}/attachments")
    def attachments(request: Request, number: int, form_id: str) -> Response:
        enter(request, "form.read", number)
        return JSONResponse(attachments_of(current(form_id)))

    @router.get("/projects/{number}/forms/{form_id}/draft/attachments")
    def draft_attachments(request: Request, number: int, form_id: str) -> Response:
        enter(request, "form.read", number)
        return JSONResponse(attachments_of(current(form_id, draft=True)))

    @router.post("/projects/{number}/forms/{form_id}/draft/attachments/{name}")
    async def upload(request: Request, number: int, form_id: str, name: str) -> Response:
        enter(request, "form.update", number)
        current(form_id, draft=True).files[name] = await request.body()
        return JSONResponse({"name": name})

    @router.get("/projects/{number}/forms/{form_id}/dataset-diff")
    def diff(request: Request, number: int, form_id: str) -> Response:
        enter(request, "form.read", number)
        return JSONResponse(diff_of(current(form_id)))

    @router.get("/projects/{number}/forms/{form_id}/draft/dataset-diff")
    def draft_diff(request: Request, number: int, form_id: str) -> Response:
        enter(request, "form.read", number)
        return JSONResponse(diff_of(current(form_id, draft=True)))

    @router.post("/projects/{number}/forms/{form_id}/draft/publish")
    def publish(request: Request, number: int, form_id: str) -> Response:
        enter(request, "form.update", number)
        form, definition = form_of(form_id), current(form_id, draft=True)
        if definition.version in {one.version for one in form.published}:
            raise ProblemError(409.6, f"You tried to publish the form '{form_id}' with version 'x', but ...")
        form.published.append(definition)
        form.draft = None
        for name, saved in definition.saves.items():
            known = project.lists.setdefault(name, ListStore()).properties
            known += [one for one in saved if one not in known]
        return JSONResponse({"success": True})

    @router.get("/projects/{number}/forms/{form_id}.xml")
    def xml(request: Request, number: int, form_id: str) -> Response:
        enter(request, "form.read", number)
        return Response(current(form_id).xml, media_type="application/xml")

    @router.post("/projects/{number}/forms/{form_id}/assignments/{role}/{actor}")
    def assign(request: Request, number: int, form_id: str, role: str, actor: int) -> Response:
        enter(request, "assignment.create", number)
        form_of(form_id)
        if (actor, form_id) in project.assigned:
            raise ProblemError(409.3, "A resource already exists with actorId,roleId,acteeId value(s) of x.")
        project.assigned.add((actor, form_id))
        return JSONResponse({"success": True})

    @router.get("/projects/{number}/assignments/forms/{role}")
    def assignments(request: Request, number: int, role: str) -> Response:
        enter(request, "assignment.list", number)
        rows = [{"actorId": actor, "roleId": 2, "xmlFormId": form_id} for actor, form_id in project.assigned]
        return JSONResponse(rows)

    def list_row(name: str) -> dict[str, Any]:
        if name not in project.lists:
            raise ProblemError(404.1, "Could not find the resource you were looking for.")
        found = project.lists[name]
        row: dict[str, Any] = {
            "name": name, "projectId": project.project_id, "approvalRequired": found.approval, "ownerOnly": False,
            "properties": [{"name": one, "odataName": one, "forms": []} for one in found.properties],
        }  # fmt: skip
        return row if found.access is None else row | {"accessFilter": found.access}

    @router.get("/projects/{number}/datasets/{name}")
    def get_list(request: Request, number: int, name: str) -> Response:
        enter(request, "dataset.read", number)
        return JSONResponse(list_row(name))

    @router.post("/projects/{number}/datasets")
    async def create_list(request: Request, number: int) -> Response:
        enter(request, "dataset.create", number)
        body = await request.json()
        if body["name"] in project.lists:
            raise ProblemError(409.3, "A resource already exists with name,projectId value(s) of x.")
        project.lists[body["name"]] = ListStore(approval=body.get("approvalRequired", False))
        return JSONResponse(list_row(body["name"]))

    @router.post("/projects/{number}/datasets/{name}/properties")
    async def create_property(request: Request, number: int, name: str) -> Response:
        enter(request, "dataset.update", number)
        list_row(name)
        known, wanted = project.lists[name].properties, (await request.json())["name"]
        if wanted.casefold() in {one.casefold() for one in known}:
            raise ProblemError(409.3, "A resource already exists with name,datasetId value(s) of x.")
        known.append(wanted)
        return JSONResponse({"success": True})

    @router.patch("/projects/{number}/datasets/{name}")
    async def change_list(request: Request, number: int, name: str) -> Response:
        enter(request, "dataset.update", number)
        list_row(name)
        body, found = await request.json(), project.lists[name]
        found.approval = body.get("approvalRequired", found.approval)
        if "accessFilter" in body and not project.is_old:
            rules = (body["accessFilter"] or {}).get("rules", [])
            known = all(
                rule["datasetProperty"] in found.properties
                and rule["actorProperty"] in project.actor_properties
                for rule in rules
            )
            found.access = body["accessFilter"] if rules and known else None  # silently, as the real one does
        return JSONResponse(list_row(name))

    @router.get("/projects/{number}/actor-properties")
    def actor_properties(request: Request, number: int) -> Response:
        enter(request, "actor_property.list", number)
        if project.is_old:
            raise ProblemError(404.1, "Could not find the resource you were looking for.")
        return JSONResponse([{"name": name} for name in project.actor_properties])

    @router.post("/projects/{number}/actor-properties")
    async def create_actor_property(request: Request, number: int) -> Response:
        enter(request, "actor_property.update", number)
        name = (await request.json())["name"]
        if name in project.actor_properties:
            raise ProblemError(409.3, "A resource already exists with projectId,name value(s) of x.")
        project.actor_properties.append(name)
        return JSONResponse({"success": True})

    def check_properties(properties: dict[str, str] | None) -> None:
        for name in properties or {}:
            if name not in project.actor_properties:
                raise ProblemError(400.8, f"Unexpected properties value {name}; Unknown property name.")

    @router.get("/projects/{number}/app-users")
    def app_users(request: Request, number: int) -> Response:
        enter(request, "field_key.list", number)
        return JSONResponse(list(reversed(project.app_users)))

    @router.post("/projects/{number}/app-users")
    async def create_app_user(request: Request, number: int) -> Response:
        enter(request, "field_key.create", number)
        body = await request.json()
        check_properties(body.get("properties"))
        token = "".join(secrets.choice("abcXYZ019!$") for _ in range(64))
        row = {
            "projectId": number, "id": 20 + len(project.app_users), "type": "field_key", "createdAt": AT,
            "displayName": body["displayName"], "token": token, "lastUsed": None,
            "properties": body.get("properties"),
        }  # fmt: skip
        project.app_users.append(row)
        return JSONResponse(row)

    @router.patch("/projects/{number}/app-users/{actor}")
    async def change_app_user(request: Request, number: int, actor: int) -> Response:
        enter(request, "field_key.update", number)
        found = next(one for one in project.app_users if one["id"] == actor)
        properties = (await request.json())["properties"]
        check_properties(properties)
        found["properties"] = (found["properties"] or {}) | properties
        return JSONResponse(found)

    return router


def make_project_app(project: Project) -> FastAPI:
    app = FastAPI()
    app.include_router(make_project_router(project))

    @app.exception_handler(ProblemError)
    def problem(_: Request, error: ProblemError) -> JSONResponse:
        body = {"message": error.message, "code": error.code}
        return JSONResponse(body, int(error.code))

    @app.get("/version.txt")
    def version() -> Response:
        if project.version is None:
            return JSONResponse({"message": "Expected an API version", "code": 404.2}, 404)
        return PlainTextResponse(
            f"versions:\n4f1 client (v{project.version})\n9a2 server (v{project.version})\n"
        )

    return app


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """Serve a project on a free port for the block; yields its address."""
    config = uvicorn.Config(
        make_project_app(project), host="127.0.0.1", port=0, log_level="error", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
