"""Queries on needs."""

from sqlalchemy.orm import Session

from db.models import Case, Need
from db.visibility import Viewer, visible_needs


def get_case_of_visible_need(session: Session, viewer: Viewer, need_id: int) -> Case | None:
    """The case of a need that the viewer may see."""
    return session.scalar(visible_needs(viewer).where(Need.id == need_id).with_only_columns(Case))
