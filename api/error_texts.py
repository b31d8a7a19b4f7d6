"""Every refusal in words: the codes of `db.errors`, and those that only pages know."""

from collections.abc import Mapping

from api import transfer_texts
from api.i18n import mark as _

ERRORS: Mapping[str, str] = {
    "illegal_move": _(
        "This step is not possible in the referral's present state. Somebody may have acted before you."
    ),
    "reason_required": _("Please choose a reason."),
    "reason_unknown": _("This reason is not on the list."),
    "no_slot": _("This provider has no free place any more. Please choose another option."),
    "not_an_option": _("This provider is not an option for this need."),
    "consent_required": _("The person's consent is missing or has been withdrawn. Nothing was sent."),
    "consent_does_not_cover": _("The person's consent does not cover this provider. Nothing was sent."),
    "consent_settled_already": _("This has already been settled."),
    "channel_unknown": _("Please say how the person was asked."),
    "language_unknown": _("Please say in which language the text was read out."),
    "interpreter_required": _("Please name the interpreter."),
    "mandate": _("This belongs to another ministry."),
    "not_found": _("We could not find this page, or it is not yours to see."),
    "forbidden": _("Your role does not include this."),
    "changed_meanwhile": _("Somebody changed this meanwhile. Please look again."),
    "undo_later_first": _("This household was joined with another case later. Please undo that first."),
    "malformed_submission": _("The form that was sent cannot be read."),
    "submission_conflict": _("A different form with the same number was already received."),
    "submission_too_large": _("The form that was sent is too large."),
    "unknown_tablet": _("This tablet is not known or was revoked."),
    "case_erased": _("The data of this case were erased."),
    "busy": _("The system is busy with this. Please try again in a minute."),
    "address_unreadable": _("This is no e-mail address, or no phone number with its country (+964…)."),
    "text_required": _("Please say in a few words why."),
    "text_too_long": _("This text is too long."),
    "referral_under_way": _("This need already has a referral under way, or is not open."),
    "open_day_exists": _("This office has an open day on that date already."),
    "open_day_date": _("This is not possible on that date."),
    "open_day_state": _("This is not possible any more, or not yet: the open day is not in progress."),
    "station_unknown": _("Something is wrong with the number of stations."),
    "station_required": _("An open day needs at least one station."),
    "station_taken": _("Somebody is still at this station. Please finish with them first."),
    "code_unknown": _("No case with this code has arrived that is yours to see. Please check the code."),
    "code_ambiguous": _("Two cases hold this code. Please settle that first."),
    "pause_used_up": _("This clock has been stopped for as long as may be."),
    "not_paused": _("This clock is not stopped."),
    "date_not_ahead": _("Please give a date that lies ahead."),
    "days_not_ordered": _("Please give a first and a last day, three months apart at most."),
    "sign_in_required": _("Please sign in."),
    "sign_in_failed": _("The user name or the password is not right."),
    "too_many_attempts": _("Too many attempts. Please wait a quarter of an hour and try again."),
    "form_expired": _("This page was open for too long. Please go back, reload it and try again."),
    "bad_request": _("Something in this request is missing or wrong."),
    "internal": _("Something went wrong on our side. Nothing was changed. Please try again."),
    "slots_invalid": _("Please give a whole number of places."),
    "slots_below_reserved": _("More places are reserved already. The number cannot be lower than that."),
    "no_intake_period": _("This service has no intake period yet. Please ask the coordinator."),
    "complaint_move": _(
        "This step is not possible for this complaint now. Somebody may have acted before you."
    ),
    "complaint_text_required": _("Please write what happened, or the answer, in words."),
    "complaint_too_long": _("This text is too long. Please shorten it."),
    "complaint_choice_unknown": _("Please choose from the lists."),
    "complaint_same_person": _("An appeal is answered by somebody else than the first answer."),
    "complaint_unknown": _("The code or the secret number is not right. Please read both again."),
    "complaint_too_many": _(
        "Too much was sent from your connection. Please wait an hour, or tell any office, in person or by phone."
    ),
    "case_closed": _("This case is closed. Open it again first."),
    "case_open": _("This case is open."),
    "case_under_way": _("A referral is under way or a follow-up is due. Finish these first."),
    "plan_required": _("Please agree a plan with the person first."),
    "value_wrong": _("A date, a quantity or an answer is missing or not possible."),
    "follow_ups_missing": _("The person must be tried on more days before this may be closed."),
    "consent_expired": _("The person's consent has expired. Please ask again first."),
    "assent_required": _("The child must be asked and agree too, or the reason why not must be chosen."),
    "caregiver_required": _("For a child a caregiver must consent."),
    "proxy_evidence_required": _("Who speaks for the person must say their relation and show evidence."),
    "witness_required": _("Please name the witness."),
    "contact_withdrawn": _("The person does not want to be called."),
    "override_not_emergency": _("Only an emergency may be sent without consent."),
    "override_lapsed": _("It is too late to confirm this, or it was settled already."),
    "second_person_required": _("Somebody else than who sent it must confirm it."),
    **transfer_texts.ERRORS,
    "consent_incomplete": _(
        "The person's consent is incomplete: the interpreter or the evidence is missing. Please ask again first."
    ),
    "proxy_evidence_unfit": _("This evidence does not fit: for a child and for an adult it is not the same."),
}
