"""Facts that an edit of a form tells otherwise than they were used: the list, both answers, and which one holds."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api import conflict_texts
from api.auth import CurrentUser, Database, Keys, Require
from api.conflict_view import view_fields
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.texts import text_of
from api.waking import Wake
from casework import settlements as acts
from casework.conflicts import open_values
from db import accounts
from db.conflicts import get_standing_case_of_conflict, get_visible_conflict, list_conflicts
from db.errors import DomainError
from db.models import ConflictState, FactConflict
from db.vault import Vault
from governorates import choice_codes

router = APIRouter(prefix="/conflicts")

REVEAL_REASONS = "names_reason"

Reader = Annotated[CurrentUser, Depends(Require(Permission.CONFLICT_READ))]
Settler = Annotated[CurrentUser, Depends(Require(Permission.CONFLICT_SETTLE))]
Reason = Annotated[str, Form(max_length=40)]


@router.get("")
def conflicts_page(
    request: Request,
    session: Database,
    user: Reader,
    view: Annotated[ConflictState, Query()] = ConflictState.OPEN,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show what waits to be settled, the oldest first, or what was settled, the newest first; without values."""
    language = language_of(request)
    values = {
        "listed": list_conflicts(session, user, view, page),
        "view": view,
        "states": {state: text_of(conflict_texts.STATES, state, language) for state in ConflictState},
        "facts": {code: text_of(conflict_texts.FACTS, code, language) for code in conflict_texts.FACTS},
    }
    return render(request, "conflicts.html", values)


@router.get("/{conflict_id}")
def conflict_page(
    request: Request, session: Database, keys: Keys, user: Reader, conflict_id: int
) -> Response:
    """Show both answers side by side, without what is personal. The reading is audited."""
    conflict = _visible(session, user, conflict_id)
    accounts.record_audit(session, user.user_id, "conflict.read", "fact_conflict", [conflict_id])
    return _show(request, session, keys, conflict, revealed=False)


@router.post("/{conflict_id}/values")
def reveal(
    request: Request,
    session: Database,
    keys: Keys,
    user: Annotated[CurrentUser, Depends(Require(Permission.CONFLICT_REVEAL))],
    conflict_id: int,
    reason: Reason = "",
) -> Response:
    """Show both answers with names, numbers and words, for a reason that is recorded."""
    conflict = _visible(session, user, conflict_id)
    if not reason:
        raise DomainError("reason_required", reason_list=REVEAL_REASONS)
    if reason not in choice_codes(REVEAL_REASONS):
        raise DomainError("reason_unknown", reason_list=REVEAL_REASONS)
    accounts.record_audit(
        session, user.user_id, "conflict.read_personal", "fact_conflict", [conflict_id], reason
    )
    return _show(request, session, keys, conflict, revealed=True)


@router.post("/{conflict_id}/take")
def take(
    session: Database, keys: Keys, wake: Wake, user: Settler, conflict_id: int, reason: Reason = ""
) -> Response:
    """Say that the edit is right; then the matching runs at once."""
    _visible(session, user, conflict_id)
    acts.take_new(session, keys, conflict_id, user.actor, reason, now=datetime.now(UTC))
    accounts.record_audit(session, user.user_id, "conflict.take", "fact_conflict", [conflict_id], reason)
    wake()
    return see(f"/conflicts/{conflict_id}", "fact_taken")


@router.post("/{conflict_id}/keep")
def keep(
    session: Database, keys: Keys, wake: Wake, user: Settler, conflict_id: int, reason: Reason = ""
) -> Response:
    """Say that what was used is right."""
    _visible(session, user, conflict_id)
    acts.keep_former(session, keys, conflict_id, user.actor, reason, now=datetime.now(UTC))
    accounts.record_audit(session, user.user_id, "conflict.keep", "fact_conflict", [conflict_id], reason)
    wake()
    return see(f"/conflicts/{conflict_id}", "fact_kept")


def _visible(session: Session, user: CurrentUser, conflict_id: int) -> FactConflict:
    conflict = get_visible_conflict(session, user, conflict_id)
    if conflict is None:
        raise DomainError("not_found", conflict_id=conflict_id)
    return conflict


def _show(
    request: Request, session: Session, keys: Vault, conflict: FactConflict, *, revealed: bool
) -> Response:
    language, governorate = language_of(request), request.app.state.context.governorate
    values = open_values(keys, [conflict])[conflict.id]
    shown = view_fields(conflict.fact, values, governorate, language, revealed=revealed)
    return render(
        request,
        "conflict.html",
        {
            "conflict": conflict,
            "case": get_standing_case_of_conflict(session, conflict.id),
            "fact": text_of(conflict_texts.FACTS, conflict.fact, language),
            "meanwhile": text_of(conflict_texts.MEANWHILE, conflict.fact, language),
            "state": text_of(conflict_texts.STATES, conflict.state, language),
            "fields": shown,
            "is_erased": values is None,
            "reason_list": acts.REASONS,
            "reveal_reasons": REVEAL_REASONS,
        },
    )
