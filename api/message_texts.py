"""What messages say, in four languages. No name, no case code, no address: somebody else may read them.

A message to a returnee says nothing of the kind of service, of an organization or of a ministry. Texts say
figures and referral numbers only (`casework.message_templates` names them); a link leads to a page that asks who
is there. A test compares the table with the templates, and looks for personal data in every text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.i18n import mark as _
from api.i18n import translate
from api.texts import STATES, text_of
from db.models import Channel
from referral_engine.sop import ReferralState


@dataclass(frozen=True, slots=True)
class MessageText:
    """Subject, sentences, and the page that the message is about."""

    subject: str
    sentences: tuple[str, ...]
    path: str | None = None
    neutral: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in words."""

    subject: str
    body: str


TEXTS: Mapping[str, MessageText] = {
    "referral_sent": MessageText(
        _("A new referral waits for you"),
        (_("A new referral waits for your answer. Please sign in to read it."),),
        "/provider",
    ),
    "referral_recalled": MessageText(
        _("A referral was taken back"),
        (
            _("Referral number %(referral)s was taken back."),
            _("Please delete and destroy everything that you received about it."),
        ),
        "/provider",
    ),
    "referral_declined": MessageText(
        _("A referral was declined"),
        (_("The provider declined referral number %(referral)s. The reason stands on its page."),),
        "/referrals/%(referral)s",
    ),
    "info_requested": MessageText(
        _("A provider asks for information"),
        (_("The provider asks for more information on referral number %(referral)s."),),
        "/referrals/%(referral)s",
    ),
    "info_answered": MessageText(
        _("Your question was answered"),
        (_("The office has answered your question about a referral. Please sign in to read it."),),
        "/provider",
    ),
    "referral_not_completed": MessageText(
        _("A service was not completed"),
        (_("The service of referral number %(referral)s was not completed. The reason stands on its page."),),
        "/referrals/%(referral)s",
    ),
    "referral_expired": MessageText(
        _("A referral has expired"),
        (_("Referral number %(referral)s was not answered in time and has expired."),),
        "/referrals/%(referral)s",
    ),
    "referral_disputed": MessageText(
        _("A referral is disputed"),
        (_("The person says that the service of referral number %(referral)s was not delivered."),),
        "/referrals/%(referral)s",
    ),
    "override_made": MessageText(
        _("A referral was sent without consent"),
        (
            _(
                "Referral number %(referral)s was sent for a vital interest. Please confirm it within 24 hours."
            ),
        ),
        "/overrides",
    ),
    "referral_accepted": MessageText(
        _("Please contact the office"),
        (_("Please contact the office you visited, during its working hours."),),
        neutral=True,
    ),
    "deadline_overdue": MessageText(
        _("A referral is overdue"),
        (_("Referral number %(referral)s has waited for your next step for longer than agreed."),),
        "/",
    ),
    "progress_due": MessageText(
        _("Please say how a service is going on"),
        (_("Please say how the service of referral number %(referral)s is going on."),),
        "/",
    ),
    "referral_escalated": MessageText(
        _("A referral needs your attention"),
        (_("Referral number %(referral)s has not moved in time and was passed on to you."),),
        "/escalations",
    ),
    "high_risk_told": MessageText(
        _("Needs of high risk"),
        (_("New needs of high risk in your mandate: %(needs)s."),),
        "/escalations",
    ),
    "provider_digest": MessageText(
        _("Referrals today"),
        (
            _("New referrals: %(new)s."),
            _("Waiting for your next step: %(waiting)s."),
            _("Overdue: %(overdue)s."),
        ),
        "/provider",
    ),
    "deletion_digest": MessageText(
        _("Deletions that you have not confirmed"),
        (
            _("People took their consent back. What you must delete, past its day: %(overdue)s."),
            _("Please delete it, on paper too, and say so on the page."),
        ),
        "/provider/deletions",
    ),
    "deletions_digest": MessageText(
        _("Providers have not confirmed deletions"),
        (_("Deletions that providers have not confirmed, past their day: %(overdue)s."),),
        "/deletions",
    ),
    "overdue_digest": MessageText(
        _("Overdue referrals today"),
        (_("Referrals that have waited for longer than agreed, by state:"),),
        "/queue",
    ),
    "complaint_received": MessageText(
        _("A complaint has arrived"),
        (_("A complaint waits for you. Please sign in to read it."),),
        "/complaints",
    ),
    "complaint_appealed": MessageText(
        _("An answer to a complaint is appealed"),
        (_("An appeal waits for you. Please sign in to read it."),),
        "/complaints",
    ),
    "complaint_overdue": MessageText(
        _("A complaint is overdue"),
        (_("A complaint has waited for your next step for longer than agreed."),),
        "/complaints?view=overdue",
    ),
    "complaint_digest": MessageText(
        _("Overdue complaints today"),
        (_("Complaints that have waited for longer than agreed: %(overdue)s."),),
        "/complaints?view=overdue",
    ),
    "transfer_offered": MessageText(
        _("A case is offered to your office"),
        (_("Another office offers a case to yours. Please sign in to answer."),),
        "/transfers",
    ),
    "hand_over_offered": MessageText(
        _("A need is offered to your ministry"),
        (_("Another ministry offers a need to yours. Please sign in to answer."),),
        "/hand-overs",
    ),
    "transfer_overdue": MessageText(
        _("A transfer waits for your answer"),
        (_("A case offered to your office has waited for an answer for longer than agreed."),),
        "/transfers",
    ),
    "transfer_escalated": MessageText(
        _("A transfer is not answered"),
        (_("A case offered to another office was not answered, and the office was reminded in vain."),),
        "/escalations",
    ),
    "hand_over_overdue": MessageText(
        _("A hand-over waits for your answer"),
        (_("A need offered to your ministry has waited for an answer for longer than agreed."),),
        "/hand-overs",
    ),
    "hand_over_escalated": MessageText(
        _("A hand-over is not answered"),
        (_("A need offered to another ministry was not answered, and the ministry was reminded in vain."),),
        "/escalations",
    ),
    "lag_alert": MessageText(
        _("Submissions are read too late"),
        (
            _("Forms that are read too late: %(forms)s. The longest delay: %(minutes)s minutes."),
            _("You will be told when it is over."),
        ),
        "/jobs",
    ),
    "lag_over": MessageText(
        _("Submissions are read in time again"),
        (_("The delay is over. Everything that waited has been read."),),
        "/jobs",
    ),
}

FOOTER = _("This message was written by Ihala. Please do not answer it.")

FAILURES: Mapping[str, str] = {
    "no_address": _("No address is known"),
    "template_unknown": _("The kind of message is not known any more"),
    "outdated": _("Too old to be of use"),
    "settled_meanwhile": _("Settled meanwhile"),
    "recipient_inactive": _("The account is switched off"),
    "contact_not_agreed": _("The person did not agree to contact, or took it back"),
    "no_phone": _("No usable phone number"),
    "hours_unknown": _("No safe hours were named"),
    "outside_hours": _("Waiting for the hours that the person named"),
    "erased": _("The data were erased"),
    "address_refused": _("The address was refused"),
    "mail_later": _("The mail server asked to wait"),
    "mail_refused": _("The mail server refused the message"),
    "sender_refused": _("The mail server refused our address"),
    "sign_in_refused": _("User name or secret was refused"),
    "not_trusted": _("The certificate is not trusted"),
    "no_answer": _("No answer in time"),
    "unreachable": _("Not reachable"),
    "unsendable": _("The address cannot be used"),
    "gateway_busy": _("The SMS gateway asked to wait"),
    "gateway_failed": _("The SMS gateway failed"),
    "gateway_moved": _("The SMS gateway answered from another address"),
    "gateway_refused": _("The SMS gateway refused the message"),
    "internal": _("A fault of the system"),
}
"""Why a message waits, failed or was cancelled."""

MESSAGE_STATES: Mapping[str, str] = {
    "queued": _("Waiting"),
    "sent": _("Sent"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
}

CHANNELS: Mapping[str, str] = {"email": _("E-mail"), "sms": _("SMS")}


def render(
    template: str, channel: str, language: str, params: Mapping[str, Any], public_url: str | None
) -> Rendered:
    """A message in words. The same row gives the same words; `public_url` is the address before the link."""
    text = TEXTS[template]
    figures = {name: value for name, value in params.items() if not isinstance(value, Mapping)}
    lines = [translate(language, sentence) % figures for sentence in text.sentences]
    for value in params.values():
        if isinstance(value, Mapping):
            lines += _states(value, language)
    if text.path is not None and public_url:
        lines.append(public_url.rstrip("/") + text.path % figures)
    if channel == Channel.SMS:
        return Rendered("", " ".join(lines))
    if not text.neutral:
        lines += ["", translate(language, FOOTER)]
    return Rendered(translate(language, text.subject), "\n".join(lines) + "\n")


def _states(counts: Mapping[str, int], language: str) -> list[str]:
    """One line a state, in the order of a referral's way."""
    order = [str(state) for state in ReferralState]
    known = sorted(counts, key=lambda code: order.index(code) if code in order else len(order))
    return [f"{text_of(STATES, code, language)}: {counts[code]}" for code in known]
