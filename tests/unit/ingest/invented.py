"""Invented assessments, as the tree, the XML of ODK Collect, or the row of ODK Central's feed."""

import copy
import uuid
from typing import Any
from xml.sax.saxutils import escape

from governorates import Governorate, check_character
from ingest.forms import published_forms

AT_HOME = (36.345, 43.13)
"""Latitude and longitude within Mosul."""

MOSUL_DISTRICT = "IQG15Q05"


def case_code(governorate: Governorate, body: str = "ABCDEFGH") -> str:
    return body + check_character(body, governorate.code_alphabet)


def assessment(governorate: Governorate, **answers: Any) -> dict[str, Any]:
    """Fill a complete assessment of a woman in Mosul; `person__age_years=300` changes one answer."""
    subdistrict = governorate.ancestor_at(_a_place(governorate), "subdistrict")
    tree: dict[str, Any] = {
        "start": "2026-11-15T08:45:38.000+03:00",
        "end": "2026-11-15T09:01:00.000+03:00",
        "case_code": case_code(governorate),
        "consent": {
            "language": "ar",
            "respondent": "self",
            "given": "yes",
            "categories": "housing health livelihoods",
            "recipients": "state_programme local_cso national_ngo international_ngo",
            "moi": "no",
            "statistics": "yes",
            "contact": "yes",
            "text_version": "2026-11",
        },
        "person": {
            "given_name": "وردة",
            "father_name": "سليم",
            "sex": "female",
            "age_years": "34",
            "age_estimated": "no",
        },
        "displacement": {"status": "returned_idp", "return_date": "2026-08-21"},
        "contact": {
            "language": "ar",
            "phone": "07700000655",
            "answerer": "self_only",
            "hours": "morning",
        },
        "residence": {
            "governorate": "IQG15",
            "district": MOSUL_DISTRICT,
            "subdistrict": subdistrict,
            "place": _a_place(governorate),
            "at_home": "no",
        },
        "profile": {"disability": "no", "documents": "unified_card ration_card", "tenure": "tenant"},
        "household": {
            "size": "2",
            "female_headed": "yes",
            "member": [{"given_name": "نور", "relation": "child", "sex": "female", "age_years": "7"}],
        },
        "needs": {
            "types": "shelter_repair primary_health_care",
            "need": [
                {"service_type": "shelter_repair", "urgency": "urgent"},
                {"service_type": "primary_health_care", "urgency": "normal"},
            ],
        },
    }
    return changed(tree, **answers)


def changed(tree: dict[str, Any], **answers: Any) -> dict[str, Any]:
    """Copy with answers replaced (`group__question=value`) or, where None, left out."""
    tree = copy.deepcopy(tree)
    for path, value in answers.items():
        *groups, name = path.split("__")
        node = tree
        for group in groups:
            node = node.setdefault(group, {})
        if value is None:
            node.pop(name, None)
        else:
            node[name] = value
    return tree


def _a_place(governorate: Governorate) -> str:
    return min(
        governorate.populated(MOSUL_DISTRICT),
        key=lambda place: abs(place.latitude - AT_HOME[0]) + abs(place.longitude - AT_HOME[1]),
    ).pcode


def new_instance_id() -> str:
    return f"uuid:{uuid.uuid4()}"


def to_xml(
    tree: dict[str, Any],
    *,
    instance_id: str | None = None,
    deprecated_id: str | None = None,
    form_id: str = "needs_assessment",
    version: str | None = None,
) -> bytes:
    """Write the tree as Collect does, with a new instance id unless one is given."""
    version = version or published_forms("nineveh")["needs_assessment"].version
    meta = {"instanceID": instance_id or new_instance_id(), "instanceName": tree.get("case_code")}
    if deprecated_id:
        meta["deprecatedID"] = deprecated_id
    body = "".join(_element(name, node) for name, node in tree.items())
    names = "".join(f"<orx:{name}>{escape(str(text))}</orx:{name}>" for name, text in meta.items())
    return (
        "<?xml version='1.0' ?>"
        '<data xmlns:jr="http://openrosa.org/javarosa" xmlns:orx="http://openrosa.org/xforms" '
        f'id="{form_id}" version="{version}">{body}<orx:meta>{names}</orx:meta></data>'
    ).encode()


def _element(name: str, node: Any) -> str:
    if isinstance(node, list):
        return "".join(_element(name, row) for row in node)
    if isinstance(node, dict):
        inside = "".join(_element(child, value) for child, value in node.items())
        return f"<{name}>{inside}</{name}>"
    return f"<{name}>{escape(str(node))}</{name}>"


NUMBERS = {"age_years", "size"}


def to_odata(
    tree: dict[str, Any], *, instance_id: str | None = None, version: str | None = None
) -> dict[str, Any]:
    """Write the tree as a row of Central's feed: numbers, GeoJSON, navigation links, nulls and `__system`."""
    instance_id = instance_id or new_instance_id()
    row: dict[str, Any] = _json(tree)
    row |= {
        "notes": tree.get("notes"),
        "meta": {"instanceID": instance_id, "instanceName": tree.get("case_code")},
        "__id": instance_id,
        "__system": {
            "submissionDate": "2026-11-15T06:02:11.782Z",
            "updatedAt": None,
            "reviewState": None,
            "formVersion": version or published_forms("nineveh")["needs_assessment"].version,
            "deletedAt": None,
        },
    }
    return row


def _json(node: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in node.items():
        if isinstance(value, list):
            row[f"{name}@odata.navigationLink"] = f"Submissions('x')/{name}"
            row[name] = [_json(item) | {"__id": "1f3b5aa6a84da6e8"} for item in value]
        elif isinstance(value, dict):
            row[name] = _json(value)
        elif name == "point":
            latitude, longitude, altitude, accuracy = (float(part) for part in value.split())
            row[name] = {
                "type": "Point",
                "coordinates": [longitude, latitude, altitude],
                "properties": {"accuracy": accuracy},
            }
        else:
            row[name] = int(value) if name in NUMBERS and value.isascii() and value.isdigit() else value
    return row
