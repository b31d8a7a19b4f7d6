"""What stands in ODK Central now, read for what is wanted; nothing else of the project is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingest.central.app_users import AppUser, list_app_users, list_assignments
from ingest.central.datasets import EntityListState, get_entity_list, list_actor_properties
from ingest.central.forms import (
    AttachmentState,
    FormState,
    get_draft_version,
    list_attachments,
    list_forms,
    list_versions,
)
from ingest.central.session import CentralSession
from ingest.provisioning.wanted import Wanted


@dataclass(frozen=True, slots=True)
class StandingForm:
    """A form as it stands, with its draft's version, all versions ever published, and its files."""

    state: FormState
    draft: str | None = None
    versions: frozenset[str] = frozenset()
    attachments: tuple[AttachmentState, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """The part of the project that provisioning looks after. `actor_properties` is None on a server without them."""

    forms: Mapping[str, StandingForm] = field(default_factory=dict)
    lists: Mapping[str, EntityListState] = field(default_factory=dict)
    actor_properties: frozenset[str] | None = frozenset()
    app_users: tuple[AppUser, ...] = ()
    assignments: frozenset[tuple[int, str]] = frozenset()


def read_standing(central: CentralSession, wanted: Wanted) -> Standing:
    """Read what stands. Raises CentralError."""
    states = list_forms(central)
    forms = {
        form.form_id: _form(central, states[form.form_id]) for form in wanted.forms if form.form_id in states
    }
    found = [get_entity_list(central, one.name) for one in wanted.lists]
    return Standing(
        forms=forms,
        lists={one.name: one for one in found if one is not None},
        actor_properties=list_actor_properties(central),
        app_users=tuple(list_app_users(central)),
        assignments=list_assignments(central),
    )


def _form(central: CentralSession, state: FormState) -> StandingForm:
    draft = get_draft_version(central, state.form_id)
    if not state.is_published:
        return StandingForm(state, draft=draft)
    return StandingForm(
        state,
        draft=draft,
        versions=list_versions(central, state.form_id),
        attachments=tuple(list_attachments(central, state.form_id)),
    )
