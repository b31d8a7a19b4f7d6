"""The states of open days, queue tokens and tablets in words. A test compares the codes with their home."""

from collections.abc import Mapping

from api.i18n import mark as _

DAY_STATES: Mapping[str, str] = {
    "planned": _("Planned"),
    "open": _("In progress"),
    "closed": _("Over"),
}

TOKEN_STATES: Mapping[str, str] = {
    "waiting": _("Waiting"),
    "called": _("Called to a station"),
    "served": _("Has been at every station"),
    "left": _("Has gone"),
}

TABLET_STANDINGS: Mapping[str, str] = {
    "sent": _("Has sent"),
    "silent": _("Not heard of in the last hour"),
    "nothing_sent": _("Has sent nothing"),
}

NOT_TRIED = _("Not tried yet")
"""Why an open need has no proposal when the matching has not looked at it."""
