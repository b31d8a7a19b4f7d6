"""What is odd about a submission, in words: issues, reasons of quarantine, and the form's fields.

A test finds every code that `ingest` and `casework` can raise and compares.
"""

from collections.abc import Mapping

from api.i18n import mark as _

ISSUES: Mapping[str, str] = {
    "answer_missing": _("An answer is missing"),
    "type_unexpected": _("An answer has an unexpected form"),
    "choice_unknown": _("An answer is not on the list"),
    "service_type_unknown": _("A kind of service is not on the list; this need was left out"),
    "number_out_of_range": _("A number is outside what is possible"),
    "age_out_of_range": _("The age is outside what is possible"),
    "date_unreadable": _("A date cannot be read"),
    "date_in_future": _("A date lies in the future"),
    "case_code_invalid": _("The case code has a slip; a new one was given"),
    "case_code_collision": _("Two cases hold the same printed code; please tell them apart"),
    "child_assent_refused": _("The child did not agree"),
    "child_assent_missing": _("It was not recorded whether the child agrees"),
    "phone_unreadable": _("The phone number cannot be read"),
    "phone_seen_before": _("Another case gave the same phone number; it may be the same household"),
    "minor_without_caregiver": _("A minor answered without a caregiver"),
    "place_not_listed": _("The place is not on the list; it was written in words"),
    "place_unknown": _("The place code does not exist"),
    "place_inconsistent": _("The place does not lie in the area that was chosen"),
    "point_unreadable": _("The measured point cannot be read"),
    "point_not_at_home": _("A point was measured although the interview was not at the home"),
    "point_outside_country": _("The measured point lies outside the country"),
    "point_far_from_place": _("The measured point is far from the stated place"),
    "edited_after_taking_in": _("The assessment was edited after it had been taken in"),
    "edited_after_merging": _("The form of a household that registered twice was edited; please compare"),
    "need_changed_under_way": _("A need was changed while its referral is under way"),
    "edited_after_closing": _("The form of a closed case was sent again; the case can be opened again"),
    "interpreter_missing": _(
        "The interpreter is not named; nothing is looked for until the person is asked again"
    ),
    "proxy_evidence_missing": _(
        "There is no evidence that somebody may speak for the person; nothing is looked for until it is shown"
    ),
    "proxy_evidence_unfit": _(
        "The evidence does not fit the person's age; nothing is looked for until one is shown"
    ),
    "consent_wider": _(
        "An edit of the form says more than the person had agreed to; it does not count by itself"
    ),
    "fact_in_conflict": _("An edit of the form contradicts what was acted on; somebody must settle it"),
}

QUARANTINE_REASONS: Mapping[str, str] = {
    "form_unknown": _("This form is not known here"),
    "form_version_unknown": _("This version of the form is not known here"),
    "consent_missing": _("The answer to the consent question is missing"),
    "unreadable": _("The content cannot be read"),
    "processing_failed": _("An error of the system; it will be tried again after the repair"),
}

FIELDS: Mapping[str, str] = {
    "person/age_years": _("Age"),
    "person/sex": _("Sex"),
    "displacement/status": _("Displacement status"),
    "displacement/return_date": _("Date of return"),
    "residence/governorate": _("Governorate"),
    "residence/district": _("District"),
    "residence/subdistrict": _("Sub-district"),
    "household/size": _("Household size"),
    "household/female_headed": _("Headed by a woman"),
    "profile/disability": _("Disability"),
    "profile/documents": _("Documents held"),
    "profile/housing_damage": _("Damage to the home"),
    "profile/tenure": _("Housing"),
    "profile/education_level": _("Education"),
    "profile/work_status": _("Work"),
    "contact/language": _("Language spoken"),
}
"""The fields that would settle a condition that is not known; other paths are shown as they are."""
