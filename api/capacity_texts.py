"""Words of the pages on capacity and tasks; statuses, tasks and results are choice lists of the governorate."""

from collections.abc import Mapping

from api.i18n import mark as _

SORTS: Mapping[str, str] = {
    "service": _("By service"),
    "age": _("Oldest confirmation first"),
    "free": _("Fewest free places first"),
}

FRESHNESS: Mapping[str, str] = {
    "fresh": _("Up to date"),
    "due": _("Please confirm"),
    "stale": _("Not confirmed lately: comes after others"),
    "hidden": _("Not confirmed for too long: not offered"),
}
