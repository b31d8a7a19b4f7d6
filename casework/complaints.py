"""The acts on a complaint. States and moves are `referral_engine.complaints`; every act is one row of history.

A complaint is made by a person who is not named anywhere in the clear. Whoever records it for them gets the
reference code and the follow-up phrase once, and nothing else, whatever the complaint is about.
"""

import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from casework.complaint_messages import tell_of_move
from casework.moves import SYSTEM, Actor, require_choice
from db import accounts
from db import complaints as query
from db.errors import DomainError
from db.mandates import owner_of
from db.models import Complaint, ComplaintEvent
from db.vault import Vault
from governorates import (
    Governorate,
    add_hours,
    choice_codes,
    load,
    new_complaint_code,
    normalise_complaint_code,
)
from referral_engine.complaints import (
    FINAL,
    MOVES,
    SEXUAL_EXPLOITATION,
    ComplaintActor,
    ComplaintLine,
    ComplaintMove,
    ComplaintState,
    line_of,
    next_state,
)
from referral_engine.sop import IllegalMove

LONGEST_TEXT = 4000
LONGEST_ADDRESS = 300
PHRASE_DIGITS = 16
"""53 bits: guessing is hopeless however often one tries. Digits, because everybody here can read and type them."""

CHANNELS = ("desk", "phone", "page")
COMPLAINANT = Actor(None, ComplaintActor.COMPLAINANT, "")


@dataclass(frozen=True, slots=True, repr=False)
class Statement:
    """What a person says when they complain. Without a reply address the complaint is anonymous."""

    subject: str
    kind: str
    text: str
    language: str
    channel: str
    reply_address: str | None = None
    organization_id: int | None = None
    office_id: int | None = None
    referral_id: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Receipt:
    """What the person takes away: shown once and kept nowhere in the clear but the code."""

    code: str
    phrase: str


@dataclass(frozen=True, slots=True, repr=False)
class ReadEvent:
    """An event with its note opened; None where there is none or the key was erased."""

    event: ComplaintEvent
    note: str | None


@dataclass(frozen=True, slots=True, repr=False)
class ReadComplaint:
    """A complaint opened for whoever handles it."""

    complaint: Complaint
    text: str | None
    reply_address: str | None
    history: tuple[ReadEvent, ...]


def receive_complaint(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    said: Statement,
    now: datetime,
    actor: Actor = COMPLAINANT,
) -> Receipt:
    """Take a complaint in, from the person's own hand or through a clerk (`actor`).

    A referral must be one that the clerk may see (`not_found`); its organization is then the one complained of.
    Raises DomainError `complaint_text_required`, `complaint_too_long` or `complaint_choice_unknown`.
    """
    if actor.role not in MOVES["receive"].actors:
        raise DomainError("forbidden", move="receive")
    _check_statement(said)
    if not query.are_in_governorate(session, governorate.code, said.organization_id, said.office_id):
        raise DomainError("complaint_choice_unknown")
    facts = None
    if said.referral_id is not None:
        facts = query.get_referral_facts(session, actor, said.referral_id)
        if facts is None:
            raise DomainError("not_found", referral_id=said.referral_id)
    organization_id = facts.organization_id if facts else said.organization_id
    key_id = vault.create_key()
    code, phrase = _new_code(session, governorate), _new_phrase()
    statement = vault.seal(key_id, "complaint.statement", said.text.strip())
    assert statement is not None  # noqa: S101  the text is not empty
    address = (said.reply_address or "").strip()
    complaint = Complaint(
        code=code,
        phrase_index=_phrase_index(vault, code, phrase),
        governorate=governorate.code,
        subject=said.subject,
        kind=said.kind,
        line=line_of(said.kind),
        ministry=_ministry(session, governorate, facts, organization_id),
        organization_id=organization_id,
        office_id=said.office_id,
        referral_id=said.referral_id,
        anonymous=not address,
        language=said.language,
        channel=said.channel,
        data_key_id=key_id,
        statement=statement,
        reply_address=vault.seal(key_id, "complaint.reply_address", address),
        received_at=now,
    )
    _enter(complaint, MOVES["receive"], ComplaintState.RECEIVED, now)
    session.add(complaint)
    session.flush()
    _add_event(session, vault, complaint, "receive", None, actor, now)
    return Receipt(code, phrase)


def move_complaint(
    session: Session,
    vault: Vault,
    code: str,
    move: str,
    actor: Actor,
    now: datetime,
    *,
    reason: str | None = None,
    text: str | None = None,
) -> None:
    """Make one move as the one who handles the complaint.

    Raises DomainError `not_found` for a complaint that does not exist for the actor, `forbidden` for a move that
    is not the actor's, `complaint_move` for one that the table does not have from this state,
    `complaint_same_person`, `reason_required`, `reason_unknown`, `complaint_text_required` or
    `complaint_too_long`.
    """
    complaint = query.get_visible_complaint(session, actor, code, lock=True)
    if complaint is None:
        raise DomainError("not_found")
    _move(session, vault, complaint, move, actor, now, reason, text)


def read_complaint(session: Session, vault: Vault, code: str, actor: Actor, now: datetime) -> ReadComplaint:
    """Open a complaint for whoever handles it, and note that it was read; `not_found` as for a move.

    What is outside the line stays outside its audit: there the complaint's own history holds the reading.
    """
    complaint = query.get_visible_complaint(session, actor, code)
    if complaint is None:
        raise DomainError("not_found")
    if complaint.line == ComplaintLine.PSEA:
        _add_event(session, vault, complaint, "read", complaint.state, actor, now)
    else:
        accounts.record_audit(session, actor.user_id, "complaint.read", "complaint", [complaint.id])
    vault.load_keys([complaint.data_key_id])
    return ReadComplaint(
        complaint,
        vault.open_many("complaint.statement", [complaint.statement])[0],
        vault.open_many("complaint.reply_address", [complaint.reply_address])[0],
        _history(session, vault, complaint),
    )


def follow_up(
    session: Session, vault: Vault, governorate: Governorate, code: str, phrase: str, *, lock: bool = False
) -> tuple[Complaint, tuple[ReadEvent, ...]]:
    """The complaint and its answers for whoever holds its code and phrase; their own words stay sealed.

    Raises DomainError `complaint_unknown`, the same for a wrong code as for a wrong phrase.
    """
    wanted = normalise_complaint_code(code, governorate.code_alphabet) or ""
    complaint = query.get_complaint_by_code(session, governorate.code, wanted, lock=lock)
    given = _phrase_index(vault, wanted, _digits(phrase))
    if complaint is None or not hmac.compare_digest(given, complaint.phrase_index):
        raise DomainError("complaint_unknown")
    answers = {"answer", "answer_appeal"}
    return complaint, tuple(
        read for read in _history(session, vault, complaint) if read.event.move in answers
    )


def appeal(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    code: str,
    phrase: str,
    text: str,
    now: datetime,
) -> None:
    """The person is not content with the answer. Errors as of `follow_up` and `move_complaint`."""
    complaint, _ = follow_up(session, vault, governorate, code, phrase, lock=True)
    _move(session, vault, complaint, "appeal", COMPLAINANT, now, None, text)


def close_lapsed_complaints(session: Session, vault: Vault, now: datetime, limit: int = 100) -> int:
    """Close complaints whose time to appeal has run out; returns how many. Made to be run again and again."""
    lapsed = query.claim_lapsed_complaints(session, now, limit)
    for complaint in lapsed:
        _move(session, vault, complaint, "close", SYSTEM, now, None, None)
    return len(lapsed)


def _check_statement(said: Statement) -> None:
    _require_text(said.text)
    if len(said.reply_address or "") > LONGEST_ADDRESS:
        raise DomainError("complaint_too_long", limit=LONGEST_ADDRESS)
    if (
        said.subject not in choice_codes("complaint_subject")
        or said.kind not in choice_codes("complaint_kind")
        or said.channel not in CHANNELS
        or said.language not in choice_codes("language")
    ):
        raise DomainError("complaint_choice_unknown")


def _require_text(text: str | None) -> None:
    if not (text or "").strip():
        raise DomainError("complaint_text_required")
    if len(text or "") > LONGEST_TEXT:
        raise DomainError("complaint_too_long", limit=LONGEST_TEXT)


def _ministry(
    session: Session,
    governorate: Governorate,
    facts: query.ReferralFacts | None,
    organization_id: int | None,
) -> str:
    """Whose supervisor answers: the owner of the category, if it is known and the person exists for it."""
    receiving = governorate.operator.code
    if facts is not None:
        owner = owner_of(governorate, facts.category, facts.handed_to)
        is_hidden = owner == governorate.asked_apart.code and not facts.exists_for_asked_apart
        return receiving if is_hidden else owner
    if organization_id is None:
        return receiving
    categories = query.list_categories_of(session, governorate.code, organization_id)
    owners = {governorate.categories[code].ministry for code in categories if code in governorate.categories}
    return owners.pop() if len(owners) == 1 else receiving


def _move(
    session: Session,
    vault: Vault,
    complaint: Complaint,
    name: str,
    actor: Actor,
    now: datetime,
    reason: str | None,
    text: str | None,
) -> None:
    """Check one move against the table and make it: state, clock, line, event. The complaint is locked."""
    move = MOVES.get(name)
    if move is None or actor.role not in move.actors:
        raise DomainError("forbidden", move=name)
    try:
        target = next_state(complaint.state, name)
    except IllegalMove as error:
        raise DomainError("complaint_move", state=complaint.state, move=name) from error
    if move.another_person and actor.user_id == complaint.answered_by:
        raise DomainError("complaint_same_person", move=name)
    if move.reason_list is not None:
        require_choice(move.reason_list, reason)
    if move.needs_text:
        _require_text(text)
    source = complaint.state
    if name == "pass_on":
        complaint.kind, complaint.line = SEXUAL_EXPLOITATION, ComplaintLine.PSEA
    elif name == "answer":
        complaint.answered_at, complaint.answered_by = now, actor.user_id
    elif name == "appeal":
        complaint.line = _line_of_appeal(session, complaint)
    _enter(complaint, move, target, now)
    _add_event(session, vault, complaint, name, source, actor, now, reason, text)


def _line_of_appeal(session: Session, complaint: Complaint) -> str:
    """Another supervisor of the ministry, else data protection; never anybody outside for what is outside the line."""
    if complaint.line != ComplaintLine.SUPERVISOR or query.has_other_supervisor(
        session, complaint, complaint.answered_by
    ):
        return complaint.line
    return ComplaintLine.DATA_PROTECTION


def _enter(complaint: Complaint, move: ComplaintMove, state: ComplaintState, now: datetime) -> None:
    """Put the complaint into a state with the clock of that state."""
    complaint.state = state
    if move.restarts_clock:
        complaint.clock_since = now
    if state in FINAL:
        complaint.due_at, complaint.closed_at = None, now
        return
    governorate = load(complaint.governorate)
    clock = governorate.complaints.clock(state, complaint.kind)
    complaint.due_at = add_hours(governorate, complaint.clock_since, clock.hours, clock.working)


def _add_event(
    session: Session,
    vault: Vault,
    complaint: Complaint,
    move: str,
    source: str | None,
    actor: Actor,
    now: datetime,
    reason: str | None = None,
    note: str | None = None,
) -> None:
    sealed = None
    if note and complaint.data_key_id is not None:
        sealed = vault.seal(complaint.data_key_id, "complaint_event.note", note.strip())
    session.add(
        ComplaintEvent(
            complaint_id=complaint.id,
            move=move,
            from_state=source,
            to_state=complaint.state,
            actor_role=actor.role,
            user_id=actor.user_id,
            reason=reason,
            note=sealed,
            at=now,
        )
    )
    session.flush()
    tell_of_move(session, complaint, move, actor.user_id, now)


def _history(session: Session, vault: Vault, complaint: Complaint) -> tuple[ReadEvent, ...]:
    events = query.list_complaint_events(session, complaint.id)
    notes = vault.open_many("complaint_event.note", [event.note for event in events])
    return tuple(ReadEvent(event, note) for event, note in zip(events, notes, strict=True))


def _new_code(session: Session, governorate: Governorate) -> str:
    while query.is_code_taken(session, code := new_complaint_code(secrets, governorate.code_alphabet)):
        pass
    return code


def _new_phrase() -> str:
    return "".join(secrets.choice("0123456789") for _ in range(PHRASE_DIGITS))


def _digits(phrase: str) -> str:
    """The digits of what was typed, Eastern ones too; everything between them is left out."""
    found = (unicodedata.decimal(symbol, None) for symbol in phrase)
    return "".join(str(digit) for digit in found if digit is not None)


def _phrase_index(vault: Vault, code: str, phrase: str) -> bytes:
    return vault.blind("complaint_phrase", f"{code}:{phrase}")
