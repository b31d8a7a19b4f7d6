"""Information only: the person is told about a service and goes alone. Nothing about them leaves the office."""

from datetime import datetime

from sqlalchemy.orm import Session

from casework.case_events import add_case_event, key_of
from casework.moves import Actor
from casework.named_consents import CHANNELS
from db import case_events
from db import cases as case_query
from db import information as query
from db import referrals as referral_query
from db import tasks as task_query
from db.errors import DomainError
from db.models import CaseEventKind, InformationGiven, TaskState
from db.vault import Vault
from governorates import choice_codes

INFORMED = "informed"
"""Status of a need whose person went alone. It is not matched; a person may open it again."""


def give_information(
    session: Session,
    vault: Vault,
    need_id: int,
    service_at_location_id: int,
    actor: Actor,
    *,
    language: str,
    channel: str,
    now: datetime,
) -> int:
    """Record that the person was told about a service and goes there alone; returns the id.

    No referral, no slot, no disclosure and no message come of it. The service is one that matching looked at for
    this need, whether it suits or not: the person decides where they go. `language` is any that people speak here.
    Raises DomainError `forbidden`, `not_found`, `case_closed`, `case_erased`, `referral_under_way` (or the need is
    not open), `not_an_option`, `channel_unknown` or `language_unknown`.
    """
    if actor.role not in {"officer", "coordinator"}:
        raise DomainError("forbidden")
    if channel not in CHANNELS:
        raise DomainError("channel_unknown", channel=channel)
    if language not in choice_codes("language"):
        raise DomainError("language_unknown", language=language)
    need = case_events.get_visible_need(session, actor, need_id)
    case = None if need is None else case_query.get_case(session, need.case_id)
    if need is None or case is None:
        raise DomainError("not_found", need_id=need_id)
    if case.closed_at is not None:
        raise DomainError("case_closed", case_id=case.id)
    key_of(case)
    if need.status != "open" or need.same_as_id is not None:
        raise DomainError("referral_under_way", need_id=need_id)
    if referral_query.has_live_referral(session, need_id):
        raise DomainError("referral_under_way", need_id=need_id)
    known = referral_query.get_candidate(session, need_id, service_at_location_id)
    if known is None or not query.is_offered(session, service_at_location_id):
        raise DomainError("not_an_option", service_at_location_id=service_at_location_id)
    told = InformationGiven(
        need_id=need.id,
        service_at_location_id=service_at_location_id,
        language=language,
        channel=channel,
        given_by=actor.user_id,
        at=now,
    )
    session.add(told)
    need.status = INFORMED
    need.unmet_reason, need.unmet_details, need.unmet_since = None, None, None
    session.flush()
    task_query.close_tasks(session, TaskState.CANCELLED, now, need_id=need.id)
    details = {"need_id": need.id, "service_at_location_id": service_at_location_id}
    add_case_event(
        session, vault, case, actor, CaseEventKind.INFORMATION_GIVEN, now, object_id=told.id, details=details
    )
    return told.id
