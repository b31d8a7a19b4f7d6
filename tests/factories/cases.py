"""Invented cases, opened through the real code."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from casework.assessment import Assessment, ConsentAnswers, NeedAnswer, PersonAnswers, Residence
from casework.cases import TakenIn, take_in
from db.models import Submission
from db.vault import Vault
from governorates import Governorate

EVIDENCE = {"caregiver": "caregiver_present", "proxy": "confirmed_by_phone"}
EAST_MOSUL = Residence("IQG15", "IQG15Q05", "IQG15Q05N04", None, basis="subdistrict")


def make_consent(governorate: Governorate, **changes: Any) -> ConsentAnswers:
    """Consent to every category and every kind of recipient, unless changed; who speaks for another shows evidence."""
    consent = ConsentAnswers(
        given=True,
        language="ar",
        text_version="2026-11",
        respondent="self",
        proxy_evidence=EVIDENCE.get(str(changes.get("respondent"))),
        categories=tuple(governorate.categories),
        recipients=(
            "state_programme", "local_cso", "national_ngo", "international_ngo",
            "international_organisation",
        ),
        moi=True,
        statistics=True,
        contact=True,
    )  # fmt: skip
    return replace(consent, **changes)


def make_assessment(
    governorate: Governorate,
    needs: Sequence[tuple[str, str]] = (("counselling", "normal"),),
    *,
    place: str | None = None,
    consent: ConsentAnswers | None = None,
    **changes: Any,
) -> Assessment:
    """An assessment of an invented woman of 34 in Mosul, unless changed; `place` is a P-code."""
    residence = EAST_MOSUL
    if place is not None:
        codes = {governorate.places[code].level: code for code in governorate.ancestors(place)}
        residence = Residence(
            codes.get("governorate"), codes.get("district"), codes.get("subdistrict"), place, basis="place"
        )
    head = PersonAnswers(
        "head", 0, "زهراء", "كريم", "صالح", phone="07701234567", sex="female", age_years=34,
        contact_answerer="self_only", contact_hours="morning",
    )  # fmt: skip
    assessment = Assessment(
        consent=consent or make_consent(governorate),
        persons=(head,),
        residence=residence,
        needs=tuple(NeedAnswer(service_type, urgency) for service_type, urgency in needs),
        displacement_status="returned_idp",
        contact_language="ar",
        household_size=5,
        female_headed=True,
        disability=False,
        documents=("unified_card", "ration_card", "property_deed"),
        housing_damage="major",
        tenure="owner",
        education_level="secondary",
        work_status="unemployed",
        assessed_at=datetime.now(UTC),
    )
    return replace(assessment, **changes)


def store_submission(
    session: Session, vault: Vault, root_instance_id: str | None = None, *, governorate: str = "nineveh"
) -> Submission:
    """A stored submission, as the inbox leaves it, with an empty form as its content."""
    key_id = vault.create_key()
    root = root_instance_id or f"uuid:{uuid.uuid4()}"
    submission = Submission(
        governorate=governorate,
        source="inbox",
        form_id="needs_assessment",
        form_version="1",
        root_instance_id=root,
        instance_id=root,
        media_type="xml",
        payload=vault.seal(key_id, "submission.payload", b"<data/>"),
        fingerprint=vault.blind("submission", root),
        data_key_id=key_id,
        received_at=datetime.now(UTC),
    )
    session.add(submission)
    session.flush()
    return submission


def open_case(session: Session, vault: Vault, governorate: Governorate, assessment: Assessment) -> TakenIn:
    """Store a submission and take the assessment in."""
    return take_in(
        session,
        vault,
        governorate,
        store_submission(session, vault, governorate=governorate.code),
        assessment,
    )
