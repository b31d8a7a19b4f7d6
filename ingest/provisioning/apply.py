"""Doing a plan, step by step. Each step may be cut off and done again: what stands already is left as it is."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from ingest.central.app_users import (
    AppUser,
    assign_form,
    create_app_user,
    list_app_users,
    revoke_app_user,
    update_app_user,
)
from ingest.central.datasets import (
    access_filter,
    create_actor_property,
    create_entity_list,
    create_property,
    update_entity_list,
)
from ingest.central.errors import CentralError
from ingest.central.forms import (
    VERSION_USED,
    create_draft,
    get_list_changes,
    link_draft_attachment,
    list_attachments,
    publish_draft,
    update_draft_attachment,
)
from ingest.central.projects import WRITING, Project, get_project
from ingest.central.session import CentralSession
from ingest.provisioning.definition import ROOT, read_definition
from ingest.provisioning.errors import ProvisioningError
from ingest.provisioning.plan import Action, Step, make_plan
from ingest.provisioning.standing import read_standing
from ingest.provisioning.wanted import Wanted, WantedForm

Progress = Callable[[Step], None]


def check_rights(central: CentralSession) -> Project:
    """Return the project that may be provisioned. Raises ProvisioningError before anything is changed."""
    try:
        project = get_project(central)
    except CentralError as error:
        if error.code in {"central_not_found", "central_forbidden"}:
            raise ProvisioningError("project_missing", project=str(central.account.project_id)) from None
        raise
    missing = sorted(WRITING - project.verbs)
    if missing:
        raise ProvisioningError("rights_missing", email=central.account.email, rights=", ".join(missing))
    if project.archived:
        raise ProvisioningError("project_archived", project=project.name)
    return project


def plan_project(
    central: CentralSession, wanted: Wanted, *, publish_over: frozenset[str] = frozenset()
) -> list[Step]:
    """Read what stands and plan. Changes nothing. Raises CentralError or ProvisioningError."""
    check_rights(central)
    return make_plan(wanted, read_standing(central, wanted), publish_over=publish_over)


def provision(
    central: CentralSession,
    wanted: Wanted,
    steps: Iterable[Step],
    *,
    progress: Progress = lambda _: None,
    publish_over: frozenset[str] = frozenset(),
) -> None:
    """Do the steps of a plan, then read again whether all of it stands. Raises CentralError or ProvisioningError.

    `progress` is called after each step that did something.
    """
    steps = list(steps)
    users = {user.name: user for user in list_app_users(central) if user.is_live}
    if any(step.action is Action.NO_ACTOR_PROPERTIES for step in steps):
        wanted = replace(wanted, tablets=tuple(replace(one, office=None) for one in wanted.tablets))
    for step in steps:
        if step.is_work:
            _do(central, wanted, step, users)
            progress(step)
    rest = [step for step in plan_project(central, wanted, publish_over=publish_over) if step.is_work]
    if rest:
        raise ProvisioningError("not_reached", step=f"{rest[0].action} {rest[0].subject} {rest[0].detail}")


def _do(central: CentralSession, wanted: Wanted, step: Step, users: dict[str, AppUser]) -> None:
    subject, detail = step.subject, step.detail
    match step.action:
        case Action.USER_REVOKE:
            close_app_users(central, subject)
        case Action.ACTOR_PROPERTY:
            create_actor_property(central, subject)
        case Action.LIST:
            create_entity_list(central, subject, approval_required=wanted.list(subject).approval_required)
        case Action.LIST_PROPERTY:
            create_property(central, subject, detail)
        case Action.LIST_APPROVAL:
            update_entity_list(central, subject, approvalRequired=wanted.list(subject).approval_required)
        case Action.LIST_ACCESS:
            update_entity_list(central, subject, accessFilter=access_filter(detail, wanted.actor_property))
        case Action.FORM_PUBLISH:
            publish_form(central, wanted.form(subject), frozenset(one.name for one in wanted.lists))
        case Action.USER:
            users[subject] = _create_user(central, wanted, subject)
        case Action.USER_OFFICE:
            update_app_user(central, users[subject].app_user_id, {wanted.actor_property: detail})
        case Action.USER_FORM:
            assign_form(central, detail, users[subject].app_user_id)
        case _:
            raise AssertionError(step.action)


def _create_user(central: CentralSession, wanted: Wanted, name: str) -> AppUser:
    office = wanted.tablet(name).office
    return create_app_user(central, name, {wanted.actor_property: office} if office else {})


def close_app_users(central: CentralSession, name: str) -> int:
    """Shut out every app user of a name; returns how many could still send."""
    live = [user for user in list_app_users(central) if user.name == name and user.is_live]
    for user in live:
        try:
            revoke_app_user(central, user)
        except CentralError as error:
            if error.code != "central_forbidden":
                raise
            # Central says the same where somebody else was quicker and where the right is missing.
            if any(one.app_user_id == user.app_user_id and one.is_live for one in list_app_users(central)):
                raise
    return len(live)


def publish_form(central: CentralSession, form: WantedForm, lists: frozenset[str] = frozenset()) -> None:
    """Publish a form with its files. Checked before publishing, because a version cannot be published twice."""
    definition = read_definition(form.xml)
    if definition.root != ROOT:
        raise ProvisioningError("root_not_data", form=form.form_id, root=definition.root)
    create_draft(central, form.form_id, form.xml)
    _attach(central, form, lists)
    _check_entities(central, form, draft=True)
    try:
        publish_draft(central, form.form_id)
    except CentralError as error:
        if error.problem == VERSION_USED:
            raise ProvisioningError("form_refused", form=form.form_id, version=form.version) from None
        raise
    _check_entities(central, form, draft=False)


def _attach(central: CentralSession, form: WantedForm, lists: frozenset[str]) -> None:
    for file in list_attachments(central, form.form_id, draft=True):
        content = form.media.get(file.name)
        if content is not None:
            if file.md5 != hashlib.md5(content, usedforsecurity=False).hexdigest():
                update_draft_attachment(central, form.form_id, file.name, content)
        elif file.name.removesuffix(".csv") in lists:
            if not file.is_list:
                link_draft_attachment(central, form.form_id, file.name)
        elif not (file.is_list or file.is_uploaded):
            raise ProvisioningError("attachment_missing", form=form.form_id, file=file.name)


def _check_entities(central: CentralSession, form: WantedForm, *, draft: bool) -> None:
    """Compare what Central saw of the form's entities with what the form says (central: silent where it sees none)."""
    lost = lost_properties(form.xml, get_list_changes(central, form.form_id, draft=draft))
    if lost:
        raise ProvisioningError("entities_lost", form=form.form_id, lost=", ".join(lost))


def lost_properties(xml: str, seen: dict[str, frozenset[str]]) -> list[str]:
    """List what a form saves and Central does not see, as `list` or `list.property`."""
    lost = []
    for name, properties in sorted(read_definition(xml).saves.items()):
        if name not in seen:
            lost.append(name)
        else:
            lost += [f"{name}.{one}" for one in sorted(properties - seen[name])]
    return lost
