"""What the pages of one case share: the case by its own code, and free text opened for its office."""

from collections.abc import Sequence

from fastapi import Request
from sqlalchemy.orm import Session

from api.auth import CurrentUser
from db.case_events import get_visible_case
from db.errors import DomainError
from db.models import Case
from db.vault import Vault
from governorates import normalise_code


def require_case(request: Request, session: Session, user: CurrentUser, code: str) -> Case:
    """The case with this code, which the user may see. Raises DomainError `not_found`."""
    governorate = request.app.state.context.governorate
    found = normalise_code(code, governorate.code_alphabet, governorate.code_length)
    case = get_visible_case(session, user, found) if found else None
    if case is None:
        raise DomainError("not_found")
    return case


def open_notes(keys: Vault, field: str, rows: Sequence[tuple[int, bytes | None]]) -> dict[int, str]:
    """The notes of rows (id, sealed note), by id; empty and erased ones are left out."""
    opened = keys.open_many(field, [sealed for _, sealed in rows])
    return {row_id: text for (row_id, _), text in zip(rows, opened, strict=True) if text}
