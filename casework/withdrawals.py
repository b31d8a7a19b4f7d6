"""Consent taken back, by whatever channel: at once, for everything that is under way and everything that was told."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from casework.form_consents import BY_FORM
from casework.hand_overs import end_hand_overs
from casework.households import answer_anew, lock_household
from casework.merged_edits import redraw_bounds
from casework.moves import SYSTEM, Actor, lock_referral
from casework.provider_links import close_ended_links
from casework.sending import exclude_recipient, recall_uncovered, take_back
from casework.tasks import cancel_tasks
from casework.transfers import end_offers
from db import cases as case_query
from db import consents as query
from db import follow_ups
from db import merges as merge_query
from db import referrals as referral_query
from db import withdrawals as withdrawal_query
from db.case_sheets import list_decided_categories
from db.errors import DomainError
from db.models import Case, Withdrawal
from db.vault import Vault
from db.visibility import is_asked_apart
from governorates import CONSENT_KINDS, choice_codes, offered_codes
from referral_engine import sop

REASON = "consent_withdrawn"
ASKED_ON_OCCASION = frozenset({"transfer", "hand_over", "letter"})
"""Answers that nobody gave at the assessment: the page offers to take back those that stand."""


def withdraw(
    session: Session,
    vault: Vault,
    case_id: int,
    actor: Actor,
    *,
    channel: str,
    scope: str,
    now: datetime,
    categories: Sequence[str] = (),
    referral_id: int | None = None,
) -> int:
    """Record that a person took consent back, and act on it in the same transaction; returns the withdrawal's id.

    `scope` everything | categories (`categories`) | referral (`referral_id`), or a kind of answer alone: contact |
    statistics | transfer | hand_over | letter. Referrals are recalled, or after the service closed; providers lose
    sight of the person and are told to delete; an offer to an office or ministry ends, and no letter is printed again.
    A person may take back what belongs to another ministry's coordinator too, so reach is that of the case; only the
    ministry asked apart, which must not learn what else there is, picks among its own categories and referrals.

    Raises DomainError `not_found`, `channel_unknown`, `not_an_option` (also for an offer or letter that the person
    never agreed to), or `forbidden`.
    """
    known = choice_codes if actor.role == sop.Actor.SYSTEM else offered_codes
    if channel not in known("withdrawal_channel"):
        raise DomainError("channel_unknown", channel=channel)
    if scope not in choice_codes("withdrawal_scope"):
        raise DomainError("not_an_option", scope=scope)
    household = lock_household(session, case_id, actor)
    root = household[0]
    if is_asked_apart(actor) and not set(categories) <= set(list_decided_categories(session, actor, root.id)):
        raise DomainError("not_an_option", case_id=root.id)
    if channel == BY_FORM:  # one registration's form speaks for itself and for the bounds that all share
        household = [case for case in household if case.id in {root.id, case_id}]
    record = Withdrawal(
        case_id=root.id,
        scope=scope,
        channel=channel,
        categories=list(categories) if scope == "categories" else [],
        referral_id=referral_id if scope == "referral" else None,
        recorded_by=actor.user_id,
        at=now,
    )
    ids = [case.id for case in household]
    told: Collection[int] = ()
    if scope == "everything":
        told = _take_everything_back(session, vault, root, ids, now)
        _end_offers(session, vault, household, actor, now)
    elif scope == "categories":
        told = _take_categories_back(session, vault, household, categories, channel, now)
        end_hand_overs(session, vault, household, actor, reason=REASON, now=now, categories=categories)
    elif scope == "referral":
        reach = actor if is_asked_apart(actor) else SYSTEM
        told = _take_referral_back(session, vault, root, referral_id, reach, now)
    else:
        _take_answer_back(session, vault, household, scope, actor, now)
    if scope == "contact":
        follow_ups.replace_calls(session, root.governorate, now, case_id=root.id)
    session.add(record)
    session.flush()
    withdrawal_query.bind_deletion_requests(session, record.id, told)
    return record.id


def _take_everything_back(
    session: Session, vault: Vault, root: Case, case_ids: Sequence[int], now: datetime
) -> Collection[int]:
    told = {referral_id for referral_id, *_ in withdrawal_query.list_disclosed(session, root.id)}
    query.set_withdrawn(session, case_ids, CONSENT_KINDS, now)
    recall_uncovered(session, vault, root.id, now)
    _close_links(session, root, None, now)
    _end_needs(session, root.id, None)
    cancel_tasks(session, root.id, now)
    follow_ups.cancel_all(session, root.id, now)
    return told


def _end_offers(
    session: Session, vault: Vault, household: Sequence[Case], actor: Actor, now: datetime
) -> None:
    """No office and no ministry takes anything over any more."""
    end_offers(session, vault, household, actor, reason=REASON, now=now)
    end_hand_overs(session, vault, household, actor, reason=REASON, now=now)


def _take_answer_back(
    session: Session, vault: Vault, household: Sequence[Case], kind: str, actor: Actor, now: datetime
) -> None:
    """One kind of answer alone. Of what is asked only when somebody wants it, there must be a yes to take back."""
    ids = [case.id for case in household]
    if kind in ASKED_ON_OCCASION and kind not in query.list_kinds_in_force(session, ids):
        raise DomainError("not_an_option", scope=kind)
    if kind == "transfer":
        end_offers(session, vault, household, actor, reason=REASON, now=now)
    elif kind == "hand_over":
        end_hand_overs(session, vault, household, actor, reason=REASON, now=now)
    query.set_withdrawn(session, ids, [kind], now)


def _take_categories_back(
    session: Session,
    vault: Vault,
    household: Sequence[Case],
    categories: Sequence[str],
    channel: str,
    now: datetime,
) -> Collection[int]:
    root = household[0]
    lost = set(categories)
    newest = merge_query.list_newest_consents(session, [case.id for case in household])
    if not lost or not lost <= {code for one in newest for code in one.categories}:
        raise DomainError("not_an_option", case_id=root.id)
    told = {
        referral_id
        for referral_id, _, category in withdrawal_query.list_disclosed(session, root.id)
        if category in lost
    }
    for former in newest:
        kept = [code for code in former.categories if code not in lost]
        session.add(answer_anew(former, categories=kept, channel=channel))
    session.flush()
    redraw_bounds(session, vault, root)
    recall_uncovered(session, vault, root.id, now)
    _close_links(session, root, lost, now)
    _end_needs(session, root.id, lost)
    return told


def _take_referral_back(
    session: Session, vault: Vault, root: Case, referral_id: int | None, reach: Actor, now: datetime
) -> Collection[int]:
    parts = None if referral_id is None else lock_referral(session, referral_id, reach)
    if parts is None or parts.case.id != root.id:
        raise DomainError("not_found", referral_id=referral_id)
    if parts.referral.state in sop.LIVE:
        take_back(session, vault, parts, REASON, now)
    else:
        referral_query.withdraw_referral_consents(session, parts.referral.id, now)
        close_ended_links(session, parts, now)
    exclude_recipient(session, parts)
    return [parts.referral.id]


def _close_links(session: Session, root: Case, categories: Collection[str] | None, now: datetime) -> None:
    """Close what providers still see of referrals that had ended before."""
    for referral_id, _, category in withdrawal_query.list_disclosed(session, root.id):
        if categories is None or category in categories:
            close_ended_links(session, lock_referral(session, referral_id, SYSTEM), now)
            referral_query.withdraw_referral_consents(session, referral_id, now)


def _end_needs(session: Session, case_id: int, categories: Collection[str] | None) -> None:
    for need in case_query.list_needs(session, case_id):
        wanted = categories is None or need.category in categories
        if not wanted or need.status not in {"open", "referred"}:
            continue
        if not referral_query.has_live_referral(session, need.id):
            need.status = "withdrawn"
            need.unmet_reason = need.unmet_details = need.unmet_since = None
    session.flush()


def confirm_deletion(session: Session, request_id: int, actor: Actor, now: datetime) -> None:
    """The provider says that it has deleted what was taken back. Pressing twice changes nothing.

    Raises DomainError `not_found` for another organization's request.
    """
    request = withdrawal_query.get_deletion_request(session, request_id, actor.organization_id)
    if request is None:
        raise DomainError("not_found", deletion_request_id=request_id)
    if request.confirmed_at is None:
        request.confirmed_at, request.confirmed_by = now, actor.user_id
        session.flush()
