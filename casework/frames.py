"""From rows to the engine's frames: personal facts are opened here, in bulk, and go no further.

Columns and units are `referral_engine.frames`.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from casework.consent_gate import counts
from db.models import Case, Consent, EligibilityRule
from db.vault import Vault
from geo.gazetteer import Gazetteer
from governorates import Governorate
from referral_engine.eligibility import Rule

if TYPE_CHECKING:
    from pandas import DataFrame

_POINT_RADIUS_KM = 0.1


def needs_frame(
    rows: Sequence[Any],
    declined: Mapping[int, tuple[int, ...]],
    vault: Vault,
    governorate: Governorate,
    now: datetime,
) -> "DataFrame":
    """One row a need; cases of several needs are opened once."""
    import pandas as pd

    gazetteer = Gazetteer(governorate)
    vault.load_keys(row.Case.data_key_id for row in rows)
    facts: dict[int, dict[str, Any]] = {}
    for row in rows:
        if row.Case.id not in facts:
            facts[row.Case.id] = _case_facts(row, vault, gazetteer, now)
    records = [
        facts[row.Case.id]
        | {
            "need_id": row.Need.id,
            "service_type": row.Need.service_type,
            "category": row.Need.category,
            "urgency": row.Need.urgency,
            "waiting_since": row.Need.opened_at,
            "declined": declined.get(row.Need.id, ()),
        }
        for row in rows
    ]
    frame = pd.DataFrame.from_records(records).set_index("need_id").sort_index()
    frame["waiting_since"] = pd.to_datetime(frame["waiting_since"], utc=True)
    numbers = ["longitude", "latitude", "radius_km", "age", "household_size", "months_since_return"]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _case_facts(row: Any, vault: Vault, gazetteer: Gazetteer, now: datetime) -> dict[str, Any]:
    case: Case = row.Case
    known = vault.open_json("case_file.facts", case.facts) or {}
    longitude, latitude, radius_km = _location(case, vault, gazetteer)
    documents = known.get("documents")
    languages = (case.contact_language,) if case.contact_language not in {None, "other"} else ()
    return {
        "case_id": case.id,
        "longitude": longitude,
        "latitude": latitude,
        "radius_km": radius_km,
        "governorate": case.residence_governorate,
        "district": case.residence_district,
        "subdistrict": case.residence_subdistrict,
        "other_subdistrict": case.contested_subdistrict,
        "age": row.age_years,
        "sex": row.sex,
        "displacement_status": case.displacement_status,
        "months_since_return": _months_since(known.get("return_date"), now.date()),
        "household_size": case.household_size,
        "female_headed": known.get("female_headed"),
        "disability": known.get("disability"),
        "housing_damage": known.get("housing_damage"),
        "tenure": known.get("tenure"),
        "education_level": known.get("education_level"),
        "work_status": known.get("work_status"),
        "documents": None if documents is None else tuple(documents),
        "languages": languages,
        **consent_bounds(row.Consent, case.governorate, now),
    }


def consent_bounds(consent: Consent, governorate: str, now: datetime) -> dict[str, Any]:
    """What the person's word allows just now, in the engine's columns: nothing once old, or while incomplete."""
    allows = counts(consent, governorate, now)
    return {
        "consent_categories": tuple(consent.categories) if allows else (),
        "consent_kinds": tuple(consent.recipients) if allows else (),
        "excluded_organizations": tuple(consent.excluded_organizations),
        "exclude_own_subdistrict": "own_subdistrict" in consent.exclusions,
        "exclusion_open": consent.exclusion_open,
    }


def _location(case: Case, vault: Vault, gazetteer: Gazetteer) -> tuple[float, float, float]:
    """Longitude, latitude and radius in km: the home's point if it was taken there, else the place's."""
    point = vault.open_json("case_file.point", case.point)
    if point is not None and case.location_basis == "home_point":
        return point[0], point[1], max((case.accuracy_m or 0) / 1000, _POINT_RADIUS_KM)
    if case.residence is None:
        return float("nan"), float("nan"), float("nan")
    longitude, latitude, radius_km, _ = gazetteer.residence_point(case.residence)
    return longitude, latitude, radius_km


def _months_since(text: str | None, today: date) -> float | None:
    """Whole months between a date and today (30.44 days a month)."""
    return None if text is None else float(int((today - date.fromisoformat(text)).days / 30.44))


def offers_frame(rows: Sequence[Any], governorate: Governorate, now: datetime) -> "DataFrame":
    """One row a service at a location; without an open intake it has no free slot."""
    import pandas as pd

    from referral_engine.frames import OFFERS_COLUMNS

    records = [
        {
            "service_at_location_id": row.id,
            "service_id": row.service_id,
            "organization_id": row.organization_id,
            "organization_kind": row.organization_kind,
            "category": row.category,
            "service_type": row.service_type,
            "longitude": row.longitude,
            "latitude": row.latitude,
            "subdistrict": governorate.ancestor_at(row.place, "subdistrict"),
            "area": tuple(row.area or ()),
            "free_slots": max(row.free_slots or 0, 0),
            "capacity_status": row.capacity_status or "has_capacity",
            "freshness": _freshness(row.confirmed_at, governorate, now),
            "max_minutes": float(governorate.service_types[row.service_type].max_minutes),
            "languages": tuple(row.languages),
        }
        for row in rows
    ]
    # Named, because a governorate whose directory is not loaded yet has no rows to tell the columns by.
    frame = pd.DataFrame.from_records(records, columns=["service_at_location_id", *OFFERS_COLUMNS])
    return frame.set_index("service_at_location_id").sort_index()


def _freshness(confirmed_at: datetime | None, governorate: Governorate, now: datetime) -> str:
    """How old the provider's word is; a service that never had an intake period is closed by its slots alone."""
    return "fresh" if confirmed_at is None else governorate.capacity_ages.freshness(confirmed_at, now)


def rules_of(rows: Iterable[EligibilityRule]) -> list[Rule]:
    """The engine's rules from the directory's rows."""
    return [
        Rule(
            rule_id=row.id,
            service_id=row.service_id,
            attribute=row.attribute,
            operator=row.operator,
            values=tuple(row.values),
        )
        for row in rows
    ]
