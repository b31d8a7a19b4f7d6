"""Submissions as the lists show them."""

from tests.central.actors import stamp
from tests.central.projects import Entry, Row


def version_row(entry: Entry, number: int) -> Row:
    """One version, as the lists show it."""
    number %= len(entry.sent)
    sent = entry.sent[number]
    return {
        "submitterId": sent.submitter.id,
        "createdAt": stamp(sent.at),
        "instanceName": sent.instance_name,
        "instanceId": sent.instance_id if sent.xml is not None else _scripted_id(entry, number),
        "current": number == len(entry.sent) - 1,
        "deviceId": sent.device,
        "userAgent": sent.agent,
    }


def _scripted_id(entry: Entry, number: int) -> str:
    return str(entry.versions[number]["meta"]["instanceID"] or entry.root)


def short_row(entry: Entry) -> Row:
    """One submission without its versions."""
    first = entry.sent[0]
    return {
        "instanceId": entry.root,
        "submitterId": first.submitter.id,
        "deviceId": first.device,
        "createdAt": stamp(entry.created_at),
        "updatedAt": stamp(entry.updated_at),
        "reviewState": entry.review_state,
        "deletedAt": stamp(entry.deleted_at),
    }


def index_row(entry: Entry) -> Row:
    """One line of the REST list."""
    current = version_row(entry, len(entry.sent) - 1)
    return short_row(entry) | {"userAgent": entry.sent[0].agent, "currentVersion": current}
