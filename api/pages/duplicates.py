"""Pairs of cases that may be one household: the list, both side by side, and what a coordinator says.

Names are not shown until a reason is given; that they were read is recorded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from api import duplicate_texts, texts
from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from casework import duplicates as acts
from casework import merges
from db import accounts
from db.duplicates import (
    get_visible_pair,
    list_cases_with_persons,
    list_pairs,
    list_standing_codes,
)
from db.errors import DomainError
from db.models import Case, DuplicatePair, PairState, Person
from db.vault import Vault
from governorates import choice_codes, duplicate_weights

router = APIRouter(prefix="/duplicates")

REASONS = "names_reason"

Reader = Annotated[CurrentUser, Depends(Require(Permission.DUPLICATE_READ))]
Decider = Annotated[CurrentUser, Depends(Require(Permission.DUPLICATE_DECIDE))]


@dataclass(frozen=True, slots=True)
class SideView:
    """One case of a pair; `standing` is the case that stands for it now, with its code."""

    case: Case
    head: Person | None
    standing_id: int
    standing_code: str
    name: str | None


def _words(pair: DuplicatePair, language: str) -> dict[str, Any]:
    """Likelihood and the comparison of each part in words."""
    return {
        "likelihood": texts.text_of(duplicate_texts.WORDS, duplicate_weights().word(pair.score), language),
        "parts": [
            {
                "part": texts.text_of(duplicate_texts.PARTS, part["part"], language),
                "level": texts.text_of(duplicate_texts.LEVELS, part["level"], language),
                "code": part["level"],
                "points": part["points"],
            }
            for part in pair.parts
        ],
    }


@router.get("")
def pairs_page(
    request: Request,
    session: Database,
    user: Reader,
    view: Annotated[PairState, Query()] = PairState.OPEN,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show the pairs that wait for a decision, or those that were decided."""
    language = language_of(request)
    pairs = list_pairs(session, user, view, page)
    values = {
        "pairs": pairs,
        "view": view,
        "rows": [(row, _words(row.pair, language)) for row in pairs.rows],
        "states": {state: texts.text_of(duplicate_texts.STATES, state, language) for state in PairState},
    }
    return render(request, "duplicates.html", values)


@router.get("/{pair_id}")
def pair_page(request: Request, session: Database, user: Reader, pair_id: int) -> Response:
    """Show both cases side by side, without names."""
    pair = _visible(session, user, pair_id)
    return _render_pair(request, pair, _sides(session, pair, {}))


@router.post("/{pair_id}/names")
def show_names(
    request: Request,
    session: Database,
    keys: Keys,
    user: Annotated[CurrentUser, Depends(Require(Permission.DUPLICATE_NAMES))],
    pair_id: int,
    reason: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Show both cases with the names of their heads, for a reason that is recorded."""
    pair = _visible(session, user, pair_id)
    if not reason:
        raise DomainError("reason_required", reason_list=REASONS)
    if reason not in choice_codes(REASONS):
        raise DomainError("reason_unknown", reason_list=REASONS)
    ids = [pair.first_case_id, pair.second_case_id]
    accounts.record_audit(session, user.user_id, "duplicate.read_names", "case_file", ids, reason)
    return _render_pair(request, pair, _sides(session, pair, _names(session, keys, ids)))


@router.post("/{pair_id}/same")
def same(
    session: Database, keys: Keys, user: Decider, pair_id: int, keep: Annotated[int, Form()] = 0
) -> Response:
    """Say that both are one household, and which case stays."""
    _visible(session, user, pair_id)
    merges.merge(session, keys, pair_id, keep, user.actor)
    return see(f"/duplicates/{pair_id}", "merged")


@router.post("/{pair_id}/different")
def different(session: Database, user: Decider, pair_id: int) -> Response:
    """Say that these are two households."""
    _visible(session, user, pair_id)
    acts.decide_different(session, pair_id, user.actor)
    return see("/duplicates", "different")


@router.post("/{pair_id}/undo")
def undo(session: Database, user: Decider, pair_id: int) -> Response:
    """Take a decision back: two cases again, or open again."""
    pair = _visible(session, user, pair_id)
    if pair.state == PairState.SAME:
        merges.unmerge(session, pair_id, user.actor)
    else:
        acts.reopen(session, pair_id, user.actor)
    return see(f"/duplicates/{pair_id}", "undone")


def _visible(session: Session, user: CurrentUser, pair_id: int) -> DuplicatePair:
    pair = get_visible_pair(session, user, pair_id)
    if pair is None:
        raise DomainError("not_found", pair_id=pair_id)
    return pair


def _sides(session: Session, pair: DuplicatePair, names: Mapping[int, str]) -> list[SideView]:
    rows = list_cases_with_persons(session, [pair.first_case_id, pair.second_case_id])
    codes = list_standing_codes(session, [case.merged_into_id or case.id for case, _ in rows])
    return [
        SideView(
            case,
            next((person for person in persons if person.role == "head"), None),
            case.merged_into_id or case.id,
            codes[case.merged_into_id or case.id],
            names.get(case.id),
        )
        for case, persons in rows
    ]


def _names(session: Session, keys: Vault, case_ids: Sequence[int]) -> dict[int, str]:
    rows = list_cases_with_persons(session, case_ids)
    heads = [person for _, persons in rows for person in persons if person.role == "head"]
    columns = [
        keys.open_many(f"person.{field}", [getattr(head, field) for head in heads])
        for field in ("given_name", "father_name", "grandfather_name")
    ]
    return {
        head.case_id: " ".join(name for name in names if name)
        for head, *names in zip(heads, *columns, strict=True)
    }


def _render_pair(request: Request, pair: DuplicatePair, sides: Sequence[SideView]) -> Response:
    language = language_of(request)
    values = {
        "pair": pair,
        "sides": sides,
        "state": texts.text_of(duplicate_texts.STATES, pair.state, language),
        "reason_list": REASONS,
        **_words(pair, language),
    }
    return render(request, "duplicate.html", values)
