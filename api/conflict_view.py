"""Two answers on one fact side by side, in words; what is personal only where it was asked for with a reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api import conflict_texts, texts
from api.auth import CurrentUser
from api.permissions import Permission, may
from casework.conflicts import open_values
from casework.facts import FACTS, IDENTITY, RISK, Values, is_same
from db import accounts
from db.conflicts import list_open_conflicts
from db.vault import Vault
from governorates import Governorate

PLACES = frozenset({"governorate", "district", "subdistrict", "place"})


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field of a fact. `hidden`: it is personal and was not asked for; then neither text is there."""

    label: str
    former: str | None
    edited: str | None
    differs: bool
    hidden: bool


def view_fields(
    fact: str,
    values: tuple[Values, Values] | None,
    governorate: Governorate,
    language: str,
    *,
    revealed: bool = False,
) -> Sequence[FieldView]:
    """The fields of a fact that differ, and of who the person is all of them; nothing where they were erased."""
    if values is None:
        return ()
    former, edited = values
    personal = FACTS[fact].personal if fact in FACTS else former.keys() | edited.keys()
    names = [*former, *(name for name in edited if name not in former)]
    found = []
    for name in names:
        differs = not is_same(_one(former, name), _one(edited, name))
        if not differs and fact != IDENTITY:
            continue
        hidden = name in personal and not revealed
        words = [
            None if hidden else _text(fact, name, one.get(name), governorate, language) for one in values
        ]
        label = _label(fact, name, governorate, language)
        found.append(FieldView(label, words[0], words[1], differs, hidden))
    return found


def _one(values: Values, name: str) -> Mapping[str, Any]:
    return {name: values.get(name)}


def _label(fact: str, name: str, governorate: Governorate, language: str) -> str:
    if fact == RISK:
        return texts.service_type_name(governorate, name, language)
    return texts.text_of(conflict_texts.FIELDS, name, language)


def _text(fact: str, name: str, value: Any, governorate: Governorate, language: str) -> str | None:
    if value is None or value == "":
        return None
    if fact == RISK:
        return texts.choice_or_code("urgency", value, language)
    if name in PLACES:
        return texts.place_name(governorate, value, language)
    if name == "basis":
        return texts.text_of(texts.LOCATION_BASES, value, language)
    return (
        texts.yes_no(value, language)
        if isinstance(value, bool)
        else texts.value_text(name, value, governorate, language)
    )


@dataclass(frozen=True, slots=True)
class ConflictPanel:
    """One conflict as the page of the case that stands for its registration shows it."""

    case_id: int
    conflict_id: int
    fact: str
    meanwhile: str
    fields: Sequence[FieldView]


def conflict_panels(
    session: Session,
    keys: Vault,
    user: CurrentUser,
    case_ids: Sequence[int],
    governorate: Governorate,
    language: str,
) -> list[ConflictPanel]:
    """What waits in these cases for whoever may settle it, without what is personal; the reading is audited."""
    if not may(user, Permission.CONFLICT_READ):
        return []
    rows = list_open_conflicts(session, user, case_ids)
    if not rows:
        return []
    accounts.record_audit(
        session, user.user_id, "conflict.read", "fact_conflict", [one.id for _, one in rows]
    )
    values = open_values(keys, [one for _, one in rows])
    return [
        ConflictPanel(
            case_id,
            one.id,
            texts.text_of(conflict_texts.FACTS, one.fact, language),
            texts.text_of(conflict_texts.MEANWHILE, one.fact, language),
            view_fields(one.fact, values[one.id], governorate, language),
        )
        for case_id, one in rows
    ]
