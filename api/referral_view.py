"""A referral put into words for its page and its JSON twin."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from api import texts
from api.auth import CurrentUser
from api.reason_words import SHOWN_AS_COLUMNS, ReasonWords, rule_ids
from casework.pauses import offered
from db.errors import DomainError
from db.options import (
    EventRow,
    Option,
    ReferralSheet,
    get_referral_sheet,
    list_events,
    list_options,
    list_rule_names,
)
from governorates import Governorate, choice_codes
from referral_engine.sop import moves_from


@dataclass(frozen=True, slots=True)
class OptionView:
    """An option with its reasons in words; `chosen` is the one this referral points to.

    `reserved`: besides the free places, one is kept there for this person.
    """

    option: Option
    chosen: bool
    reserved: bool
    nearest: bool
    reasons: Sequence[str]


@dataclass(frozen=True, slots=True)
class ReferralView:
    """All that a referral's page says, but for what is personal."""

    sheet: ReferralSheet
    options: Sequence[OptionView]
    excluded: Sequence[OptionView]
    on_the_nearest: str | None
    events: Sequence[EventRow]
    moves: frozenset[str]
    all_options: Sequence[Option]


def view_referral(
    session: Session, user: CurrentUser, governorate: Governorate, referral_id: int, language: str
) -> ReferralView:
    """Read a referral that the user may see, in four statements. Raises DomainError `not_found`."""
    sheet = get_referral_sheet(session, user, referral_id)
    if sheet is None:
        raise DomainError("not_found", referral_id=referral_id)
    options = list_options(session, sheet.referral, datetime.now(UTC))
    words = ReasonWords(language, list_rule_names(session, rule_ids(options)))
    chosen_id = sheet.referral.service_at_location_id
    keeps_place = sheet.referral.holds_slot
    chosen = next((option for option in options if option.service_at_location_id == chosen_id), None)
    return ReferralView(
        sheet=sheet,
        options=[option_view(words, o, chosen_id, keeps_place) for o in options if o.status == "option"],
        excluded=[option_view(words, o, chosen_id, keeps_place) for o in options if o.status != "option"],
        on_the_nearest=words.on_the_nearest(chosen, options),
        events=list_events(session, referral_id),
        moves=_possible_moves(sheet, user),
        all_options=options,
    )


def option_view(words: ReasonWords, option: Option, chosen_id: int | None, keeps_place: bool) -> OptionView:
    """One option with its reasons in words."""
    if option.status == "option":
        reasons = [words.option(r) for r in option.reasons if r["code"] not in SHOWN_AS_COLUMNS]
    else:
        reasons = [words.excluded(r) for r in option.reasons]
    return OptionView(
        option=option,
        chosen=option.service_at_location_id == chosen_id,
        reserved=keeps_place and option.service_at_location_id == chosen_id,
        nearest=any(reason["code"] == "nearest" for reason in option.reasons),
        reasons=reasons,
    )


def _possible_moves(sheet: ReferralSheet, user: CurrentUser) -> frozenset[str]:
    clock, state = sheet.deadline, sheet.referral.state
    names = offered(
        (move.name for move in moves_from(state, user.role)),
        state,
        user.role,
        None if clock is None else clock.paused_reason,
        None if clock is None else clock.breach_action,
    )
    if sheet.referral.held_reason is None:
        return frozenset(names - {"unhold"})
    return frozenset(names - {"hold", "approve", "ask_consent"})


def reason_of_event(event: EventRow, language: str) -> str | None:
    """The coded reason of a move in words."""
    reason_list = texts.REASON_LISTS.get(event.move)
    if event.reason is None or reason_list is None or event.reason not in choice_codes(reason_list):
        return event.reason
    return texts.choice_or_code(reason_list, event.reason, language)
