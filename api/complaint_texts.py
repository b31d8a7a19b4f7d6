"""A complaint's states and history in words. A test compares the codes with their home."""

from collections.abc import Mapping

from api.i18n import mark as _

STATES: Mapping[str, str] = {
    "received": _("Complaint received"),
    "acknowledged": _("Complaint acknowledged"),
    "under_review": _("Being looked into"),
    "answered": _("Complaint answered"),
    "appealed": _("Appeal received"),
    "appeal_answered": _("Appeal answered"),
    "closed": _("Closed"),
}

EVENTS: Mapping[str, str] = {
    "receive": _("The complaint was received."),
    "acknowledge": _("The complaint was acknowledged."),
    "review": _("The complaint is being looked into."),
    "answer": _("The complaint was answered."),
    "appeal": _("The person appealed."),
    "answer_appeal": _("The appeal was answered."),
    "close": _("The time to appeal ran out and the complaint was closed."),
    "pass_on": _("The complaint was passed to the focal point outside the line."),
    "read": _("The complaint was read."),
}

CHANNELS: Mapping[str, str] = {
    "desk": _("At the desk"),
    "phone": _("By phone"),
    "page": _("On the public page"),
}

VIEWS: Mapping[str, str] = {
    "open": _("Open complaints"),
    "overdue": _("Overdue"),
    "closed": _("Closed"),
}
