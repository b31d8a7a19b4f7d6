"""A form of a household that registered twice is edited: what was merged stays merged, and nothing is lost."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from casework.assessment import Issue, NeedAnswer
from casework.merged_consents import join_consents
from casework.merged_needs import row_of
from db import cases as case_query
from db import merges as query
from db.models import Case, Need
from db.vault import Vault
from governorates import Governorate


def add_needs_of_merged(
    session: Session, governorate: Governorate, case: Case, answers: Sequence[NeedAnswer]
) -> list[Issue]:
    """Add what an edit of a merged case newly asks for to the case it went into; a person looks at the rest."""
    surviving = case.merged_into_id
    assert surviving is not None  # noqa: S101  the caller has looked
    known = {need.service_type for need in case_query.list_needs(session, surviving)}
    for answer in answers:
        if answer.service_type not in known:
            need = Need(
                case_id=surviving,
                service_type=answer.service_type,
                category=governorate.service_types[answer.service_type].category,
                urgency=answer.urgency,
                status="open",
                opened_at=case.opened_at,
            )
            session.add(need)
            session.flush()
            record_new_need(session, case.id, need)
    return [Issue("edited_after_merging")]


def record_new_need(session: Session, case_id: int, need: Need) -> None:
    """Note in every merge on the way that this need goes back when it is undone."""
    step = case_id
    while (record := query.get_standing_merge(session, merged_case_id=step)) is not None:
        change = {
            "id": need.id,
            "before": row_of(need) | {"case_id": step},
            "after": row_of(need) | {"case_id": record.surviving_case_id},
        }
        record.changes = record.changes | {"needs": [*record.changes["needs"], change]}
        step = record.surviving_case_id
    session.flush()


def list_foreign_need_ids(session: Session, case_id: int) -> set[int]:
    """Needs of a case that came from cases merged into it: an edit of its own form does not take them back."""
    return {
        change["id"]
        for record in query.list_standing_merges(session, case_id)
        for change in record.changes["needs"]
        if change["before"]["case_id"] != case_id
    }


def redraw_bounds(session: Session, vault: Vault, case: Case) -> None:
    """Draw the joint consent anew after one of a merged household's forms was edited; else do nothing."""
    surviving = case_query.get_case(session, case.merged_into_id or case.id)
    records = query.list_standing_merges(session, surviving.id) if surviving else []
    if surviving is None or not records:
        return
    joint = join_consents(session, vault, surviving, None)
    if joint is not None:
        changes = records[-1].changes
        drawn = {"consents": [*changes["consents"], joint.id], "in_force": joint.in_force}
        records[-1].changes = changes | drawn
        session.flush()
