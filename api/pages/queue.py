"""The coordinator's queue."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api.auth import CurrentUser, Database, Require
from api.permissions import Permission
from api.rendering import render
from db.escalations import list_escalations
from db.queue import URGENCY_ORDER, QueueFilters, list_queue

router = APIRouter()

VIEWS = ("proposed", "awaiting_consent", "held", "overdue", "all")
ESCALATIONS_SHOWN = 5
QueueReader = Annotated[CurrentUser, Depends(Require(Permission.QUEUE_READ))]


def queue_filters(
    view: Annotated[str, Query()] = "proposed",
    urgency: Annotated[str | None, Query()] = None,
    district: Annotated[str | None, Query(max_length=24)] = None,
) -> QueueFilters:
    """Filters from the address; anything unknown is left out."""
    chosen = view if view in VIEWS else "proposed"
    return QueueFilters(
        state=chosen if chosen in {"proposed", "awaiting_consent"} else None,
        urgency=urgency if urgency in URGENCY_ORDER else None,
        district=district or None,
        held=chosen == "held",
        overdue=chosen == "overdue",
    )


Filters = Annotated[QueueFilters, Depends(queue_filters)]
PageNumber = Annotated[int, Query(ge=1, le=100_000)]


def view_of(filters: QueueFilters) -> str:
    """The name of the view that the filters show."""
    if filters.overdue:
        return "overdue"
    return "held" if filters.held else filters.state or "all"


@router.get("/queue")
def queue_page(
    request: Request, session: Database, user: QueueReader, filters: Filters, page: PageNumber = 1
) -> Response:
    """Show what waits for a decision or for consent; overdue, then the most urgent and longest waiting first."""
    values = {
        "queue": list_queue(session, user, filters, page),
        "escalations": list_escalations(session, user, page_size=ESCALATIONS_SHOWN),
        "filters": filters,
        "view": view_of(filters),
        "views": VIEWS,
        "urgencies": URGENCY_ORDER,
    }
    return render(request, "queue.html", values)
