"""Entity lists: create, properties, and who gets which entities."""

import re

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from tests.central.actors import MANAGER, stamp
from tests.central.entities import DONE, LISTS, ONE, full_list_row, list_row
from tests.central.entity_lists import EntityList, Property
from tests.central.gate import Gate
from tests.central.problems import exists, not_found, unexpected
from tests.central.store import Store

RESERVED = {"name", "label"}


def is_property_name(name: str) -> bool:
    return re.fullmatch(r"[^\W\d][\w.\-]*", name) is not None and not (
        name.lower() in RESERVED or name.startswith("__")
    )


def make_router(store: Store, gate: Gate) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get(LISTS)
    def lists(request: Request, project_id: int) -> Response:
        _, project = gate.project(request, project_id)
        rows = []
        for entities in project.lists.values():
            row, found = list_row(project, entities), entities.listed()
            if request.headers.get("x-extended-metadata") == "true":
                last = max((one.created_at for one in found), default=None)
                conflicts = sum(one.conflict is not None for one in found)
                row |= {"entities": len(found), "lastEntity": stamp(last), "conflicts": conflicts}
            rows.append(row)
        return JSONResponse(rows)

    @router.post(LISTS)
    async def create(request: Request, project_id: int) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        body = await request.json()
        name = str(body.get("name"))
        with store.lock:
            if name in project.lists:
                raise exists("datasets", ["name", "projectId"], [name, str(project_id)])
            at = store.now()
            entities = EntityList(name, len(project.lists) + 1, at, at)
            entities.approval_required = body.get("approvalRequired", False)
            project.lists[name] = entities
        return JSONResponse(full_list_row(project, entities))

    @router.get(ONE)
    def single(request: Request, project_id: int, name: str) -> Response:
        _, project = gate.project(request, project_id)
        if name not in project.lists:
            raise not_found()
        return JSONResponse(full_list_row(project, project.lists[name]))

    @router.patch(ONE)
    async def change(request: Request, project_id: int, name: str) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        if name not in project.lists:
            raise not_found()
        body, entities = await request.json(), project.lists[name]
        entities.approval_required = body.get("approvalRequired", entities.approval_required)
        entities.owner_only = body.get("ownerOnly", entities.owner_only)
        entities.access_filter = body.get("accessFilter", entities.access_filter)
        entities.last_update = store.now()
        return JSONResponse(full_list_row(project, entities))

    @router.post(f"{ONE}/properties")
    async def add_property(request: Request, project_id: int, name: str) -> Response:
        _, project = gate.project(request, project_id, MANAGER)
        if name not in project.lists:
            raise not_found()
        added, entities = str((await request.json()).get("name")), project.lists[name]
        with store.lock:
            if not is_property_name(added):
                raise unexpected("name", added, "This is not a valid property name.")
            known = {one.lower(): one for one in entities.properties}
            if added.lower() in known:
                values = [known[added.lower()], entities.number]
                raise exists("ds_properties", ["name", "datasetId"], values)
            entities.properties[added] = Property(added, store.now())
            entities.last_update = store.now()
        return JSONResponse(DONE)

    return router
