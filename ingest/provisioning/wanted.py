"""What this installation wants to stand in ODK Central."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ingest.entity_lists import ACTOR_PROPERTY, ENTITY_LISTS, EntityList
from ingest.provisioning.definition import read_definition
from xlsforms.compile import CompiledForm


@dataclass(frozen=True, slots=True)
class WantedForm:
    """A form with its files. `fields`: paths without the root on which ingestion relies."""

    form_id: str
    version: str
    xml: str = field(repr=False)
    media: Mapping[str, bytes] = field(repr=False, default_factory=dict)
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WantedTablet:
    """A tablet; `office` is the code that decides which entities it gets. A revoked one must not have access."""

    name: str
    office: str | None
    is_revoked: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything that should stand. Every tablet is given every form."""

    forms: tuple[WantedForm, ...]
    lists: tuple[EntityList, ...]
    tablets: tuple[WantedTablet, ...]
    actor_property: str = ACTOR_PROPERTY

    def form(self, form_id: str) -> WantedForm:
        """One of the forms."""
        return next(form for form in self.forms if form.form_id == form_id)

    def list(self, name: str) -> EntityList:
        """One of the lists."""
        return next(one for one in self.lists if one.name == name)

    def tablet(self, name: str) -> WantedTablet:
        """One of the tablets."""
        return next(tablet for tablet in self.tablets if tablet.name == name)


def wanted_form(compiled: CompiledForm, fields: Iterable[str] = ()) -> WantedForm:
    """Return a compiled questionnaire as a form of Central."""
    return WantedForm(
        compiled.form_id, compiled.version, compiled.xml, dict(compiled.media), frozenset(fields)
    )


def make_wanted(forms: Iterable[WantedForm], tablets: Iterable[WantedTablet]) -> Wanted:
    """Put together what should stand, with the lists of `ingest.entity_lists` that these forms need."""
    forms = tuple(forms)
    declared = {name for form in forms for name in read_definition(form.xml).saves}
    lists = tuple(one for one in ENTITY_LISTS if not one.only_with_form or one.name in declared)
    return Wanted(forms, lists, tuple(tablets))
