"""Submissions as they come in, over REST and from ODK Collect, and what they do to entities."""

import secrets
import uuid
from typing import Any

from tests.central.actors import stamp
from tests.central.entity_lists import EntityList
from tests.central.form_files import FormVersion
from tests.central.problems import CentralProblemError, exists, missing
from tests.central.projects import Entry, Project, Sent
from tests.central.store import Store
from tests.central.xforms import find, read_xml, text_of

ENTITY_REQUESTS = 1
"""An entity appears after one request more: in Central a worker makes it, seconds later."""


def form_of(xml: Any) -> str:
    """Return the form that a submission names. Raises CentralProblemError 400.2."""
    form_id = None if xml is None else xml.get("id")
    if not form_id:
        raise missing("form ID xml attribute")
    return str(form_id)


def published(project: Project, form_id: str, xml: Any) -> FormVersion | None:
    """Return the version that a submission names. Raises CentralProblemError 404.6 on an unknown one."""
    file = project.files.get(form_id)
    if file is None:
        return None  # a form that only the test's script knows
    version = str(xml.get("version") or "")
    found = file.find(version)
    if found is None:
        message = f"The form version specified in this submission '{version}' does not exist."
        raise CentralProblemError(404.6, message, {"formVersion": version})
    return found


def instance_of(xml: Any) -> str:
    """Return the instance id; one that is missing is made, without the prefix."""
    return text_of(xml, "meta", "instanceID") or str(uuid.uuid4())


def receive(
    store: Store,
    project: Project,
    form_id: str,
    body: bytes,
    sent: Sent,
    files: dict[str, bytes] | None = None,
) -> Entry:
    """Store a new submission. Raises CentralProblemError, also 409.3 where it is there already."""
    xml = read_xml(body)
    form_of(xml)
    version = published(project, form_id, xml)
    root = instance_of(xml)
    with store.lock:
        if any(one.root == root for one in project.forms[form_id]):
            raise exists("submissions", ["formId", "instanceId", "draft"], ["1", root, "f"])
        sent.instance_id, sent.xml = root, body
        sent.instance_name = text_of(xml, "meta", "instanceName")
        named = project.photos_named(form_id, xml)
        photos = {name: (files or {}).get(name) for name in named}
        entry = Entry(0, root, sent.at, [{"meta": {"instanceID": text_of(xml, "meta", "instanceID")}}])
        entry.photos, entry.is_encrypted = photos, project.key is not None
        entry.form_version = version.version if version else str(xml.get("version") or "")
        entry.sent.append(sent)
        store.take(project, form_id, entry)
        details = {"instanceId": root, "submissionId": entry.number, "submissionDefId": entry.number}
        store.audit(sent.submitter, "submission.create", details, entry)
        entity = {"entityAvailable": False}
        entry.audits[0]["details"] = details | {"entity": entity}
        if version is not None and version.definition.dataset and not entry.is_encrypted:
            store.do_later(
                ENTITY_REQUESTS, lambda: _make_entity(store, project, form_id, version, entry, xml)
            )
        return entry


def replace(
    store: Store, project: Project, form_id: str, body: bytes, sent: Sent, entry: Entry | None
) -> Entry:
    """Store a new version. `entry`: None where only the deprecated id tells. Raises CentralProblemError."""
    xml = read_xml(body)
    form_of(xml)
    version = published(project, form_id, xml)
    deprecated = text_of(xml, "meta", "deprecatedID")
    if deprecated is None:
        raise CentralProblemError(
            400.19,
            "This PUT endpoint expects a deprecatedID metadata tag pointing at the current version instanceID. "
            "I cannot find that tag in your request.",
        )
    with store.lock:
        if entry is None:
            entry = next((one for one in project.listed(form_id) if _has(one, deprecated)), None)
        if entry is None:
            raise CentralProblemError(
                404.9,
                "You tried to update an existing submission, but we can't find that submission to update "
                f"({deprecated})",
            )
        if entry.current != deprecated:
            raise stale(deprecated)
        sent.instance_id, sent.xml = instance_of(xml), body
        sent.instance_name = text_of(xml, "meta", "instanceName")
        entry.former_photos[entry.current] = dict(entry.photos)
        entry.sent.append(sent)
        entry.versions.append({"meta": {"instanceID": sent.instance_id}})
        entry.updated_at, entry.review_state = store.now(), "edited"
        entry.photos = {name: entry.photos.get(name) for name in project.photos_named(form_id, xml)}
        project.happened(form_id, entry)
        details = {
            "instanceId": sent.instance_id,
            "submissionId": entry.number,
            "submissionDefId": entry.number + len(entry.sent) - 1,
            "entity": {"entityAvailable": False},
        }
        store.audit(sent.submitter, "submission.update.version", details, entry)
        if version is None:
            entry.form_version = str(xml.get("version") or "")
        return entry


def stale(deprecated: str) -> CentralProblemError:
    return CentralProblemError(
        409.9,
        f"You tried to update a submission, but the copy you were editing ({deprecated}) is now out of date. "
        "Please get the new version that has been submitted, and make your edits again.",
        {"deprecatedId": deprecated},
    )


def _has(entry: Entry, instance_id: str) -> bool:
    return instance_id == entry.root or any(one.instance_id == instance_id for one in entry.sent)


def _make_entity(
    store: Store, project: Project, form_id: str, version: FormVersion, entry: Entry, xml: Any
) -> None:
    """Do what the form says about entities, and note in the audit log what cannot be done."""
    told, sent = find(xml, "meta", "entity"), entry.sent[0]
    name = None if told is None else told.get("dataset")
    if name is None:
        _error(store, entry, 400.2, {"field": "dataset"}, "Required parameter dataset missing.")
        return
    entities = project.lists[name]
    data = {
        saved: text
        for path, saved in version.definition.properties.items()
        if (text := text_of(xml, *path[1:].split("/"))) is not None
    }
    source = entity_source(form_id, entry)
    entity_id, label = str(told.get("id") or ""), text_of(xml, "meta", "entity", "label")
    if told.get("create") in {"1", "true"}:
        if entities.approval_required and entry.review_state != "approved":
            return
        made = entities.create(
            entity_id, label or "", data, sent.submitter, store.now(), agent=sent.agent, source=source
        )
        details = {"entity": {"uuid": made.uuid, "dataset": name, "entityAvailable": True}}
        store.audit(sent.submitter, "entity.create", details, entry)
    else:
        _update(store, entities, entry, told, data, label)


def _update(
    store: Store, entities: EntityList, entry: Entry, told: Any, data: dict[str, str], label: str | None
) -> None:
    """Apply a follow-up; one for an entity that is not known is held, or an error."""
    sent, entity_id = entry.sent[0], str(told.get("id") or "")
    entity, branch = entities.entities.get(entity_id), told.get("branchId") or None
    if entity is None and branch is not None:
        details = {"submissionId": entry.number, "submissionDefId": entry.number}
        store.audit(sent.submitter, "submission.backlog.hold", details, entry)
        entry.audits[0]["details"] = details | {"entity": {"entityAvailable": False}}
        return
    if entity is None:
        message = (
            f"The entity with UUID ({entity_id}) specified in the submission does not exist in the dataset "
            f"({entities.name})."
        )
        _error(store, entry, 404.8, {"entityUuid": entity_id, "datasetName": entities.name}, message)
        return
    base = int(told.get("baseVersion") or 1)
    made = entities.update(entity, data, label, sent.submitter, store.now(), agent=sent.agent, base=base)
    made.branch = (branch, int(told.get("trunkVersion") or base) if branch else None)
    made.source = entity_source("", entry)


def _error(store: Store, entry: Entry, code: float, details: Any, message: str) -> None:
    told = {
        "problem": {"problemCode": code, "problemDetails": details},
        "errorMessage": message,
        "submissionId": entry.number,
        "submissionDefId": entry.number,
    }
    actor = entry.sent[0].submitter
    store.audit(actor, "entity.error", told, entry)
    store.audits[0] |= {"actor": actor.row(), "actee": None}
    entry.audits[0]["details"] = told | {"entity": {"entityAvailable": False}}


def entity_source(form_id: str, entry: Entry) -> dict[str, Any]:
    """Name the submission that made a version of an entity."""
    submission = {"xmlFormId": form_id, "instanceId": entry.root, "createdAt": stamp(entry.created_at)}
    details = {"instanceId": entry.root, "submissionId": entry.number, "submissionDefId": entry.number}
    actor = entry.sent[0].submitter
    event = {"actorId": actor.id, "action": "submission.create", "details": details, "actor": actor.row()}
    return {"event": event, "submission": submission}


def new_token() -> str:
    """Make an app user's token: 64 characters."""
    return secrets.token_hex(32)
