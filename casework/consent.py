"""Acts on the consent of an assessment: the first step, which bounds the matching."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from casework.moves import Actor
from casework.sending import recall_uncovered
from db import consents as query
from db.case_events import is_case_visible
from db.errors import DomainError
from db.vault import Vault
from db.visibility import is_asked_apart


def settle_exclusion(
    session: Session, vault: Vault, actor: Actor, consent_id: int, organization_ids: Sequence[int]
) -> None:
    """Record which organizations a person meant by "somebody who must not know"; then matching may go on.

    What is under way with one of them is recalled. An empty list says that the person meant nobody in the
    directory. It speaks for the whole case, so nobody of the ministry asked apart does it.
    Raises DomainError `not_found`, `forbidden`, `not_an_option` or `consent_settled_already`.
    """
    if actor.role != "coordinator" or is_asked_apart(actor):
        raise DomainError("forbidden")
    consent = query.get_consent(session, consent_id, actor.governorate)
    if consent is None or not is_case_visible(session, actor, consent.case_id):
        raise DomainError("not_found", consent_id=consent_id)
    if not consent.exclusion_open:
        raise DomainError("consent_settled_already", consent_id=consent_id)
    known = query.list_organization_ids(session, actor.governorate)
    unknown = set(organization_ids) - known
    if unknown:
        raise DomainError("not_an_option", organization_id=min(unknown))
    consent.excluded_organizations = sorted({*consent.excluded_organizations, *organization_ids})
    consent.exclusion_settled_at = datetime.now(UTC)
    session.flush()
    recall_uncovered(session, vault, consent.case_id)
