"""What is done to a referral at the office: each form is one act of `casework`, then back to a page."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response

from api.asked_form import asked_form
from api.auth import CurrentUser, Database, Keys, Require
from api.permissions import Permission
from api.redirects import see
from api.waking import Wake
from casework import closure, drafts, provider_acts, sending
from casework import referrals as acts
from casework.named_consents import Asked
from db.errors import DomainError
from db.options import is_referral_visible

router = APIRouter(prefix="/referrals/{referral_id}")

Note = Annotated[str, Form(max_length=2000)]
Reason = Annotated[str, Form(max_length=40)]


Decider = Annotated[CurrentUser, Depends(Require(Permission.REFERRAL_DECIDE))]
ConsentTaker = Annotated[CurrentUser, Depends(Require(Permission.REFERRAL_CONSENT))]
Closer = Annotated[CurrentUser, Depends(Require(Permission.REFERRAL_CLOSE))]


def _require_visible(session: Database, user: CurrentUser, referral_id: int) -> None:
    if not is_referral_visible(session, user, referral_id):
        raise DomainError("not_found", referral_id=referral_id)


@router.post("/approve")
def approve(session: Database, keys: Keys, user: Decider, referral_id: int) -> Response:
    """Approve a proposal; next the person is asked for consent to this provider."""
    _require_visible(session, user, referral_id)
    acts.approve(session, keys, referral_id, user.actor)
    return see(f"/referrals/{referral_id}", "approved")


@router.post("/change")
def change(
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Decider,
    referral_id: int,
    service_at_location_id: Annotated[int, Form()],
    reason: Reason = "",
    note: Note = "",
) -> Response:
    """Choose another of the options, with a coded reason."""
    _require_visible(session, user, referral_id)
    acts.choose_other(session, keys, referral_id, service_at_location_id, user.actor, reason, note or None)
    wake()
    return see(f"/referrals/{referral_id}", "changed")


@router.post("/hold")
def hold(
    session: Database, keys: Keys, user: Decider, referral_id: int, reason: Reason = "", note: Note = ""
) -> Response:
    """Set a proposal aside with a coded reason, and words where the reason needs them."""
    _require_visible(session, user, referral_id)
    acts.hold(session, keys, referral_id, user.actor, reason, note or None)
    return see(f"/referrals/{referral_id}", "held")


@router.post("/unhold")
def unhold(session: Database, keys: Keys, user: Decider, referral_id: int) -> Response:
    """Put a held proposal back into the queue."""
    _require_visible(session, user, referral_id)
    acts.release_hold(session, keys, referral_id, user.actor)
    return see(f"/referrals/{referral_id}", "released")


@router.post("/send")
def send(
    session: Database,
    keys: Keys,
    user: ConsentTaker,
    referral_id: int,
    asked: Annotated[Asked, Depends(asked_form)],
    agreed: Annotated[str, Form()] = "",
    read_out: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Record that the person agreed to this provider and these fields, and send.

    What was read out must still be what would be sent; otherwise nothing is sent (`changed_meanwhile`).
    """
    _require_visible(session, user, referral_id)
    if agreed != "yes":
        raise DomainError("consent_required", referral_id=referral_id)
    sending.send(
        session,
        keys,
        referral_id,
        user.actor,
        channel=asked.channel,
        language=asked.language,
        interpreter=asked.interpreter,
        respondent=asked.respondent,
        read_out=read_out,
    )
    return see(f"/referrals/{referral_id}", "sent")


@router.post("/refuse")
def refuse(session: Database, keys: Keys, wake: Wake, user: ConsentTaker, referral_id: int) -> Response:
    """Record that the person does not want this provider to know; nothing is sent."""
    _require_visible(session, user, referral_id)
    sending.refuse_consent(session, keys, referral_id, user.actor)
    wake()
    return see(f"/referrals/{referral_id}", "refused")


@router.post("/recall")
def recall(
    session: Database,
    keys: Keys,
    wake: Wake,
    user: ConsentTaker,
    referral_id: int,
    reason: Reason = "",
    note: Note = "",
) -> Response:
    """Take a referral back before the service began."""
    _require_visible(session, user, referral_id)
    sending.recall(session, keys, referral_id, user.actor, reason, note or None)
    wake()
    return see(f"/referrals/{referral_id}", "recalled")


@router.post("/close")
def close(session: Database, keys: Keys, user: Closer, referral_id: int, reason: Reason = "") -> Response:
    """Close what the returnee has confirmed."""
    _require_visible(session, user, referral_id)
    closure.close(session, keys, referral_id, user.actor, reason)
    return see(f"/referrals/{referral_id}", "closed")


@router.post("/propose")
def propose(session: Database, keys: Keys, user: ConsentTaker, referral_id: int) -> Response:
    """Propose what was drafted by hand; it takes a place and waits for the coordinator.

    From then on it may be another ministry's, which was asked apart.
    """
    _require_visible(session, user, referral_id)
    drafts.propose(session, keys, referral_id, user.actor)
    is_own = is_referral_visible(session, user, referral_id)
    return see(f"/referrals/{referral_id}" if is_own else "/unmet", "proposed")


@router.post("/answer")
def answer(
    session: Database,
    keys: Keys,
    user: ConsentTaker,
    referral_id: int,
    asked: Annotated[Asked, Depends(asked_form)],
    note: Note = "",
    agreed: Annotated[str, Form()] = "",
) -> Response:
    """Answer what the provider asked, in words that the person agreed to."""
    _require_visible(session, user, referral_id)
    if agreed != "yes":
        raise DomainError("consent_required", referral_id=referral_id)
    closure.answer_info(session, keys, referral_id, user.actor, note, asked)
    return see(f"/referrals/{referral_id}", "answered")


@router.post("/confirm")
def confirm(session: Database, keys: Keys, user: Closer, referral_id: int, asked: Reason = "") -> Response:
    """The returnee says that the service was received, and was asked on a call, a visit or at the office."""
    _require_visible(session, user, referral_id)
    closure.confirm(session, keys, referral_id, user.actor, asked=asked)
    return see(f"/referrals/{referral_id}", "confirmed")


@router.post("/dispute")
def dispute(
    session: Database,
    keys: Keys,
    user: Closer,
    referral_id: int,
    reason: Reason = "",
    note: Note = "",
    asked: Reason = "",
) -> Response:
    """The returnee says that it was not, or not as promised."""
    _require_visible(session, user, referral_id)
    closure.dispute(session, keys, referral_id, user.actor, reason, note, asked=asked)
    return see(f"/referrals/{referral_id}", "disputed")


@router.post("/close-unheard")
def close_unheard(
    session: Database, keys: Keys, user: Decider, referral_id: int, reason: Reason = "", note: Note = ""
) -> Response:
    """Close a delivered service whose returnee could not be heard, after enough attempts."""
    _require_visible(session, user, referral_id)
    closure.close_unheard(session, keys, referral_id, user.actor, reason, note)
    return see(f"/referrals/{referral_id}", "closed_unheard")


@router.post("/resume")
def resume(session: Database, keys: Keys, user: Decider, referral_id: int) -> Response:
    """Let the provider go on with a disputed service."""
    _require_visible(session, user, referral_id)
    closure.resume(session, keys, referral_id, user.actor)
    return see(f"/referrals/{referral_id}", "resumed")


@router.post("/not-completed")
def not_completed(
    session: Database,
    keys: Keys,
    wake: Wake,
    user: Closer,
    referral_id: int,
    reason: Reason = "",
    note: Note = "",
) -> Response:
    """Say that the service was not given or broke off."""
    _require_visible(session, user, referral_id)
    provider_acts.not_complete(session, keys, referral_id, user.actor, reason, note)
    wake()
    return see(f"/referrals/{referral_id}", "not_completed")
