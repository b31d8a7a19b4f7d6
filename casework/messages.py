"""Messages as rows: written in the transaction of the act that causes them, sent by the worker (`api.delivery`).

A message names its recipient by an id and holds ids and counts, never an address, a name or a word that somebody
typed. Its text in four languages stands in `api.message_texts`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from casework.consent_gate import may_contact
from casework.message_templates import TEMPLATES, Audience, Template
from db import cases as case_query
from db import contact_points as contacts
from db import outbox as query
from db.contact_points import Reached
from db.models import Channel, Role
from db.referrals import ReferralParts
from governorates import FALLBACK_LANGUAGE, LANGUAGES
from referral_engine.sop import ReferralState

SHORTER_THAN_A_PHONE = 10**9
"""Figures and ids have at most nine digits; a phone number without its zero has ten."""

_STATES = frozenset(map(str, ReferralState))

_BY_MANDATE = {Audience.COORDINATOR: Role.COORDINATOR, Audience.SUPERVISOR: Role.SUPERVISOR}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets a message: one of the three ids, the language, and the channels on which an address is known."""

    governorate: str
    language: str | None
    channels: tuple[str, ...] = ()
    user_id: int | None = None
    organization_id: int | None = None
    case_id: int | None = None

    @property
    def key(self) -> str:
        """Which recipient this is, within a dedupe key."""
        for kind in ("user_id", "organization_id", "case_id"):
            number = getattr(self, kind)
            if number is not None:
                return f"{kind.removesuffix('_id')}-{number}"
        raise ValueError("a message needs a recipient")


class MoveWithMessages(Protocol):
    """A row of `referral_engine.sop.MOVES` with the (template, audience) pairs of its messages."""

    @property
    def name(self) -> str:
        """The move."""

    @property
    def messages(self) -> tuple[tuple[str, str], ...]:
        """Template and audience of each message."""


class Acting(Protocol):
    """Who makes a move: a user, or nobody."""

    @property
    def user_id(self) -> int | None:
        """The user, who is not told of their own act."""


def queue_message(
    session: Session,
    template: str,
    recipient: Recipient,
    *,
    params: Mapping[str, Any],
    dedupe_key: str,
    now: datetime,
    referral_id: int | None = None,
) -> bool:
    """Write a message within the caller's transaction; False when it was written before.

    `params` maps exactly the names of the template to figures, or to figures by state of a referral; raises
    ValueError for anything else, so that no name or phone can get in. `dedupe_key` says what it is about; the
    recipient is added to it.
    """
    kind = TEMPLATES[template]
    _check_params(kind, params)
    if kind.while_in is not None and referral_id is None:
        raise ValueError(f"{template} is about a referral")
    channel = next((channel for channel in kind.channels if channel in recipient.channels), kind.channels[0])
    return query.create_message(
        session,
        {
            "dedupe_key": f"{template}:{dedupe_key}:{recipient.key}",
            "governorate": recipient.governorate,
            "channel": channel,
            "template": template,
            "language": recipient.language if recipient.language in LANGUAGES else FALLBACK_LANGUAGE,
            "params": dict(params),
            "user_id": recipient.user_id,
            "organization_id": recipient.organization_id,
            "case_id": recipient.case_id,
            "referral_id": referral_id,
            "next_attempt_at": now,
            "created_at": now,
        },
    )


def _check_params(template: Template, params: Mapping[str, Any]) -> None:
    if set(params) != template.params:
        raise ValueError(f"{template.code} takes exactly {sorted(template.params)}")
    for name, value in params.items():
        by_state = value if isinstance(value, Mapping) else {ReferralState.DRAFT: value}
        if not all(_is_figure(number) for number in by_state.values()) or set(by_state) - _STATES:
            raise ValueError(f"{template.code}: {name} is neither a figure nor figures by state")


def _is_figure(value: object) -> bool:
    return type(value) is int and 0 <= value < SHORTER_THAN_A_PHONE


def queue_for_move(
    session: Session, parts: ReferralParts, move: MoveWithMessages, actor: Acting, now: datetime
) -> None:
    """Write the messages of a move, in its transaction. Who made the move is not told of it.

    `now` is the moment of the move: the same move of the same referral at another time is another message.
    """
    about = f"{parts.referral.id}:{move.name}:{now:%Y%m%dT%H%M%S.%f}"
    queue_about_referral(session, parts, move.messages, about, now, but_not=actor.user_id)


def queue_about_referral(
    session: Session,
    parts: ReferralParts,
    messages: Iterable[tuple[str, str]],
    dedupe_key: str,
    now: datetime,
    *,
    but_not: int | None = None,
) -> None:
    """Write (template, audience) pairs about a referral, one message a recipient and `dedupe_key`.

    `but_not` is the user who is not told.
    """
    values = {"referral": parts.referral.id}
    for template, audience in messages:
        for recipient in list_recipients(session, parts, Audience(audience)):
            if recipient.user_id is not None and recipient.user_id == but_not:
                continue
            queue_message(
                session,
                template,
                recipient,
                params={name: values[name] for name in TEMPLATES[template].params},
                dedupe_key=dedupe_key,
                now=now,
                referral_id=parts.referral.id,
            )


def list_recipients(session: Session, parts: ReferralParts, audience: Audience) -> list[Recipient]:
    """Who belongs to an audience of this referral.

    A provider to whom nothing was disclosed hears nothing. Coordinators, officers and supervisors are written to
    when they left an address: their pages show the same. A returnee is left out at once when they did not agree
    to contact or left no phone; the hours are looked at when the message is sent. Raises ValueError for an
    audience that hears nothing of referrals: what is meant for it must reach nobody else.
    """
    governorate = parts.case.governorate
    if audience is Audience.PROVIDER:
        if not contacts.has_been_disclosed(session, parts.referral.id):
            return []
        found = contacts.get_reached_organization(session, parts.organization.id)
        return [Recipient(governorate, found.language, found.channels, organization_id=found.id)]
    if audience is Audience.RETURNEE:
        return _returnee(session, parts)
    return [user_recipient(governorate, user) for user in _users(session, parts, audience)]


def user_recipient(governorate: str, user: Reached) -> Recipient:
    """A user as the recipient of a message."""
    return Recipient(governorate, user.language, user.channels, user_id=user.id)


def _users(session: Session, parts: ReferralParts, audience: Audience) -> list[Reached]:
    governorate = parts.case.governorate
    if audience is Audience.OFFICE:
        if parts.case.office_id is None:
            return []
        return contacts.list_reached_users(session, governorate, Role.OFFICER, office_id=parts.case.office_id)
    if audience not in _BY_MANDATE:
        raise ValueError(f"{audience} is no audience of a referral")
    ministries = contacts.list_ministries_in_charge(session, parts.referral.id, governorate)
    return contacts.list_reached_users(session, governorate, _BY_MANDATE[audience], ministries=ministries)


def _returnee(session: Session, parts: ReferralParts) -> list[Recipient]:
    head = case_query.get_head(session, parts.case.id)
    if head is None or head.phone is None or not may_contact(session, parts.case.id):
        return []
    language = parts.case.contact_language
    return [Recipient(parts.case.governorate, language, (Channel.SMS,), case_id=parts.case.id)]
