"""The facts of a case that are not overwritten once somebody has acted on them: one table.

A row says which fields a fact has, what uses it, which of them are personal, and what takes effect at once when an
edit says otherwise (`bind`): the narrower, as of consent. Another fact is another row of `FACTS` with its words in
`api.conflict_texts`; nothing else asks for facts by name but what holds calls and places back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any
from uuid import UUID

from casework.assessment import Assessment, NeedAnswer, PersonAnswers, Residence
from casework.fact_rows import (
    NAME_PARTS,
    read_person,
    read_residence,
    write_identity,
    write_phone,
    write_residence,
)
from casework.names import fold_phone
from db.conflicts import Uses
from db.models import Case, Need, Person
from db.vault import Vault

Values = Mapping[str, Any]
"""Fields of a fact by name: what JSON can hold."""

CONTACT, RESIDENCE, IDENTITY, RISK = "contact", "residence", "identity", "risk"
ANSWERERS = ("self_only", "family", "anyone")
"""Who may answer, the narrowest first. Where nobody said, anyone may be meant."""
ANY_HOUR = "any"
_IDENTITY = (*NAME_PARTS, "sex", "age_years", "age_estimated")
_PHONE = ("phone", "contact_answerer", "contact_hours")


@dataclass(frozen=True, slots=True)
class CaseRows:
    """The rows of a registration in which its facts stand; `needs` are those with a referral under way."""

    case: Case
    head: Person | None
    needs: Sequence[Need]


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of the table.

    `personal`: fields that only the person's own office reads, for a reason. `sent_as`: fields of a disclosure that
    carry it. `is_acted_on`: whether something was done with it. `said`: what an assessment says, given what stands;
    `keeping`: the assessment with these values instead. `read` and `write`: the same of the rows. `bind`: what holds
    of what stands and what an edit says until somebody has settled it.
    """

    code: str
    personal: frozenset[str]
    sent_as: tuple[str, ...]
    is_acted_on: Callable[[Uses], bool]
    said: Callable[[Assessment, Values], Values]
    keeping: Callable[[Assessment, Values], Assessment]
    read: Callable[[Vault, CaseRows], Values]
    write: Callable[[Vault, UUID, CaseRows, Values], None]
    bind: Callable[[Values, Values], Values] = lambda standing, _edited: standing


def is_same(former: Values, edited: Values) -> bool:
    """Whether two versions of a fact say the same, however a phone number is written."""
    names = former.keys() | edited.keys()
    return all(_plain(name, former.get(name)) == _plain(name, edited.get(name)) for name in names)


def _plain(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return (name == "phone" and fold_phone(value)) or value.strip() or None


def _head(assessment: Assessment) -> PersonAnswers:
    return assessment.persons[0]


def _with_head(assessment: Assessment, values: Values) -> Assessment:
    head, *others = assessment.persons
    return replace(assessment, persons=(replace(head, **values), *others))


def _pick(source: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


def _as_head(values: Values, names: Sequence[str]) -> PersonAnswers:
    return PersonAnswers("head", 0, **{name: values[name] for name in names if name in values})


# --- contact


def _contact_said(assessment: Assessment, _standing: Values) -> Values:
    languages = _pick(assessment, ("contact_language", "contact_language_other"))
    return _pick(_head(assessment), _PHONE) | languages


def _keeping_contact(assessment: Assessment, values: Values) -> Assessment:
    kept = replace(
        assessment,
        contact_language=values.get("contact_language"),
        contact_language_other=values.get("contact_language_other"),
    )
    return _with_head(kept, {name: values.get(name) for name in _PHONE})


def _read_contact(vault: Vault, rows: CaseRows) -> Values:
    facts = vault.open_json("case_file.facts", rows.case.facts) or {}
    person = read_person(vault, rows.head)
    return {name: person.get(name) for name in _PHONE} | {
        "contact_language": rows.case.contact_language,
        "contact_language_other": facts.get("contact_language_other"),
    }


def _write_contact(vault: Vault, key_id: UUID, rows: CaseRows, values: Values) -> None:
    facts = vault.open_json("case_file.facts", rows.case.facts) or {}
    facts["contact_language_other"] = values.get("contact_language_other")
    rows.case.facts = vault.seal_json(key_id, "case_file.facts", facts)
    rows.case.contact_language = values.get("contact_language")
    if rows.head is not None:
        write_phone(vault, key_id, rows.head, _as_head(values, _PHONE))


def _bind_contact(standing: Values, edited: Values) -> Values:
    """Fewer who may answer and fewer hours hold at once; another number does not, and nobody calls meanwhile."""
    narrower = min(
        (standing.get("contact_answerer"), edited.get("contact_answerer")),
        key=lambda code: ANSWERERS.index(code) if code in ANSWERERS else len(ANSWERERS),
    )
    hours = standing.get("contact_hours")
    if hours == ANY_HOUR and edited.get("contact_hours") is not None:
        hours = edited["contact_hours"]
    return {**standing, "contact_answerer": narrower, "contact_hours": hours}


# --- residence


def _residence_said(assessment: Assessment, _standing: Values) -> Values:
    """What is said of the residence; an area given as the place is no place of its own, as in the rows."""
    home = assessment.residence
    areas = {home.subdistrict, home.district, home.governorate}
    return asdict(replace(home, place=None if home.place in areas else home.place))


def _residence_of(values: Values) -> Residence:
    return Residence(**values)


def _read_home(vault: Vault, rows: CaseRows) -> Values:
    return asdict(read_residence(vault, rows.case))


def _write_home(vault: Vault, key_id: UUID, rows: CaseRows, values: Values) -> None:
    write_residence(vault, key_id, rows.case, _residence_of(values))


# --- identity


def _read_identity(vault: Vault, rows: CaseRows) -> Values:
    person = read_person(vault, rows.head)
    return {name: person.get(name) for name in _IDENTITY}


def _write_identity(vault: Vault, key_id: UUID, rows: CaseRows, values: Values) -> None:
    if rows.head is not None:
        write_identity(vault, key_id, rows.head, _as_head(values, _IDENTITY))


# --- risk


def _risk_said(assessment: Assessment, standing: Values) -> Values:
    """How urgent each need under way is now; one that the edit drops is told elsewhere (`need_changed_under_way`)."""
    said = {need.service_type: need.urgency for need in assessment.needs}
    return {service_type: said.get(service_type, urgency) for service_type, urgency in standing.items()}


def _keeping_risk(assessment: Assessment, values: Values) -> Assessment:
    needs = (
        NeedAnswer(need.service_type, values.get(need.service_type, need.urgency))
        for need in assessment.needs
    )
    return replace(assessment, needs=tuple(needs))


def _read_risk(_vault: Vault, rows: CaseRows) -> Values:
    return {need.service_type: need.urgency for need in rows.needs if need.same_as_id is None}


def _write_risk(_vault: Vault, _key_id: UUID, rows: CaseRows, values: Values) -> None:
    for need in rows.needs:
        if need.same_as_id is None and need.service_type in values:
            need.urgency = values[need.service_type]


_ROWS = (
    Fact(
        CONTACT,
        personal=frozenset({"phone", "contact_language_other"}),
        sent_as=(*_PHONE, "contact_language"),
        is_acted_on=lambda uses: uses.is_beyond_proposal or uses.was_messaged or "call" in uses.met_by
        or bool(uses.sent & {*_PHONE, "contact_language"}),
        said=_contact_said,
        keeping=_keeping_contact,
        read=_read_contact,
        write=_write_contact,
        bind=_bind_contact,
    ),
    Fact(
        RESIDENCE,
        personal=frozenset({"place_text", "longitude", "latitude"}),
        sent_as=("district", "place"),
        is_acted_on=lambda uses: uses.is_beyond_proposal or "visit" in uses.met_by
        or bool(uses.sent & {"district", "place"}),
        said=_residence_said,
        keeping=lambda assessment, values: replace(assessment, residence=_residence_of(values)),
        read=_read_home,
        write=_write_home,
    ),
    Fact(
        IDENTITY,
        personal=frozenset(NAME_PARTS),
        sent_as=(*NAME_PARTS, "sex", "age_years"),
        is_acted_on=lambda uses: bool(uses.sent & {*NAME_PARTS, "sex", "age_years"}) or "name" in uses.in_letters,
        said=lambda assessment, _standing: _pick(_head(assessment), _IDENTITY),
        keeping=_with_head,
        read=_read_identity,
        write=_write_identity,
    ),
    Fact(
        RISK,
        personal=frozenset(),
        sent_as=("urgency",),
        is_acted_on=lambda uses: uses.is_live,
        said=_risk_said,
        keeping=_keeping_risk,
        read=_read_risk,
        write=_write_risk,
    ),
)  # fmt: skip

FACTS: Mapping[str, Fact] = MappingProxyType({fact.code: fact for fact in _ROWS})
