"""From what stands to what should stand: a list of steps, as a diff. Pure: no network, no database."""

import enum
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.central.app_users import AppUser
from ingest.entity_lists import EntityList
from ingest.provisioning.standing import Standing, StandingForm
from ingest.provisioning.wanted import Wanted, WantedForm, WantedTablet

OURS = re.compile(r"(\d{10})-[0-9a-f]{8}")
"""A version that this project's compiler makes: the author's number and a digest of the content."""


class Sign(enum.StrEnum):
    """How a step is shown. BLOCKED is not done: a person has to settle it. NOTE asks nothing of anybody."""

    CREATE = "+"
    CHANGE = "~"
    SAME = "="
    REVOKE = "-"
    BLOCKED = "!"
    NOTE = "i"


class Action(enum.StrEnum):
    """What a step does or says."""

    USER_REVOKE = "app_user.revoke"
    ACTOR_PROPERTY = "actor_property.create"
    LIST = "entity_list.create"
    LIST_PROPERTY = "entity_list.property"
    LIST_APPROVAL = "entity_list.approval"
    LIST_ACCESS = "entity_list.access"
    FORM_PUBLISH = "form.publish"
    USER = "app_user.create"
    USER_OFFICE = "app_user.office"
    USER_FORM = "app_user.form"
    FORM_NEWER = "form.newer"
    FORM_FOREIGN = "form.foreign"
    FORM_DRAFT = "form.foreign_draft"
    FORM_VERSION_USED = "form.version_used"
    FORM_MEDIA = "form.media_differ"
    USER_REVOKED = "app_user.revoked_before"
    USER_TWICE = "app_user.twice"
    NO_ACTOR_PROPERTIES = "actor_property.unsupported"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the plan: what is done to `subject` (a form, list or tablet), with `detail` where it needs one."""

    sign: Sign
    action: Action
    subject: str
    detail: str = ""

    @property
    def is_work(self) -> bool:
        """Whether applying the plan does something here."""
        return self.sign in {Sign.CREATE, Sign.CHANGE, Sign.REVOKE}


def make_plan(
    wanted: Wanted, standing: Standing, *, publish_over: frozenset[str] = frozenset()
) -> list[Step]:
    """List every step, in an order in which they can be done: lost tablets first, lists before the forms that use them.

    `publish_over`: ids of forms that are published also over a version or a draft that is not ours or newer than ours.
    """
    return [
        *(step for tablet in wanted.tablets if tablet.is_revoked for step in _revocation(tablet, standing)),
        *_actor_property(wanted, standing),
        *(step for one in wanted.lists for step in _list(one, wanted, standing)),
        *(_form(form, standing.forms.get(form.form_id), publish_over) for form in wanted.forms),
        *(
            step
            for tablet in wanted.tablets
            if not tablet.is_revoked
            for step in _tablet(tablet, wanted, standing)
        ),
    ]


def _revocation(tablet: WantedTablet, standing: Standing) -> Iterator[Step]:
    named = [user for user in standing.app_users if user.name == tablet.name]
    if any(user.is_live for user in named):
        yield Step(Sign.REVOKE, Action.USER_REVOKE, tablet.name)
    elif named:
        yield Step(Sign.SAME, Action.USER_REVOKE, tablet.name)


def _actor_property(wanted: Wanted, standing: Standing) -> Iterator[Step]:
    known, name = standing.actor_properties, wanted.actor_property
    if known is None:
        yield Step(Sign.NOTE, Action.NO_ACTOR_PROPERTIES, name)
    else:
        yield Step(Sign.SAME if name in known else Sign.CREATE, Action.ACTOR_PROPERTY, name)


def _list(one: EntityList, wanted: Wanted, standing: Standing) -> Iterator[Step]:
    found = standing.lists.get(one.name)
    yield Step(Sign.SAME if found else Sign.CREATE, Action.LIST, one.name)
    known = found.properties if found else frozenset()
    for name in one.properties:
        yield Step(Sign.SAME if name in known else Sign.CREATE, Action.LIST_PROPERTY, one.name, name)
    approval = found.approval_required if found else one.approval_required
    if approval != one.approval_required:
        detail = "required" if one.approval_required else "not required"
        yield Step(Sign.CHANGE, Action.LIST_APPROVAL, one.name, detail)
    if one.access_property and standing.actor_properties is not None:
        right = frozenset({(one.access_property, wanted.actor_property)})
        is_right = found is not None and found.access == right
        yield Step(Sign.SAME if is_right else Sign.CHANGE, Action.LIST_ACCESS, one.name, one.access_property)


def _form(form: WantedForm, found: StandingForm | None, publish_over: frozenset[str]) -> Step:
    sign, action, detail = Sign.CREATE, Action.FORM_PUBLISH, form.version
    if found is not None:
        version = found.state.version if found.state.is_published else None
        if obstacle := _obstacle(form, found, version, is_forced=form.form_id in publish_over):
            sign, (action, detail) = Sign.BLOCKED, obstacle
        elif version is not None:
            sign = Sign.SAME if version == form.version else Sign.CHANGE
    return Step(sign, action, form.form_id, detail)


def _obstacle(
    form: WantedForm, found: StandingForm, version: str | None, *, is_forced: bool
) -> tuple[Action, str] | None:
    """Tell why our form may not be published over what stands, with the version or file that is in the way."""
    if version == form.version:
        wrong = _other_media(form, found)
        return (Action.FORM_MEDIA, wrong) if wrong else None
    obstacle = None
    if form.version in found.versions:
        obstacle = Action.FORM_VERSION_USED, version or ""
    elif is_forced:
        pass
    elif version is not None and _authors_number(version) is None:
        obstacle = Action.FORM_FOREIGN, version
    elif version is not None and _is_newer(version, form.version):
        obstacle = Action.FORM_NEWER, version
    elif found.draft not in {None, form.version} and not _is_our_past(found.draft or "", form.version):
        obstacle = Action.FORM_DRAFT, found.draft or ""
    return obstacle


def _other_media(form: WantedForm, found: StandingForm) -> str:
    """Name the first file whose content is not ours: it cannot change without a new version."""
    known = {file.name: file.md5 for file in found.attachments}
    for name, content in sorted(form.media.items()):
        if known.get(name) != hashlib.md5(content, usedforsecurity=False).hexdigest():
            return name
    return ""


def _authors_number(version: str) -> int | None:
    found = OURS.fullmatch(version)
    return int(found[1]) if found else None


def _is_newer(version: str, ours: str) -> bool:
    theirs, own = _authors_number(version), _authors_number(ours)
    return theirs is not None and own is not None and theirs > own


def _is_our_past(draft: str, ours: str) -> bool:
    """Whether a draft is what an earlier run of ours left behind."""
    return _authors_number(draft) is not None and not _is_newer(draft, ours)


def _tablet(tablet: WantedTablet, wanted: Wanted, standing: Standing) -> Iterator[Step]:
    named = [user for user in standing.app_users if user.name == tablet.name]
    live = [user for user in named if user.is_live]
    if not live and named:
        yield Step(Sign.BLOCKED, Action.USER_REVOKED, tablet.name)
        return
    if len(live) > 1:
        yield Step(Sign.BLOCKED, Action.USER_TWICE, tablet.name, str(len(live)))
        return
    user = live[0] if live else None
    yield Step(Sign.SAME if user else Sign.CREATE, Action.USER, tablet.name, tablet.office or "")
    if user is not None and standing.actor_properties is not None:
        yield from _office(tablet, user, wanted.actor_property)
    for form in wanted.forms:
        has = user is not None and (user.app_user_id, form.form_id) in standing.assignments
        yield Step(Sign.SAME if has else Sign.CREATE, Action.USER_FORM, tablet.name, form.form_id)


def _office(tablet: WantedTablet, user: AppUser, name: str) -> Iterator[Step]:
    if tablet.office is not None:
        is_right = dict(user.properties).get(name) == tablet.office
        yield Step(Sign.SAME if is_right else Sign.CHANGE, Action.USER_OFFICE, tablet.name, tablet.office)
