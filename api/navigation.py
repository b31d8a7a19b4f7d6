"""The pages at the head of every page: which ones a user may open, in which order, and in which group of the menu."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.i18n import mark as _
from api.permissions import Permission, may
from db.visibility import Viewer

MOST_IN_A_ROW = 7
"""Links that fit into one row of a wide window; where there are more, the first ones stay and the rest folds."""
KEPT_IN_ROW = 5


@dataclass(frozen=True, slots=True)
class Link:
    """A page and what it is called."""

    href: str
    text: str
    permission: Permission


GROUPS: Mapping[str, Sequence[Link]] = {
    _("Every day"): (
        Link("/queue", _("Queue"), Permission.QUEUE_READ),
        Link("/provider", _("Referrals"), Permission.PROVIDER_LIST_READ),
        Link("/provider/services", _("Your services"), Permission.CAPACITY_CONFIRM),
        Link("/escalations", _("Told to you"), Permission.ESCALATION_READ),
        Link("/tasks", _("Tasks"), Permission.TASK_READ),
        Link("/cases", _("Find a case"), Permission.CASE_READ),
        Link("/follow-ups", _("Follow-up"), Permission.FOLLOW_UP_READ),
        Link("/unmet", _("Unmet needs"), Permission.UNMET_READ),
    ),
    _("Intake and places"): (
        Link("/open-days", _("Open days"), Permission.OPEN_DAY_READ),
        Link("/submissions", _("Submissions"), Permission.SUBMISSION_READ),
        Link("/duplicates", _("Duplicates"), Permission.DUPLICATE_READ),
        Link("/capacity", _("Capacity"), Permission.CAPACITY_READ),
    ),
    _("Consent and passing on"): (
        Link("/consents/expiring", _("Consent to renew"), Permission.CONSENT_RENEW),
        Link("/overrides", _("Sent without consent"), Permission.OVERRIDE_READ),
        Link("/deletions", _("Deletions"), Permission.DELETION_OVERSEE),
        Link("/transfers", _("Transfers"), Permission.TRANSFER_READ),
        Link("/hand-overs", _("Hand-overs"), Permission.HAND_OVER_READ),
    ),
    _("Oversight"): (
        Link("/complaints", _("Complaints"), Permission.COMPLAINT_READ),
        Link("/admin", _("Administration"), Permission.ACCOUNT_READ),
        Link("/messages", _("Messages"), Permission.MESSAGE_READ),
        Link("/jobs", _("Scheduled jobs"), Permission.JOB_READ),
    ),
}


@dataclass(frozen=True, slots=True)
class Navigation:
    """What one user may open: the links in a row, and the same in groups with what does not fit into the row."""

    row: tuple[Link, ...]
    groups: tuple[tuple[str, tuple[Link, ...]], ...]
    current: Link | None

    @property
    def folds(self) -> bool:
        """Whether some links stand in no row, however wide the window is."""
        return len(self.row) < sum(len(links) for _name, links in self.groups)

    def is_in_row(self, link: Link) -> bool:
        """Whether a wide window shows this link without a menu."""
        return link in self.row


def navigation_of(reader: Viewer, path: str) -> Navigation:
    """The links for a user; `current` is the one whose page, or a page below it, is `path`."""
    groups = tuple(
        (name, own)
        for name, links in GROUPS.items()
        if (own := tuple(link for link in links if may(reader, link.permission)))
    )
    links = [link for _name, own in groups for link in own]
    row = links if len(links) <= MOST_IN_A_ROW else links[:KEPT_IN_ROW]
    above = [link for link in links if path == link.href or path.startswith(f"{link.href}/")]
    return Navigation(tuple(row), groups, max(above, key=lambda link: len(link.href), default=None))
