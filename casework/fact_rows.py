"""How the facts of an assessment stand in rows: one place writes and reads them, sealed where they are personal."""

from typing import Any
from uuid import UUID

from casework.assessment import PersonAnswers, Residence
from casework.names import fold_phone
from db.models import Case, Person
from db.vault import Vault

NAME_PARTS = ("given_name", "father_name", "grandfather_name")


def write_residence(vault: Vault, key_id: UUID, case: Case, residence: Residence) -> None:
    """Write where the household lives."""
    case.residence = residence.place or residence.subdistrict or residence.district or residence.governorate
    case.residence_governorate = residence.governorate
    case.residence_district = residence.district
    case.residence_subdistrict = residence.subdistrict
    case.location_basis = residence.basis
    case.accuracy_m = residence.accuracy_m
    case.place_text = vault.seal(key_id, "case_file.place_text", residence.place_text)
    point = [residence.longitude, residence.latitude]
    case.point = None if None in point else vault.seal_json(key_id, "case_file.point", point)


def read_residence(vault: Vault, case: Case) -> Residence:
    """Where the household lives, as it was written."""
    longitude, latitude = vault.open_json("case_file.point", case.point) or (None, None)
    wider = {case.residence_subdistrict, case.residence_district, case.residence_governorate}
    return Residence(
        governorate=case.residence_governorate,
        district=case.residence_district,
        subdistrict=case.residence_subdistrict,
        place=None if case.residence in wider else case.residence,
        place_text=vault.open("case_file.place_text", case.place_text),
        basis=case.location_basis,
        longitude=longitude,
        latitude=latitude,
        accuracy_m=case.accuracy_m,
    )


def write_phone(vault: Vault, key_id: UUID, person: Person, answers: PersonAnswers) -> None:
    """Write how a person may be called."""
    rules = {"answerer": answers.contact_answerer, "hours": answers.contact_hours}
    phone = fold_phone(answers.phone)
    person.phone = vault.seal(key_id, "person.phone", answers.phone)
    person.phone_index = vault.blind("person.phone", phone) if phone else None
    person.safe_contact = (
        vault.seal_json(key_id, "person.safe_contact", rules) if any(rules.values()) else None
    )


def write_identity(vault: Vault, key_id: UUID, person: Person, answers: PersonAnswers) -> None:
    """Write who a person is."""
    for part in NAME_PARTS:
        setattr(person, part, vault.seal(key_id, f"person.{part}", getattr(answers, part)))
    person.sex = answers.sex
    person.age_years = answers.age_years
    person.age_estimated = answers.age_estimated


def read_person(vault: Vault, person: Person | None) -> dict[str, Any]:
    """What is known of a person, by the names of `PersonAnswers`; nothing where there is no such person."""
    if person is None:
        return {}
    rules = vault.open_json("person.safe_contact", person.safe_contact) or {}
    names = {part: vault.open(f"person.{part}", getattr(person, part)) for part in NAME_PARTS}
    return names | {
        "phone": vault.open("person.phone", person.phone),
        "contact_answerer": rules.get("answerer"),
        "contact_hours": rules.get("hours"),
        "sex": person.sex,
        "age_years": person.age_years,
        "age_estimated": person.age_estimated,
    }
