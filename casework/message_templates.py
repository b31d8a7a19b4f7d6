"""The kinds of messages: who gets each, on which channel, with which figures. Texts are `api.message_texts`."""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from db.models import Channel
from referral_engine.sop import LIVE, ReferralState


class Audience(enum.StrEnum):
    """For whom a message is written."""

    PROVIDER = "provider"
    COORDINATOR = "coordinator"
    OFFICE = "office"
    SUPERVISOR = "supervisor"
    RETURNEE = "returnee"
    DATA_PROTECTION = "data_protection"
    PSEA_FOCAL_POINT = "psea_focal_point"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of message.

    `channels`: the first on which the recipient can be reached is taken. `params`: the names that its text
    needs. `while_in`: it is cancelled when its referral has left these states before it was sent. `lifetime`:
    how long after it was written it is still worth sending.
    """

    code: str
    audiences: frozenset[Audience]
    channels: tuple[Channel, ...]
    params: frozenset[str] = frozenset()
    while_in: frozenset[ReferralState] | None = None
    lifetime: timedelta | None = None


_A, _S = Audience, ReferralState
_ANY_CHANNEL = (Channel.EMAIL, Channel.SMS)
_DAY = timedelta(hours=24)
_WHOEVER_OWES = (_A.PROVIDER, _A.COORDINATOR, _A.OFFICE)


def _template(
    code: str,
    audiences: Iterable[Audience],
    channels: tuple[Channel, ...] = (Channel.EMAIL,),
    params: Iterable[str] = (),
    while_in: Iterable[ReferralState] | None = None,
    lifetime: timedelta | None = None,
) -> Template:
    states = None if while_in is None else frozenset(while_in)
    return Template(code, frozenset(audiences), channels, frozenset(params), states, lifetime)


_OFFICE_SIDE = (_A.COORDINATOR, _A.OFFICE, _A.SUPERVISOR)
_REFERRAL = ("referral",)
_ANSWERERS = (_A.SUPERVISOR, _A.DATA_PROTECTION, _A.PSEA_FOCAL_POINT)

_ROWS = (
    _template("referral_sent", [_A.PROVIDER], _ANY_CHANNEL, while_in=[_S.SENT]),
    _template("info_answered", [_A.PROVIDER], _ANY_CHANNEL, while_in=[_S.ACKNOWLEDGED]),
    _template("referral_recalled", [_A.PROVIDER], _ANY_CHANNEL, _REFERRAL),
    _template("referral_declined", _OFFICE_SIDE, params=_REFERRAL),
    _template("info_requested", _OFFICE_SIDE, params=_REFERRAL, while_in=[_S.INFO_REQUESTED]),
    _template("referral_expired", _OFFICE_SIDE, params=_REFERRAL),
    _template("referral_not_completed", _OFFICE_SIDE, params=_REFERRAL),
    _template("referral_disputed", _OFFICE_SIDE, params=_REFERRAL, while_in=[_S.DISPUTED]),
    _template("override_made", [_A.SUPERVISOR], params=_REFERRAL),
    _template("referral_accepted", [_A.RETURNEE], (Channel.SMS,), while_in=[_S.ACCEPTED]),
    _template("deadline_overdue", _WHOEVER_OWES, _ANY_CHANNEL, _REFERRAL, while_in=LIVE, lifetime=_DAY),
    _template("progress_due", _WHOEVER_OWES, _ANY_CHANNEL, _REFERRAL, while_in=LIVE, lifetime=_DAY),
    _template("referral_escalated", _OFFICE_SIDE, params=_REFERRAL, while_in=LIVE),
    _template("high_risk_told", [_A.SUPERVISOR], params=("needs",)),
    _template("provider_digest", [_A.PROVIDER], params=("new", "waiting", "overdue"), lifetime=_DAY),
    _template("deletion_digest", [_A.PROVIDER], params=("overdue",), lifetime=_DAY),
    _template("deletions_digest", [_A.SUPERVISOR], params=("overdue",), lifetime=_DAY),
    _template("overdue_digest", [_A.COORDINATOR], params=("overdue",), lifetime=_DAY),
    _template("complaint_received", _ANSWERERS, _ANY_CHANNEL),
    _template("complaint_appealed", _ANSWERERS, _ANY_CHANNEL),
    _template("complaint_overdue", _ANSWERERS, _ANY_CHANNEL),
    _template("transfer_offered", [_A.OFFICE], _ANY_CHANNEL),
    _template("hand_over_offered", [_A.COORDINATOR], _ANY_CHANNEL),
    _template("transfer_overdue", [_A.OFFICE], _ANY_CHANNEL, lifetime=_DAY),
    _template("transfer_escalated", [_A.SUPERVISOR], _ANY_CHANNEL),
    _template("hand_over_overdue", [_A.COORDINATOR], _ANY_CHANNEL, lifetime=_DAY),
    _template("hand_over_escalated", [_A.SUPERVISOR], _ANY_CHANNEL),
    _template("complaint_digest", _ANSWERERS, params=("overdue",), lifetime=_DAY),
    _template("lag_alert", [_A.ADMINISTRATOR], _ANY_CHANNEL, ("forms", "minutes"), lifetime=_DAY),
    _template("lag_over", [_A.ADMINISTRATOR], _ANY_CHANNEL, lifetime=_DAY),
)

TEMPLATES: Mapping[str, Template] = MappingProxyType({row.code: row for row in _ROWS})
