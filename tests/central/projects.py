"""A project of the stand-in: its forms, submissions, entity lists, app users and key."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.central.actors import Actor
from tests.central.entity_lists import EntityList
from tests.central.form_files import FormFile
from tests.central.problems import not_found
from tests.central.xforms import text_of

Row = dict[str, Any]
AGENT = "org.odk.collect.android/v2026.1.2"
DEVICE = "collect:dYxT2wVUBqWZ0GkP"


@dataclass
class Sent:
    """How one version came: its XML, where a device sent it and not the test's script, and by whom."""

    at: datetime
    instance_id: str
    submitter: Actor
    xml: bytes | None = None
    instance_name: str | None = None
    device: str | None = DEVICE
    agent: str | None = AGENT


@dataclass
class Entry:
    """One submission: all its versions, and what Central knows about it."""

    number: int
    root: str
    created_at: datetime
    versions: list[Row]
    visible: bool = True
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    review_state: str | None = None
    photos: dict[str, bytes | None] = field(default_factory=dict)
    """Attachments by name; None while Central waits for one."""
    former_photos: dict[str, dict[str, bytes | None]] = field(default_factory=dict)
    """Those of versions that were edited, by instance id."""
    sent: list[Sent] = field(default_factory=list)
    form_version: str | None = None
    is_encrypted: bool = False
    is_damaged: bool = False
    """Central cannot decrypt it, which cuts off every export that holds it."""
    event: int = 0
    comments: list[Row] = field(default_factory=list)
    audits: list[Row] = field(default_factory=list)

    @property
    def current(self) -> str:
        if self.sent and self.sent[-1].xml is not None:
            return self.sent[-1].instance_id
        return str(self.versions[-1]["meta"]["instanceID"] or self.root)


@dataclass
class Key:
    """A project's managed key; the stand-in keeps the passphrase, as it decrypts nothing."""

    id: int
    passphrase: str
    hint: str | None
    created_at: datetime


@dataclass
class Project:
    """One project; `forms` holds the submissions of each form, `files` its definitions."""

    id: int
    name: str
    created_at: datetime
    forms: dict[str, list[Entry]] = field(default_factory=dict)
    files: dict[str, FormFile] = field(default_factory=dict)
    lists: dict[str, EntityList] = field(default_factory=dict)
    app_users: list[Actor] = field(default_factory=list)
    actor_properties: list[str] = field(default_factory=list)
    key: Key | None = None
    events: dict[str, int] = field(default_factory=dict)

    def entry(self, form_id: str, root: str) -> Entry:
        """Find a submission, deleted ones too. Raises CentralProblemError 404."""
        found = next((one for one in list(self.forms[form_id]) if one.root == root and one.visible), None)
        if found is None:
            raise not_found()
        return found

    def listed(self, form_id: str, *, deleted: bool | None = False) -> list[Entry]:
        """List newest first, as Central does; with None deleted ones too."""
        found = [
            one
            for one in list(self.forms[form_id])
            if one.visible and (deleted is None or (one.deleted_at is not None) == deleted)
        ]
        return sorted(found, key=lambda one: (one.created_at, one.number), reverse=True)

    def happened(self, form_id: str, entry: Entry) -> None:
        """Note that a submission changed in a way that the ETag shows."""
        self.events[form_id] = entry.event = self.events.get(form_id, 0) + 1

    def etag(self, form_id: str) -> str:
        return event_hash(f"{self.id}{form_id}{self.events.get(form_id, 0)}")

    def photos_named(self, form_id: str, xml: Any) -> list[str]:
        """List the files that a submission's XML names."""
        file = self.files.get(form_id)
        if file is None or file.published is None:
            return []
        named = []
        for one in file.published.definition.fields:
            if one.kind == "binary":
                text = text_of(xml, *one.path[1:].split("/"))
                named += [text] if text else []
        return named


def event_hash(text: str) -> str:
    return f'W/"eventhash:{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"'
