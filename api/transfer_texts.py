"""Words of transfers, hand-overs and information only. Tests compare each table with the codes' own home."""

from collections.abc import Mapping

from api.i18n import mark as _

OFFER_STATES: Mapping[str, str] = {
    "offered": _("Waits for an answer"),
    "accepted": _("Taken over"),
    "declined": _("Not taken over"),
    "withdrawn": _("Taken back"),
}

UNANSWERED: Mapping[str, str] = {
    "transfer": _("A transfer is not answered"),
    "hand_over": _("A hand-over is not answered"),
}
"""Kind of offer -> why a supervisor is told of it."""

ERRORS: Mapping[str, str] = {
    "another_governorate": _("A case cannot go to an office of another governorate."),
    "offer_waits": _("An offer waits for its answer already."),
}

DONE: Mapping[str, str] = {
    "transfer_offered": _("Offered. Until the other office takes it over, the case stays here."),
    "transfer_accepted": _("Taken over. The case is now looked after here."),
    "transfer_declined": _("Recorded: the case stays where it is."),
    "transfer_withdrawn": _("The offer was taken back."),
    "hand_over_offered": _("Offered. Until the other ministry takes it over, you decide."),
    "hand_over_accepted": _("Taken over. Your ministry now decides on this need."),
    "hand_over_declined": _("Recorded: the need stays where it is."),
    "hand_over_withdrawn": _("The hand-over was taken back."),
    "drafted": _("Drafted. It takes a place when it is proposed."),
    "informed": _("Recorded. Please print the slip for the person."),
}

CASE_EVENTS: Mapping[str, str] = {
    "transfer_offered": _("The case was offered to another office."),
    "transfer_accepted": _("Another office took the case over."),
    "transfer_declined": _("The other office did not take the case over."),
    "transfer_withdrawn": _("The offer to the other office was taken back."),
    "hand_over_offered": _("The decisions on a need were offered to another ministry."),
    "hand_over_accepted": _("Another ministry took the decisions on a need over."),
    "hand_over_declined": _("The other ministry did not take the decisions on a need over."),
    "hand_over_withdrawn": _("The offer to the other ministry was taken back."),
    "information_given": _("The person was told about a service and goes there alone."),
}

EVENT_LISTS: Mapping[str, str] = {
    "transfer_offered": "transfer_reason",
    "transfer_declined": "transfer_decline_reason",
    "transfer_withdrawn": "recall_reason",
    "hand_over_offered": "hand_over_reason",
    "hand_over_declined": "hand_over_decline_reason",
    "hand_over_withdrawn": "recall_reason",
}
"""Kind of event -> choice list of its reason."""
