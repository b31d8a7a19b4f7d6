"""Sessions, the own account, projects and their keys, the server's audit log."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tests.central.actors import ADMIN, MANAGER, stamp
from tests.central.gate import Gate
from tests.central.problems import CentralProblemError, forbidden, not_found, not_signed_in
from tests.central.projects import Key, Project
from tests.central.store import Store

DONE = {"success": True}
PASSPHRASE_LENGTH = 10
ROLES = ("Administrator:admin", "App User:app-user", "Project Manager:manager", "Project Viewer:viewer")
VERBS = {1: ["project.read", "form.list", "submission.read", "submission.list"], 2: ["submission.update"]}


def project_row(project: Project) -> dict[str, Any]:
    nulls = dict.fromkeys(("description", "archived", "updatedAt", "deletedAt"))
    key_id = project.key.id if project.key else None
    own = {"id": project.id, "name": project.name, "createdAt": stamp(project.created_at), "keyId": key_id}
    return own | nulls


def make_router(store: Store, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.post("/sessions")
    async def sign_in(request: Request) -> Response:
        gate.log(request)
        body = await request.json()
        email = body.get("email", "")
        if email not in store.accounts or store.accounts[email] != body.get("password"):
            raise not_signed_in()
        token, until = store.sign_in(email)
        row = {"token": token, "csrf": "x", "expiresAt": stamp(until), "createdAt": stamp(store.now())}
        return JSONResponse(row, headers={"Cache-Control": "no-store"})

    @router.delete("/sessions/{token:path}")
    def end(request: Request, token: str) -> Response:
        """Sign out, or revoke an app user."""
        actor = gate.enter(request)
        user = next((one for p in store.projects.values() for one in p.app_users if one.token == token), None)
        if user is not None and actor.level < MANAGER:
            raise forbidden()
        if user is not None:
            user.token = None
        elif token == "current":
            store.tokens.pop(request.headers["authorization"].removeprefix("Bearer "), None)
        elif store.tokens.pop(token, None) is None:
            raise not_found()
        return JSONResponse(DONE)

    @router.get("/users/current")
    def user(request: Request) -> Response:
        actor = gate.enter(request)
        extra = {"email": actor.name, "lastLoginAt": stamp(store.now())}
        if request.headers.get("x-extended-metadata") == "true":
            extra |= {"verbs": [], "preferences": {"site": {}, "projects": {}}}
        return JSONResponse(actor.row() | extra)

    @router.get("/roles")
    def roles(request: Request) -> Response:
        gate.enter(request)
        rows = []
        for number, role in enumerate(ROLES, 1):
            name, system = role.split(":")
            dates = {"createdAt": stamp(store.now()), "updatedAt": None}
            rows.append({"id": number, "name": name, "system": system, "verbs": ["project.read"]} | dates)
        return JSONResponse(rows)

    @router.get("/projects")
    def projects(request: Request) -> Response:
        actor = gate.enter(request)
        verbs = {"verbs": _verbs(actor.level)}
        return JSONResponse([project_row(project) | verbs for project in store.projects.values()])

    @router.post("/projects")
    async def create_project(request: Request) -> Response:
        gate.enter(request, ADMIN)
        body = await request.json()
        with store.lock:
            number = max(store.projects) + 1
            store.projects[number] = Project(number, body["name"], store.now())
        extra = {"acteeId": "672b770d-1464-43b4-8f69-3d2a6b14b290"}
        return JSONResponse(project_row(store.projects[number]) | extra)

    @router.get("/projects/{project_id}")
    def project(request: Request, project_id: int) -> Response:
        actor, found = gate.project(request, project_id)
        row = project_row(found)
        if request.headers.get("x-extended-metadata") == "true":
            dates = [one.created_at for entries in found.forms.values() for one in entries]
            row |= {
                "verbs": _verbs(actor.level),
                "forms": len(found.forms),
                "appUsers": len(found.app_users),
                "datasets": len(found.lists),
                "lastSubmission": stamp(max(dates, default=None)),
                "lastEntity": None,
            }
        return JSONResponse(row)

    @router.post("/projects/{project_id}/key")
    async def enable_key(request: Request, project_id: int) -> Response:
        """Turn on managed encryption; there is no way back."""
        _, found = gate.project(request, project_id, MANAGER)
        body = await request.json()
        if len(body.get("passphrase", "")) < PASSPHRASE_LENGTH:
            raise CentralProblemError(
                400.21, "The password or passphrase provided does not meet the required length."
            )
        if found.key is not None:
            feature = "managed encryption"
            message = f"Could not activate feature ({feature}) as it was already activated"
            raise CentralProblemError(409.4, message, {"feature": feature})
        found.key = Key(1, body["passphrase"], body.get("hint"), store.now())
        for file in found.files.values():
            file.key_id = found.key.id
            for version in [*file.versions, *([file.draft] if file.draft else [])]:
                version.suffix = "[encrypted:AaIIaMrL]"
        return JSONResponse(DONE)

    @router.get("/audits")
    def audits(request: Request, action: str | None = None, limit: int = 100) -> Response:
        gate.enter(request, ADMIN)
        found = [line for line in list(store.audits) if action in {None, line["action"]}]
        return JSONResponse(found[:limit])

    return router


def _verbs(level: int) -> list[str]:
    return [verb for needed, verbs in VERBS.items() if needed <= level for verb in verbs]
