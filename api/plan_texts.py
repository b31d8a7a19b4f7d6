"""Plans, follow-ups, scores and the history of a case in words. Tests compare each table with the codes' own home."""

from collections.abc import Mapping

from api import conflict_texts, transfer_texts
from api.i18n import mark as _

DIMENSIONS: Mapping[str, str] = {
    "economic": _("Economic"),
    "social": _("Social"),
    "psychosocial": _("Psychosocial"),
}

GOAL_STATES: Mapping[str, str] = {
    "open": _("Being worked on"),
    "met": _("Met"),
    "dropped": _("Given up"),
}

FOLLOW_UP_SOURCES: Mapping[str, str] = {
    "service_delivered": _("%(step)s days after the service"),
    "plan_agreed": _("Review of the plan after %(step)s days"),
    "score": _("Reintegration score: %(round)s"),
    "again": _("Attempt %(step)s: the person was not reached before"),
    "planned": _("Planned by the office"),
    "answer": _("The returnee was asked about the service"),
}

CASE_EVENTS: Mapping[str, str] = {
    "plan_agreed": _("A plan was agreed."),
    "goal_added": _("A goal was added."),
    "goal_met": _("A goal was met."),
    "goal_dropped": _("A goal was given up."),
    "follow_up_recorded": _("A follow-up was recorded."),
    "score_recorded": _("A round of the reintegration score was recorded."),
    "outcome_recorded": _("An outcome was recorded."),
    "letter_issued": _("A support letter was issued."),
    "need_reopened": _("A need was opened again."),
    "case_closed": _("The case was closed."),
    "case_reopened": _("The case was opened again."),
    "edited_after_closing": _("The form was sent again while the case was closed."),
    **transfer_texts.CASE_EVENTS,
    **conflict_texts.CASE_EVENTS,
}

EVENT_LISTS: Mapping[str, str] = {
    "plan_agreed": "plan_agreement",
    "goal_dropped": "goal_drop_reason",
    "follow_up_recorded": "follow_up_result",
    "need_reopened": "reopen_reason",
    "case_closed": "case_close_reason",
    "case_reopened": "reopen_reason",
    **transfer_texts.EVENT_LISTS,
    **conflict_texts.EVENT_LISTS,
}
"""Kind of event -> choice list of its reason."""

LETTER_FIELDS: Mapping[str, str] = {
    "case_code": _("Case code"),
    "office": _("Office"),
    "name": _("Name"),
    "service": _("Service needed"),
    "organization": _("Provider"),
}
