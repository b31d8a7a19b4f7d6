"""Whether this installation can work with its ODK Central: what is missing or odd, as findings with a code each."""

import enum
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from ingest.central.account import CentralAccount
from ingest.central.errors import CentralError
from ingest.central.forms import get_definition, get_list_changes, list_attachments, list_fields, list_forms
from ingest.central.projects import READING, SERVER_WIDE, WRITING, Project, get_project, get_server_version
from ingest.central.session import CentralSession
from ingest.provisioning.apply import lost_properties
from ingest.provisioning.definition import ROOT, read_definition
from ingest.provisioning.plan import Action, Sign, Step, make_plan
from ingest.provisioning.standing import Standing, read_standing
from ingest.provisioning.wanted import Wanted, WantedForm

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Level(enum.StrEnum):
    """MISSING: something does not work until it is mended. WARNING: it works, and should be looked at."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; its words are in `api.central_texts`. Never a token or a password."""

    level: Level
    code: str
    subject: str = ""
    details: dict[str, str] = field(default_factory=dict)


def check_central(
    reader: CentralAccount | None,
    manager: CentralAccount | None,
    wanted: Wanted,
    *,
    has_passphrase: bool = False,
    public_url: str | None = None,
    form_ids: tuple[str, ...] = (),
) -> list[Finding]:
    """Look at everything that this installation needs of Central. Reads only; raises nothing that Central does."""
    if reader is None:
        return [Finding(Level.MISSING, "settings_missing")]
    with TemporaryDirectory() as folder:  # a token of yesterday would hide that the password is wrong
        reader = replace(reader, cache_folder=Path(folder))
        manager = manager and replace(manager, cache_folder=Path(folder))
        return _check(
            reader,
            manager,
            wanted,
            has_passphrase=has_passphrase,
            urls=(reader.url, public_url or reader.url),
            form_ids=form_ids,
        )


def _check(
    reader: CentralAccount,
    manager: CentralAccount | None,
    wanted: Wanted,
    *,
    has_passphrase: bool,
    urls: tuple[str, str],
    form_ids: tuple[str, ...],
) -> list[Finding]:
    findings = [found for url in dict.fromkeys(urls) for found in _check_address(url)]
    ours = {form.form_id for form in wanted.forms}
    findings += [
        Finding(Level.WARNING, "form_not_ours", form_id) for form_id in form_ids if form_id not in ours
    ]
    with_reader = _Account(reader, "reader")
    findings += with_reader.check()
    if manager is None:
        findings.append(Finding(Level.WARNING, "manager_not_set"))
    elif not any(one.code == "central_unreachable" for one in findings):
        with_manager = _Account(manager, "manager")
        findings += with_manager.check()
        findings += with_manager.look(wanted, standing=True)
        with_manager.close()
    findings += with_reader.look(wanted, standing=False, has_passphrase=has_passphrase)
    with_reader.close()
    return findings


def is_complete(findings: list[Finding]) -> bool:
    """Whether nothing is missing."""
    return not any(one.level is Level.MISSING for one in findings)


def _check_address(url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        yield Finding(Level.MISSING, "no_tls", url)


class _Account:
    """One account while it is checked."""

    def __init__(self, account: CentralAccount, role: str) -> None:
        self.account, self.role = account, role
        self.session = CentralSession(account)
        self.project: Project | None = None
        self.has_rights = False

    def close(self) -> None:
        """Sign out, so that a check leaves nothing behind."""
        if self.project is not None:
            with suppress(CentralError):
                self.session.send("DELETE", "sessions/current")
        self.session.close()

    def check(self) -> Iterator[Finding]:
        """Sign in, find the project, compare the rights."""
        try:
            self.project = get_project(self.session)
        except CentralError as error:
            yield Finding(Level.MISSING, self._refusal(error), self.account.email, _told(error))
            return
        yield Finding(Level.OK, "signed_in", self.account.email, {"role": self.role})
        if self.role == "reader":
            yield from self._check_server(self.project)
        needed = READING if self.role == "reader" else WRITING
        missing = sorted(needed - self.project.verbs)
        self.has_rights = not missing
        if missing:
            yield self._finding(Level.MISSING, f"{self.role}_rights_missing", ", ".join(missing))
        if self.role == "reader" and self.project.writing_verbs:
            yield self._finding(Level.WARNING, "reader_may_write", ", ".join(self.project.writing_verbs[:4]))
        if self.role == "manager" and self.project.verbs & SERVER_WIDE:
            yield self._finding(Level.WARNING, "manager_is_administrator", "")

    def _check_server(self, project: Project) -> Iterator[Finding]:
        version = get_server_version(self.session)
        yield Finding(Level.OK, "server" if version else "server_unknown", version or "")
        archived = Level.MISSING if project.archived else Level.OK
        yield Finding(archived, "project_archived" if project.archived else "project", project.name)

    def _refusal(self, error: CentralError) -> str:
        if error.code in {"central_not_found", "central_forbidden"}:
            return "project_missing"
        return f"{self.role}_sign_in" if error.code == "central_sign_in" else error.code

    def _finding(self, level: Level, code: str, rights: str) -> Finding:
        return Finding(level, code, self.account.email, {"rights": rights})

    def look(self, wanted: Wanted, *, standing: bool, has_passphrase: bool = False) -> Iterator[Finding]:
        """Look at what stands: all of it as the manager (`standing`), what is read as the reader."""
        if self.project is None or not self.has_rights:
            return
        try:
            if standing:
                found = read_standing(self.session, wanted)
                yield from _from_plan(make_plan(wanted, found))
                yield from _check_states(found)
                return
            if self.project.encrypted:
                level = Level.OK if has_passphrase else Level.MISSING
                yield Finding(
                    level, "encrypted" if has_passphrase else "passphrase_missing", self.project.name
                )
            for form in wanted.forms:
                yield from _check_form(self.session, form)
        except CentralError as error:  # here a refusal is about one thing, not about the project
            is_refused = error.code in {"central_not_found", "central_forbidden"}
            code = "central_refused" if is_refused else self._refusal(error)
            yield Finding(Level.MISSING, code, self.account.email, _told(error))


def _told(error: CentralError) -> dict[str, str]:
    return {"answer": str(error)}


BY_FORM = frozenset({Action.FORM_PUBLISH, Action.FORM_NEWER, Action.FORM_FOREIGN})
"""What `_check_form` tells better."""

PLAN_CODES = {
    Action.LIST: "list_missing",
    Action.LIST_PROPERTY: "property_missing",
    Action.LIST_APPROVAL: "approval_differs",
    Action.LIST_ACCESS: "access_missing",
    Action.ACTOR_PROPERTY: "actor_property_missing",
    Action.USER: "app_user_missing",
    Action.USER_OFFICE: "app_user_office",
    Action.USER_FORM: "app_user_form",
    Action.USER_REVOKE: "app_user_still_open",
    Action.NO_ACTOR_PROPERTIES: "no_actor_properties",
}
"""What a step that is still to be done means to who asks whether all is well."""


def _from_plan(steps: list[Step]) -> Iterator[Finding]:
    """Turn what provisioning would do into findings; one line counts what is as it should be."""
    new_lists = {step.subject for step in steps if step.action is Action.LIST and step.sign is Sign.CREATE}
    new_users = {step.subject for step in steps if step.action is Action.USER and step.sign is Sign.CREATE}
    same = sum(step.sign is Sign.SAME for step in steps)
    if same:
        yield Finding(Level.OK, "standing", str(same))
    for step in steps:
        part = step.action in {Action.LIST_PROPERTY, Action.LIST_ACCESS} and step.subject in new_lists
        part = part or (step.action is Action.USER_FORM and step.subject in new_users)
        if step.sign is Sign.SAME or part or step.action in BY_FORM:
            continue
        level = Level.WARNING if step.sign is Sign.NOTE else Level.MISSING
        code = PLAN_CODES.get(step.action, step.action.value.replace(".", "_"))
        yield Finding(level, code, step.subject, {"detail": step.detail})


def _check_states(standing: Standing) -> Iterator[Finding]:
    for form_id, form in standing.forms.items():
        if form.state.is_published and form.state.state != "open":
            yield Finding(Level.MISSING, "form_not_open", form_id, {"detail": form.state.state})


def _check_form(central: CentralSession, form: WantedForm) -> Iterator[Finding]:
    """Look at a form as it is published, whoever published it."""
    state = list_forms(central).get(form.form_id)
    if state is None or not state.is_published:
        yield Finding(Level.MISSING, "form_missing", form.form_id)
        return
    versions = {"theirs": state.version, "ours": form.version}
    if state.version == form.version:
        yield Finding(Level.OK, "form", form.form_id, versions)
    else:
        older = state.version < form.version
        yield Finding(Level.WARNING, "form_older" if older else "form_newer", form.form_id, versions)
    absent = sorted(form.fields - list_fields(central, form.form_id))
    if absent:
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        yield Finding(Level.MISSING, "fields_missing", form.form_id, {"fields": shown})
    xml = get_definition(central, form.form_id)
    root = read_definition(xml).root
    if root != ROOT:
        yield Finding(Level.MISSING, "root_not_data", form.form_id, {"root": root})
    lost = lost_properties(xml, get_list_changes(central, form.form_id))
    if lost:
        yield Finding(Level.MISSING, "entities_lost", form.form_id, {"lost": ", ".join(lost)})
    for file in list_attachments(central, form.form_id):
        if not (file.is_uploaded or file.is_list):
            yield Finding(Level.MISSING, "attachment_missing", form.form_id, {"file": file.name})
