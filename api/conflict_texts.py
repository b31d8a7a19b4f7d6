"""Words of facts that two versions of a form tell differently. Tests compare each table with the codes' own home."""

from collections.abc import Mapping

from api.i18n import mark as _

FACTS: Mapping[str, str] = {
    "contact": _("How the person is reached"),
    "residence": _("Where the person lives"),
    "identity": _("Who the person is"),
    "risk": _("How urgent it is"),
}

MEANWHILE: Mapping[str, str] = {
    "contact": _(
        "Until this is settled nobody calls or writes, and providers see no number. Whoever may answer, and the"
        " hours, are already the narrower of both."
    ),
    "residence": _(
        "Until this is settled the former place counts. Who wants no provider in the own sub-district gets none in"
        " either place."
    ),
    "identity": _("Until this is settled the former answer counts, as providers know it."),
    "risk": _(
        "Until this is settled the former urgency counts; the task to settle it has the clock of the higher."
    ),
}

FIELDS: Mapping[str, str] = {
    "phone": _("Phone"),
    "contact_answerer": _("Who may answer"),
    "contact_hours": _("When to call"),
    "contact_language": _("Language spoken"),
    "contact_language_other": _("Another language"),
    "governorate": _("Governorate"),
    "district": _("District"),
    "subdistrict": _("Sub-district"),
    "place": _("Place of residence"),
    "place_text": _("Place in words"),
    "basis": _("How the place is known"),
    "longitude": _("Longitude of the home"),
    "latitude": _("Latitude of the home"),
    "accuracy_m": _("Accuracy in metres"),
    "given_name": _("Given name"),
    "father_name": _("Father's name"),
    "grandfather_name": _("Grandfather's name"),
    "sex": _("Sex"),
    "age_years": _("Age"),
    "age_estimated": _("Age is estimated"),
}
"""Fields of facts; those of the urgency are kinds of service."""

STATES: Mapping[str, str] = {
    "open": _("To be settled"),
    "taken": _("The new answer was taken"),
    "kept": _("The former answer was kept"),
    "superseded": _("Overtaken by a newer version"),
}

CASE_EVENTS: Mapping[str, str] = {
    "conflict_opened": _("The form was sent again with another answer on what had been acted on."),
    "conflict_taken": _("A contradiction was settled: the new answer was taken."),
    "conflict_kept": _("A contradiction was settled: the former answer was kept."),
}

EVENT_LISTS: Mapping[str, str] = {
    "conflict_taken": "conflict_reason",
    "conflict_kept": "conflict_reason",
}

ERRORS: Mapping[str, str] = {
    "conflict_open": _("Please settle the contradicting answers first; the task then ends by itself."),
    "override_needs_emergency": _(
        "This referral was sent without consent because it is an emergency. Please ask the person for consent first."
    ),
}

DONE: Mapping[str, str] = {
    "fact_taken": _("Recorded: the new answer holds from now on."),
    "fact_kept": _("Recorded: the former answer stays."),
}
