"""Consent grows old: renewed at the desk or on a safe call, and what waits to be sent is recalled when it is not."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from casework.case_events import key_of
from casework.consent_gate import INCOMPLETE_ISSUES, expires_at, require_bounds
from casework.households import answer_anew, lock_own_household
from casework.merged_edits import redraw_bounds
from casework.moves import SYSTEM, Actor, lock_referral
from casework.named_consents import KIND, Asked, add_named_consent
from casework.sending import recall_uncovered, take_back
from casework.withdrawals import withdraw
from db import consents as query
from db import merges as merge_query
from db import referrals as referral_query
from db import submission_issues as issue_query
from db.errors import DomainError
from db.models import Case, Consent
from db.vault import Vault
from governorates import consent_text_version
from referral_engine import sop

CASES_AT_ONCE = 50

WITHDRAWN_BY = {"desk": "desk", "safe_call": "phone"}
"""How the person took something back while saying yes again, by the channel of that."""


def renew_consent(
    session: Session,
    vault: Vault,
    case_id: int,
    actor: Actor,
    asked: Asked,
    *,
    now: datetime,
    categories: Sequence[str] | None = None,
    recipients: Sequence[str] | None = None,
    contact: bool | None = None,
    statistics: bool | None = None,
) -> None:
    """Record that the person says yes again: the same bounds, or narrower ones, for another term.

    Also how a consent is completed that lacked its interpreter or evidence (`consent_gate.is_complete`).

    `contact` and `statistics` are new answers when not None. What is no longer covered is recalled; categories that
    are left out are taken back as by `withdraw`, with a receipt. Wider bounds need a new assessment
    (`not_an_option`). The case's office or the operator does it. Raises DomainError `not_found`, `forbidden`,
    `consent_required` (there was none), `case_erased`, or what `Asked.require_sound` raises.
    """
    household = lock_own_household(session, case_id, actor)
    root = household[0]
    asked.require_sound(session, root.id, root.governorate, "assessment")
    newest = merge_query.list_newest_consents(session, [case.id for case in household])
    if not newest:
        raise DomainError("consent_required", case_id=root.id)
    _require_not_wider(newest, categories, recipients)
    lost = _lost(newest, categories)
    if lost:
        channel = WITHDRAWN_BY[asked.channel]
        withdraw(
            session, vault, root.id, actor, channel=channel, scope="categories", categories=lost, now=now
        )
        newest = merge_query.list_newest_consents(session, [case.id for case in household])
    by_id = {case.id: case for case in household}
    for former in newest:
        narrowed = {
            "categories": _within(former.categories, categories),
            "recipients": _within(former.recipients, recipients),
        }
        renewed = said_again(vault, by_id[former.case_id], former, actor, asked, now, "assessment")
        session.add(answer_anew(former, **renewed, **narrowed, expires_at=expires_at(root.governorate, now)))
        plain = (("registration", True), ("contact", contact), ("statistics", statistics))
        for kind, given in plain:
            if given is not None:
                said = said_again(vault, by_id[former.case_id], former, actor, asked, now, kind)
                session.add(Consent(case_id=former.case_id, **(said | {"given": given})))
    ids = [case.id for case in household]
    issue_query.settle_issues(session, ids, INCOMPLETE_ISSUES, now, actor.user_id)
    session.flush()
    redraw_bounds(session, vault, root)
    recall_uncovered(session, vault, root.id, now)


def _require_not_wider(
    newest: Sequence[Consent], categories: Sequence[str] | None, recipients: Sequence[str] | None
) -> None:
    known = {code for one in newest for code in (*one.categories, *one.recipients)}
    if not {*(categories or ()), *(recipients or ())} <= known:
        raise DomainError("not_an_option")


def _lost(newest: Sequence[Consent], categories: Sequence[str] | None) -> list[str]:
    said = {code for one in newest for code in one.categories}
    return [] if categories is None else sorted(said - set(categories))


def _within(former: Sequence[str], wanted: Sequence[str] | None) -> list[str]:
    return [code for code in former if wanted is None or code in wanted]


def said_again(
    vault: Vault, case: Case, former: Consent, actor: Actor, asked: Asked, now: datetime, kind: str
) -> dict[str, object]:
    """The columns of an answer of this kind that is spoken now, in the words in use."""
    key_id = key_of(case)
    return {
        **asked.respondent.columns(vault, key_id),
        "kind": kind,
        "given": True,
        "given_at": now,
        "withdrawn_at": None,
        "text_version": consent_text_version(kind),
        "language": asked.language,
        "channel": asked.channel,
        "interpreter": vault.seal(key_id, "consent.interpreter", asked.interpreter),
        "submission_id": former.submission_id,
        "recorded_by": actor.user_id,
    }


def renew_referral_consent(
    session: Session, vault: Vault, referral_id: int, actor: Actor, asked: Asked, *, now: datetime
) -> None:
    """Record that the person still agrees to a recipient who already works with the referral; nothing new is sent.

    Also the way in which a person whose referral was sent for a vital interest says yes afterwards. Raises DomainError
    `illegal_move` when no provider knows of the referral, else as `send`.
    """
    parts = lock_referral(session, referral_id, actor)
    if parts.referral.state not in sop.DISCLOSED:
        raise DomainError("illegal_move", state=parts.referral.state, move="renew_consent")
    if actor.role not in sop.MOVES["send"].actors:
        raise DomainError("forbidden", move="renew_consent")
    asked.require_sound(session, parts.case.id, parts.case.governorate, KIND)
    require_bounds(session, parts, now)
    fields = [name for row in referral_query.list_disclosures(session, [referral_id]) for name in row.fields]
    add_named_consent(session, vault, parts, actor, asked, fields, now)


def expire_consents(session: Session, vault: Vault, now: datetime, *, limit: int = CASES_AT_ONCE) -> int:
    """Recall what waits to be sent where the assessment's consent has grown old; returns how many cases it was.

    What a provider already works with is not taken away: it stands in the list of consents due for renewal
    (`db.consents.list_expiring`). One transaction a call, safe to repeat and to run beside another worker: call
    until it returns 0.
    """
    cases = query.hold_expired_cases(session, now, limit)
    for case_id in cases:
        for referral_id in query.list_unsent_referral_ids(session, case_id):
            take_back(session, vault, lock_referral(session, referral_id, SYSTEM), "consent_expired", now)
    return len(cases)
