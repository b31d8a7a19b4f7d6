"""Every code that people meet, in words: states, moves, reasons, refusals, issues, fields.

The English text is the msgid of the catalogues. Names of choices, places and services are data of the
governorate (`governorates`), never repeated here. Tests compare each table with the codes' own home.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from api import conflict_texts, transfer_texts
from api.i18n import comma, format_date, translate
from api.i18n import mark as _
from governorates import Governorate, choice_name, name_in

STATES: Mapping[str, str] = {
    "draft": _("Draft"),
    "proposed": _("Proposed"),
    "approved": _("Approved"),
    "awaiting_consent": _("Awaiting the person's consent"),
    "sent": _("Sent to the provider"),
    "acknowledged": _("Acknowledged"),
    "info_requested": _("More information requested"),
    "waitlisted": _("On the waiting list"),
    "accepted": _("Accepted"),
    "service_started": _("Service started"),
    "service_delivered": _("Service delivered"),
    "confirmed": _("Confirmed by the returnee"),
    "disputed": _("Disputed by the returnee"),
    "declined": _("Declined"),
    "not_completed": _("Not completed"),
    "recalled": _("Recalled"),
    "expired": _("Expired"),
    "closed": _("Closed"),
}

NEED_STATES: Mapping[str, str] = {
    "open": _("Looking for a provider"),
    "referred": _("Referral under way"),
    "served": _("Served"),
    "withdrawn": _("Withdrawn"),
    "merged": _("Counted with the same need of this household"),
    "informed": _("Told where to go; goes alone"),
}

EVENTS: Mapping[str, str] = {
    "propose": _("The system proposed this provider and reserved a place."),
    "change": _("The coordinator chose another provider."),
    "hold": _("The coordinator put the proposal on hold."),
    "unhold": _("The coordinator put the proposal back into the queue."),
    "approve": _("The coordinator approved the proposal."),
    "ask_consent": _("The person's consent is now asked."),
    "send": _("The person agreed and the referral was sent."),
    "accept": _("The provider accepted the referral."),
    "decline": _("The provider declined the referral."),
    "start": _("The provider started the service."),
    "deliver": _("The provider reported the service as delivered."),
    "close": _("The referral was closed."),
    "recall": _("The referral was recalled."),
    "draft": _("The office drafted this referral by hand."),
    "acknowledge": _("The provider acknowledged the referral."),
    "request_info": _("The provider asked for more information."),
    "answer_info": _("The office answered the provider."),
    "waitlist": _("The provider put the person on its waiting list."),
    "confirm": _("The returnee confirmed the service."),
    "dispute": _("The returnee disputed the service."),
    "resume": _("The provider goes on with the service."),
    "not_complete": _("The service was not completed."),
    "close_unheard": _("The referral was closed without the returnee's word, after several attempts."),
    "withdraw": _("The person took consent back after the service; the provider was told to delete."),
    "expire": _("Nobody answered in time; another provider is looked for."),
    "pause_clock": _("The clock was stopped for a while."),
    "resume_clock": _("The clock goes on."),
    "report_progress": _("Somebody asked how the service goes."),
    "override": _("Sent without consent for a vital interest; a second person must confirm it."),
}

OPTION_REASONS: Mapping[str, str] = {
    "assigned": _("Proposed by the system"),
    "nearest": _("Nearest suitable provider"),
    "not_nearest": _("A nearer provider was passed over"),
    "minutes": _("Journey of %(minutes)s minutes"),
    "slots": _("%(free)s free places before this proposal"),
    "rule_met": _("Condition met: %(rule)s"),
    "rule_unknown": _("To be checked: %(rule)s (ask about: %(settle)s)"),
    "needs_check": _("A condition must be checked before sending"),
    "river_not_considered": _("Journey estimated without the river crossings"),
    "place_approximate": _("Place of residence known to about %(radius_km)s km"),
    "language_shared": _("Speaks the person's language"),
    "interpreter_needed": _("An interpreter is needed"),
    "waiting_list": _("Waiting list only"),
    "capacity_old": _("The provider has not confirmed its places lately"),
    "assessment_first": _("The provider assesses the person first"),
}

EXCLUSION_REASONS: Mapping[str, str] = {
    "consent_open_exclusion": _("The person excluded an organization that nobody has identified yet"),
    "consent_category": _("The person did not agree to this kind of service"),
    "consent_moi": _("The person did not agree to Ministry of Interior offices"),
    "consent_kind": _("The person did not agree to this kind of organization"),
    "excluded_organization": _("The person excluded this organization"),
    "own_subdistrict": _("The person wants no provider in their own sub-district"),
    "area": _("Does not cover the place of residence"),
    "not_eligible": _("Condition not met: %(rule)s"),
    "unreachable": _("No open way across the river"),
    "too_far": _("Too far: %(minutes)s minutes, the limit is %(max)s"),
    "declined_before": _("Has declined this need before"),
    "no_slot": _("No free place"),
    "capacity_stale": _("The provider has not confirmed its places for too long"),
    "no_capacity_reported": _("The provider says that it has no capacity"),
}

UNMET_REASONS: Mapping[str, str] = {
    "no_service": _("Nobody offers this service"),
    "exclusion_open": _("An excluded organization has not been identified yet"),
    "consent": _("The person's consent does not cover any provider"),
    "residence_unknown": _("The place of residence is not known"),
    "outside_governorate": _("The person lives outside the governorate"),
    "outside_area": _("No provider covers the place of residence"),
    "not_eligible": _("The conditions of every provider exclude the person"),
    "too_far": _("Every suitable provider is too far away"),
    "declined_by_all": _("Every suitable provider has declined"),
    "no_slot": _("No suitable provider has a free place"),
    "slot_taken_meanwhile": _("The last free place has just been taken; it will be tried again"),
    "capacity_unconfirmed": _("Suitable providers have not confirmed their places for too long"),
    "waiting_list_only": _("Suitable providers have a waiting list only"),
    "no_next_provider": _(
        "A provider did not answer in time and no other has a free place; it will be tried again"
    ),
    "nobody_went_on": _("The office did not go on with the last referral in time; it will be tried again"),
    "person_not_reached": _("The person was not reached, more than once; somebody must reach them first"),
    "consent_expired": _("The person's consent has expired and must be renewed"),
    "consent_incomplete": _("The person's consent is incomplete: the interpreter or the evidence is missing"),
}

DONE: Mapping[str, str] = {
    "approved": _("Approved. Now ask the person for consent to this provider."),
    "changed": _("The other option was chosen. Please approve it."),
    "held": _("Put on hold."),
    "released": _("Back in the queue."),
    "sent": _("Sent to the provider."),
    "refused": _("Recorded: the person does not agree. Nothing was sent."),
    "recalled": _("Recalled."),
    "closed": _("The referral is closed."),
    "accepted": _("Accepted."),
    "declined": _("Declined. The coordinator is looking for another provider."),
    "started": _("Service started."),
    "delivered": _("Service delivered. Thank you."),
    "settled": _("Settled. The matching now leaves these organizations out."),
    "reprocessed": _("The submissions in quarantine were tried once more."),
    "revoked": _("The tablet was revoked."),
    "merged": _("The two cases are now one household. Both codes lead to it."),
    "different": _("Recorded: these are two households."),
    "undone": _("Undone. The pair is open again."),
    "queued": _("The message waits to be sent again."),
    "addressed": _("Your address was kept. Messages name no person."),
    "forgotten": _("Your address was deleted."),
    "proposed": _("Proposed. The coordinator decides next."),
    "answered": _("Answered. The provider decides next."),
    "confirmed": _("Recorded: the returnee confirms the service."),
    "disputed": _("Recorded: the returnee disputes the service."),
    "resumed": _("Recorded: the provider goes on with the service."),
    "not_completed": _("Recorded: the service was not completed."),
    "acknowledged": _("Acknowledged. Please answer in time."),
    "info_requested": _("The office was asked. You will see its answer here."),
    "waitlisted": _("On your waiting list."),
    "planned": _("The open day is planned."),
    "begun": _("The doors are open."),
    "ended": _("The open day is closed. Please look at what is missing."),
    "numbered": _("Please give the person this number."),
    "called": _("Called."),
    "nobody": _("Nobody is waiting for this station."),
    "linked": _("The number now belongs to this case."),
    "served": _("Done at this station."),
    "gone": _("Recorded: the person has gone."),
    "back": _("Back in the line, with the same number."),
    "slip": _("Recorded: the slip was given."),
    "matched": _("The matching has run. The figures below are the newest."),
    "current": _("Thank you. Your services are confirmed."),
    "counted": _("Saved. The service is confirmed."),
    "finished": _("The task is done."),
    "noted": _("Recorded."),
    "passed": _("Passed on. You will not see this complaint again."),
    "plan_agreed": _("The plan is in force."),
    "goal_added": _("The goal was added."),
    "goal_met": _("The goal was met."),
    "goal_dropped": _("The goal was given up."),
    "outcome_added": _("The outcome was recorded."),
    "follow_up_planned": _("The follow-up was planned."),
    "follow_up_recorded": _("The follow-up was recorded."),
    "scored": _("The answers were recorded."),
    "letter_issued": _("The letter is ready to print."),
    "case_closed": _("The case is closed."),
    "case_reopened": _("The case is open again."),
    "need_reopened": _("The need is open again. The system is looking for a provider."),
    "closed_unheard": _("The referral was closed without the returnee's word."),
    "paused": _("The clock stands still."),
    "clock_resumed": _("The clock goes on."),
    "progress_reported": _("Written down. You will be asked again later."),
    "look_again": _("A provider is looked for again."),
    "escalation_seen": _("Noted."),
    "closure_announced": _("Announced. The clocks follow."),
    "closure_cancelled": _("Taken back. The clocks follow."),
    "withdrawn": _("Recorded, with effect at once. Please print this receipt for the person."),
    "renewed": _("Recorded: the person says yes again."),
    "kept_narrower": _("Recorded: what the person had agreed to stays as it is."),
    "overridden": _("Sent without consent. A second person must confirm it in time."),
    "override_confirmed": _("Confirmed."),
    "deleted": _("Thank you. Recorded as deleted."),
    **transfer_texts.DONE,
    **conflict_texts.DONE,
}

DISCLOSURE_FIELDS: Mapping[str, str] = {
    "case_code": _("Case code"),
    "given_name": _("Given name"),
    "father_name": _("Father's name"),
    "grandfather_name": _("Grandfather's name"),
    "sex": _("Sex"),
    "age_years": _("Age"),
    "phone": _("Phone"),
    "contact_answerer": _("Who may answer"),
    "contact_hours": _("When to call"),
    "contact_language": _("Language spoken"),
    "district": _("District"),
    "place": _("Place of residence"),
    "service_type": _("Service needed"),
    "urgency": _("Urgency"),
    "household_size": _("Household size"),
    "housing_damage": _("Damage to the home"),
    "tenure": _("Housing"),
    "documents": _("Documents held"),
    "education_level": _("Education"),
    "work_status": _("Work"),
    "disability": _("Disability"),
}

FACTS: Mapping[str, str] = {
    "return_date": _("Date of return"),
    "return_country": _("Returned from"),
    "return_voluntary": _("Returned voluntarily"),
    "disability": _("Disability"),
    "documents": _("Documents held"),
    "housing_damage": _("Damage to the home"),
    "tenure": _("Housing"),
    "education_level": _("Education"),
    "work_status": _("Work"),
    "female_headed": _("Headed by a woman"),
}

FACT_LISTS: Mapping[str, str] = {
    "return_country": "country",
    "documents": "document",
    "housing_damage": "housing_damage",
    "tenure": "tenure",
    "education_level": "education_level",
    "work_status": "work_status",
    "sex": "sex",
    "contact_answerer": "contact_answerer",
    "contact_hours": "contact_hours",
    "contact_language": "language",
    "urgency": "urgency",
}
"""Facts and disclosed fields whose value is a code of a choice list."""

REASON_LISTS: Mapping[str, str] = {
    "change": "override_reason",
    "hold": "hold_reason",
    "recall": "recall_reason",
    "decline": "decline_reason",
    "close": "close_reason",
    "draft": "override_reason",
    "request_info": "info_reason",
    "waitlist": "waitlist_reason",
    "dispute": "dispute_reason",
    "not_complete": "not_completed_reason",
    "close_unheard": "close_unheard_reason",
    "withdraw": "withdraw_reason",
    "pause_clock": "pause_reason",
    "override": "override_vital_reason",
    "expire": "expire_reason",
}

SUBMISSION_STATES: Mapping[str, str] = {
    "received": _("Waiting to be taken in"),
    "taken_in": _("Taken in as cases"),
    "refused": _("Refusals, without personal data"),
    "quarantined": _("In quarantine"),
}

ROLES: Mapping[str, str] = {
    "officer": _("Officer"),
    "coordinator": _("Coordinator"),
    "provider": _("Provider"),
    "admin": _("Administrator"),
    "system": _("The system"),
    "supervisor": _("Supervisor"),
    "data_protection": _("Data protection focal point"),
    "psea_focal_point": _("Focal point against sexual exploitation and abuse"),
    "complainant": _("The person who complains"),
}

LOCATION_BASES: Mapping[str, str] = {
    "home_point": _("Measured at the home"),
    "place": _("Place of residence stated"),
    "subdistrict": _("Only the sub-district is known"),
    "district": _("Only the district is known"),
    "unknown": _("Not known"),
}


def text_of(table: Mapping[str, str], code: str | None, language: str) -> str:
    """A code of one of the tables in words; a code that is in none shows as itself, so that it is noticed."""
    if code is None:
        return ""
    return translate(language, table[code]) if code in table else code


def state_name(code: str, *, language: str) -> str:
    """A referral's state in words."""
    return text_of(STATES, code, language)


def done_text(code: str | None, language: str) -> str | None:
    """What was done, after a redirect; None for anything but our own codes."""
    return text_of(DONE, code, language) if code in DONE else None


def service_type_name(governorate: Governorate, code: str, language: str) -> str:
    """A service type's name; a code that the taxonomy no longer has shows as itself."""
    found = governorate.service_types.get(code)
    return code if found is None else name_in(found.names, language)


def place_name(governorate: Governorate, pcode: str | None, language: str) -> str:
    """A place's name, or the word for not known."""
    found = governorate.places.get(pcode) if pcode else None
    return translate(language, LOCATION_BASES["unknown"]) if found is None else name_in(found.names, language)


def yes_no(value: object, language: str) -> str:
    """A yes or no that may also be unknown."""
    code = "unknown" if value is None else "yes" if value else "no"
    return choice_name("yes_no_unknown", code, language)


def joined(words: Sequence[str], language: str) -> str:
    """Words as a list, with the comma of the script."""
    return comma(language).join(words) or "–"


def choice_or_code(list_name: str, code: str, language: str) -> str:
    """A choice's name; a code that the list no longer has shows as itself."""
    try:
        return choice_name(list_name, code, language)
    except KeyError:
        return code


def value_text(field: str, value: object, governorate: Governorate, language: str) -> str:
    """The value of a disclosed field or a fact in words."""
    if field in {"district", "place"}:
        return place_name(governorate, str(value), language)
    if field == "service_type":
        return service_type_name(governorate, str(value), language)
    if field in {"disability", "female_headed", "return_voluntary"}:
        return yes_no(value == "yes" if isinstance(value, str) else value, language)
    if field in FACT_LISTS:
        codes = value if isinstance(value, list | tuple) else str(value).split()
        return joined([choice_or_code(FACT_LISTS[field], str(code), language) for code in codes], language)
    if field == "return_date":
        return format_date(date.fromisoformat(str(value)), language)
    return str(value)
