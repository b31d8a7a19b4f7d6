"""The needs of two registrations of one household, joined so that they can be parted again exactly.

Needs keep their ids, so referrals, options and history stay with them. Where both asked for the same, one need
is matched from now on (the one under way, else the one served, else the open one) and the other points to it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from db.models import Need
from db.models.base import Details

MERGED = "merged"
"""Status of an open need that another need of the household stands for."""

_URGENCIES = ("normal", "urgent", "emergency")
_FIELDS = (
    "case_id",
    "same_as_id",
    "status",
    "urgency",
    "opened_at",
    "unmet_reason",
    "unmet_details",
    "unmet_since",
)
_TIMES = ("opened_at", "unmet_since")


def row_of(need: Need) -> Details:
    """What a merge may change of a need, as JSON."""
    values: Details = {name: getattr(need, name) for name in _FIELDS}
    return values | {name: values[name] and values[name].isoformat() for name in _TIMES}


def join_needs(
    surviving: int, own: Sequence[Need], coming: Sequence[Need], live: Collection[int]
) -> list[Details]:
    """Bring the needs `coming` to the case `surviving`; returns every change: id, before, after.

    `live` are the ids of needs with a referral under way: these keep their state whatever happens.
    """
    before = {need.id: row_of(need) for need in (*own, *coming)}
    first_of = {need.service_type: need for need in own if need.same_as_id is None}
    for need in coming:
        counterpart = first_of.get(need.service_type) if need.same_as_id is None else None
        if counterpart is not None:
            chosen, other = _choose(counterpart, need, live)
            for earlier in (*own, *coming):
                if earlier.same_as_id == other.id:
                    earlier.same_as_id = chosen.id
            _let_stand_for(chosen, other, live)
        need.case_id = surviving
    after = {need.id: row_of(need) for need in (*own, *coming)}
    return [
        {"id": id_, "before": before[id_], "after": after[id_]} for id_ in before if before[id_] != after[id_]
    ]


def _choose(one: Need, other: Need, live: Collection[int]) -> tuple[Need, Need]:
    """The need that goes on and the one that points to it; of equals the surviving case's own goes on."""

    def rank(need: Need) -> int:
        return 3 if need.id in live else {"served": 2, "referred": 1, "open": 1}.get(need.status, 0)

    return (other, one) if rank(other) > rank(one) else (one, other)


def _let_stand_for(chosen: Need, other: Need, live: Collection[int]) -> None:
    other.same_as_id = chosen.id
    if other.status == "open" and chosen.id not in live:
        chosen.urgency = max(chosen.urgency, other.urgency, key=_URGENCIES.index)
        chosen.opened_at = min(chosen.opened_at, other.opened_at)
    if other.status == "open" and other.id not in live:
        other.status, other.unmet_reason, other.unmet_details, other.unmet_since = MERGED, None, None, None


def part_needs(needs: Collection[Need], changes: Sequence[Details]) -> dict[int, list[int]]:
    """Give every need back what the merge changed, and keep what happened since; case id -> ids of its needs."""
    by_id = {need.id: need for need in needs}
    back: dict[int, list[int]] = {}
    for change in changes:
        need = by_id[change["id"]]
        _restore(need, change["before"], change["after"])
        if change["before"]["case_id"] != change["after"]["case_id"]:
            back.setdefault(need.case_id, []).append(need.id)
    return back


def _restore(need: Need, before: Details, after: Details) -> None:
    need.case_id, need.same_as_id = before["case_id"], before["same_as_id"]
    now = row_of(need)
    for name in ("urgency", "opened_at"):
        if now[name] == after[name]:
            setattr(need, name, _value(name, before[name]))
    if need.status == MERGED and need.same_as_id is None:
        if before["status"] == "open":
            for name in ("unmet_reason", "unmet_details", "unmet_since"):
                setattr(need, name, _value(name, before[name]))
        need.status = "open"


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in _TIMES and value else value
