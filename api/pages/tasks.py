"""What an office or a coordinator has to do, and what came of it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import render
from api.waking import Wake
from casework import tasks as acts
from db.tasks import list_tasks
from referral_engine.task_kinds import TASK_KINDS

router = APIRouter(prefix="/tasks")


@router.get("")
def tasks_page(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.TASK_READ))],
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show the open tasks of the own office or ministry, the first due first."""
    values = {"listed": list_tasks(session, user, page), "kinds": TASK_KINDS, "now": datetime.now(UTC)}
    return render(request, "tasks.html", values)


@router.post("/{task_id}/finish")
def finish(
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Annotated[CurrentUser, Depends(Require(Permission.TASK_FINISH))],
    task_id: int,
    reason: Annotated[str, Form(max_length=40)] = "",
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Say what came of a task; a need that waited for it goes on."""
    acts.finish_task(session, keys, task_id, user.actor, reason, note or None, now=datetime.now(UTC))
    wake()
    return see("/tasks", "finished")
