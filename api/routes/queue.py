"""The queue as JSON."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.auth import Database
from api.pages.queue import Filters, QueueReader
from db.queue import list_queue

router = APIRouter(tags=["queue"])


class QueueItem(BaseModel):
    """A waiting referral. `minutes` is the journey one way; names are by language code."""

    referral_id: int
    case_code: str
    service_type: str
    urgency: str
    district: str | None
    organization: dict[str, str]
    location: dict[str, str]
    minutes: float | None
    state: str
    state_since: datetime
    waiting_since: datetime
    held_reason: str | None
    due_at: datetime | None
    paused_reason: str | None

    model_config = {"from_attributes": True}


class Queue(BaseModel):
    """One page of the queue; `counts` holds how many wait in each view."""

    rows: list[QueueItem]
    total: int
    page: int
    pages: int
    counts: dict[str, int]

    model_config = {"from_attributes": True}


@router.get("/queue")
def read_queue(
    session: Database,
    user: QueueReader,
    filters: Filters,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Queue:
    """What waits for a decision or for consent, the most urgent and longest waiting first."""
    return Queue.model_validate(list_queue(session, user, filters, page))
