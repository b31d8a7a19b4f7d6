"""Invented assessments in any number, as the XML of ODK Collect or as rows of Central's feed."""

import random
import uuid
from collections.abc import Iterator
from typing import Any

from benchmarks.invented_people import Registration, make_registrations
from governorates import Governorate, check_character, load
from tests.unit.ingest.invented import MOSUL_DISTRICT, assessment, to_odata, to_xml

FAMILIES = 5_000
"""People are invented this many at a time; further ones are the same people with other phones and codes."""
NEEDS = ("shelter_repair", "primary_health_care", "startup_grant", "counselling", "civil_documents")
RELATIONS = ("child", "spouse", "parent", "sibling")


def make_assessments(count: int, seed: int, governorate_code: str = "nineveh") -> Iterator[dict[str, Any]]:
    """Make `count` different assessments; the same seed makes the same ones."""
    rng = random.Random(seed)  # noqa: S311  an invented set, not a secret
    governorate = load(governorate_code)
    base = assessment(governorate)
    places = [place.pcode for place in governorate.populated(MOSUL_DISTRICT)]
    people = make_registrations(rng, min(count, FAMILIES))
    for number in range(count):
        yield _fill(rng, governorate, base, people[number % len(people)], rng.choice(places), number)


def make_xml(count: int, seed: int) -> list[bytes]:
    """Make submissions as tablets post them, each with an instance id of its own."""
    return [to_xml(tree) for tree in make_assessments(count, seed)]


def make_rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Make rows of Central's feed, with their repeats."""
    ids = random.Random(seed + 1)  # noqa: S311
    for tree in make_assessments(count, seed):
        yield to_odata(tree, instance_id=f"uuid:{uuid.UUID(int=ids.getrandbits(128), version=4)}")


def _fill(
    rng: random.Random,
    governorate: Governorate,
    base: dict[str, Any],
    one: Registration,
    place: str,
    number: int,
) -> dict[str, Any]:
    letters = governorate.code_alphabet
    body = "".join(
        letters[number // len(letters) ** at % len(letters)] for at in range(governorate.code_length - 1)
    )
    needs = rng.sample(NEEDS, rng.randint(1, 3))
    members = [
        {"given_name": name, "relation": rng.choice(RELATIONS), "sex": "female", "age_years": str(age)}
        for name, age in one.members
    ]
    person = {"given_name": one.given, "father_name": one.father, "grandfather_name": one.grandfather}
    return base | {
        "case_code": body + check_character(body, letters),
        "person": base["person"] | person | {"sex": one.sex, "age_years": str(one.age)},
        "contact": base["contact"] | {"phone": f"077{number % 10**8:08d}"},
        "residence": base["residence"]
        | {"place": place, "subdistrict": governorate.ancestor_at(place, "subdistrict")},
        "household": {"size": str(one.size), "female_headed": "no"}
        | ({"member": members} if members else {}),
        "needs": {
            "types": " ".join(needs),
            "need": [{"service_type": kind, "urgency": rng.choice(("urgent", "normal"))} for kind in needs],
        },
    }
