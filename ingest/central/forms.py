"""Forms in ODK Central: what is published, drafts with their attachments, publishing, and what a form does to lists."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ingest.central.errors import CentralError
from ingest.central.projects import read_rows
from ingest.central.session import CentralSession, read_json

NOT_FOUND, CONFLICT = 404, 409
VERSION_USED = "409.6"
EXISTS = "409.3"

_ENCRYPTED = re.compile(r"\[encrypted:[^\]]*\]$")
"""Central adds this to every version when it begins to manage the keys of a project."""


@dataclass(frozen=True, slots=True)
class FormState:
    """A form as it stands; `version` is the published one, or the draft's where nothing is published yet.

    `state`: open, closing (taken off the tablets, still accepted) or closed.
    """

    form_id: str
    version: str
    is_published: bool
    state: str


@dataclass(frozen=True, slots=True)
class AttachmentState:
    """A file that a form names: uploaded, or an entity list of that name."""

    name: str
    md5: str | None
    is_uploaded: bool
    is_list: bool


def plain_version(version: object) -> str:
    """Return a version as the form's author wrote it."""
    return _ENCRYPTED.sub("", str(version or ""))


def list_forms(central: CentralSession) -> dict[str, FormState]:
    """List the forms of the project by id, drafts that were never published included."""
    rows = read_rows(central, central.project("forms"))
    try:
        states = [_form(row) for row in rows]
    except (KeyError, TypeError):
        raise CentralError("central_answer") from None
    return {state.form_id: state for state in states}


def get_draft_version(central: CentralSession, form_id: str) -> str | None:
    """Read the version of a form's draft; None where there is none."""
    response = central.get(f"{central.form(form_id)}/draft", expect=(200, NOT_FOUND))
    row = read_json(response)
    return None if response.status_code == NOT_FOUND else plain_version(row.get("version"))


def list_versions(central: CentralSession, form_id: str) -> frozenset[str]:
    """List every version that was ever published; none of them can be published again."""
    rows = read_rows(central, f"{central.form(form_id)}/versions")
    return frozenset(plain_version(row.get("version")) for row in rows)


def list_fields(central: CentralSession, form_id: str) -> frozenset[str]:
    """List the paths of the published form's fields, without the root: `consent/given`."""
    rows = read_rows(central, f"{central.form(form_id)}/fields")
    return frozenset(str(row.get("path", "")).removeprefix("/") for row in rows)


def get_definition(central: CentralSession, form_id: str) -> str:
    """Read the published XForm."""
    return central.get(f"{central.form(form_id)}.xml").content.decode("utf-8", "replace")


def list_attachments(central: CentralSession, form_id: str, *, draft: bool = False) -> list[AttachmentState]:
    """List the files that a form names."""
    rows = read_rows(central, f"{_of(central, form_id, draft=draft)}/attachments")
    return [
        AttachmentState(
            str(row.get("name")),
            row.get("hash"),
            bool(row.get("blobExists", row.get("exists"))),
            bool(row.get("datasetExists")),
        )
        for row in rows
    ]


def get_list_changes(
    central: CentralSession, form_id: str, *, draft: bool = False
) -> dict[str, frozenset[str]]:
    """Read what a form writes into entity lists: list -> properties. Empty where Central sees no entity in it."""
    rows = read_rows(central, f"{_of(central, form_id, draft=draft)}/dataset-diff")
    try:
        return {
            str(row["name"]): frozenset(str(one["name"]) for one in row["properties"] if one.get("inForm"))
            for row in rows
        }
    except (KeyError, TypeError, AttributeError):
        raise CentralError("central_answer") from None


def create_draft(central: CentralSession, form_id: str, xml: str) -> None:
    """Put a definition into a form's draft, in place of the draft that is there; a new form is made for it.

    The XForm is sent, not the workbook: tablets get the very form that was tested here.
    """
    options: dict[str, Any] = {"data": xml.encode(), "headers": {"Content-Type": "application/xml"}}
    draft = f"{central.form(form_id)}/draft?ignoreWarnings=true"
    response = central.send("POST", draft, expect=(200, NOT_FOUND), **options)
    if response.status_code == NOT_FOUND:
        read_json(response)
        path = central.project("forms?publish=false&ignoreWarnings=true")
        try:
            central.send("POST", path, **options)
        except CentralError as error:
            if error.problem != EXISTS:
                raise
            central.send("POST", draft, **options)


def update_draft_attachment(central: CentralSession, form_id: str, name: str, content: bytes) -> None:
    """Upload a file of the draft."""
    kind = {"Content-Type": "text/csv" if name.endswith(".csv") else "application/octet-stream"}
    path = f"{central.form(form_id)}/draft/attachments/{quote(name, safe='')}"
    central.send("POST", path, data=content, headers=kind)


def link_draft_attachment(central: CentralSession, form_id: str, name: str) -> None:
    """Let a file of the draft be the entity list of its name."""
    path = f"{central.form(form_id)}/draft/attachments/{quote(name, safe='')}"
    central.send("PATCH", path, json={"dataset": True})


def publish_draft(central: CentralSession, form_id: str) -> None:
    """Publish a form's draft. Refused with problem 409.6 where its version was published before."""
    central.send("POST", f"{central.form(form_id)}/draft/publish")


def _of(central: CentralSession, form_id: str, *, draft: bool) -> str:
    return f"{central.form(form_id)}/draft" if draft else central.form(form_id)


def _form(row: Mapping[str, Any]) -> FormState:
    return FormState(
        str(row["xmlFormId"]),
        plain_version(row["version"]),
        row.get("publishedAt") is not None,
        str(row.get("state") or "open"),
    )
