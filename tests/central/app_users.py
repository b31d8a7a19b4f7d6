"""App users: create, list, assign to forms, properties. Revoking is the end of a session."""

import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tests.central.actors import MANAGER, Actor, stamp
from tests.central.gate import Gate
from tests.central.problems import CentralProblemError, exists, not_found
from tests.central.projects import Project
from tests.central.store import Store

DONE = {"success": True}
APP_USER_ROLE = 2
USERS = "/projects/{project_id}/app-users"


def user_row(project: Project, user: Actor) -> dict[str, Any]:
    own = {"projectId": project.id} | user.row()
    return own | {"token": user.token}


def make_router(store: Store, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1")

    def extended(project: Project, user: Actor) -> dict[str, Any]:
        row = user_row(project, user)
        row["createdBy"] = store.users[next(iter(store.users))].row()
        return row | {"lastUsed": stamp(user.last_used), "properties": user.properties}

    def find(project: Project, number: int) -> Actor:
        user = next((one for one in project.app_users if one.id == number), None)
        if user is None:
            raise not_found()
        return user

    @router.get(USERS)
    def users(request: Request, project_id: int) -> Response:
        """List the newest first; those whose access was revoked last, without a token."""
        _, project = gate.project(request, project_id, MANAGER)
        found = sorted(project.app_users, key=lambda one: (one.token is not None, one.id), reverse=True)
        is_extended = request.headers.get("x-extended-metadata") == "true"
        show = extended if is_extended else user_row
        return JSONResponse([show(project, one) for one in found])

    @router.post(USERS)
    async def create(request: Request, project_id: int) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        name = (await request.json())["displayName"]
        with store.lock:
            user = Actor(store.next_actor(), "field_key", name, store.now(), project_id=project_id)
            user.token = secrets.token_hex(32)
            project.app_users.append(user)
        extra = {"csrf": "x", "expiresAt": "9999-12-31T23:59:59.000Z"}
        return JSONResponse(user_row(project, user) | extra)

    @router.patch(f"{USERS}/{{number}}")
    async def change(request: Request, project_id: int, number: int) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        user, body = find(project, number), await request.json()
        properties = body.get("properties") or {}
        unknown = [name for name in properties if name not in project.actor_properties]
        if unknown:
            message = f"The actor property {unknown[0]} does not exist."
            raise CentralProblemError(400.8, message, {"field": "properties", "value": unknown[0]})
        user.properties = (user.properties or {}) | properties
        return JSONResponse(extended(project, user))

    @router.delete(f"{USERS}/{{number}}")
    def delete(request: Request, project_id: int, number: int) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        user = find(project, number)
        user.token = None
        project.app_users.remove(user)
        return JSONResponse(DONE)

    @router.get("/projects/{project_id}/actor-properties")
    def properties(request: Request, project_id: int) -> Response:
        _, project = gate.project(request, project_id)
        return JSONResponse([{"name": name} for name in project.actor_properties])

    @router.post("/projects/{project_id}/actor-properties")
    async def add_property(request: Request, project_id: int) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        name = (await request.json())["name"]
        if name in project.actor_properties:
            raise exists("actor_property_names", ["name", "projectId"], [name, str(project_id)])
        project.actor_properties.append(name)
        return JSONResponse(DONE)

    assignments = "/projects/{project_id}/forms/{form_id}/assignments"

    @router.get(assignments)
    def assigned(request: Request, project_id: int, form_id: str) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        if form_id not in project.files:
            raise not_found()
        found = sorted(project.files[form_id].assigned)
        return JSONResponse([{"actorId": one, "roleId": APP_USER_ROLE} for one in found])

    @router.get("/projects/{project_id}/assignments/forms")
    def all_assigned(request: Request, project_id: int) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        rows = [
            {"actorId": one, "roleId": APP_USER_ROLE, "xmlFormId": file.form_id}
            for file in project.files.values()
            for one in sorted(file.assigned)
        ]
        return JSONResponse(rows)

    @router.get(f"{assignments}/{{role}}")
    def assigned_to(request: Request, project_id: int, form_id: str, role: str) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        if form_id not in project.files:
            raise not_found()
        ids = project.files[form_id].assigned if role in {str(APP_USER_ROLE), "app-user"} else set()
        return JSONResponse([one.row() for one in project.app_users if one.id in ids])

    @router.post(f"{assignments}/{{role}}/{{number}}")
    def assign(request: Request, project_id: int, form_id: str, role: str, number: int) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        if form_id not in project.files or role not in {str(APP_USER_ROLE), "app-user"}:
            raise not_found()
        user, ids = find(project, number), project.files[form_id].assigned
        if user.id in ids:
            fields = ["actorId", "roleId", "acteeId"]
            raise exists("assignments", fields, [str(user.id), str(APP_USER_ROLE), form_id])
        ids.add(user.id)
        return JSONResponse(DONE)

    @router.delete(f"{assignments}/{{role}}/{{number}}")
    def unassign(request: Request, project_id: int, form_id: str, role: str, number: int) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        if form_id not in project.files or number not in project.files[form_id].assigned:
            raise not_found()
        project.files[form_id].assigned.discard(number)
        return JSONResponse(DONE)

    return router
