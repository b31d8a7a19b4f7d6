"""Nothing outside the profile of the service reaches its provider, whatever way it takes."""

import json
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from casework.disclosure import preview, read_disclosures
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.referrals import approve
from casework.sending import send
from db.models import Consent, Disclosure, Need, Referral
from db.vault import Vault
from governorates import Governorate, disclosure_profiles
from tests.factories.cases import make_assessment, open_case


def test_each_service_type_receives_its_profile_and_nothing_else(
    session: Session, vault: Vault, governorate: Governorate
) -> None:
    needs = [(code, "normal") for code in governorate.service_types]
    open_case(session, vault, governorate, make_assessment(governorate, needs))
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    rows = session.execute(select(Referral, Need).join(Need, Need.id == Referral.need_id)).all()
    assert len(rows) > len(needs) / 2
    for referral, need in rows:
        ministry = governorate.categories[need.category].ministry
        actor = Actor(None, "coordinator", "nineveh", ministry=ministry)
        profile = disclosure_profiles().fields_for(need.service_type, need.category)
        read_out = preview(session, vault, referral.id)
        names = [name for name, _ in read_out]
        assert set(names) <= set(profile), need.service_type
        assert names == [name for name in profile if name in names], "the order of reading out"
        approve(session, vault, referral.id, actor)
        send(session, vault, referral.id, actor, channel="desk", language="ar")
        consent = session.scalars(select(Consent).where(Consent.referral_id == referral.id)).one()
        stored = session.scalars(select(Disclosure).where(Disclosure.referral_id == referral.id)).one()
        assert consent.fields == stored.fields == names
        assert read_disclosures(session, vault, [referral.id]) == {referral.id: dict(read_out)}
        content = json.dumps(vault.open_json("disclosure.payload", stored.payload), ensure_ascii=False)
        if "grandfather_name" not in profile:
            assert "صالح" not in content


def test_answers_are_sent_as_codes(session: Session, vault: Vault, governorate: Governorate) -> None:
    needs = [("physical_rehabilitation", "normal"), ("shelter_repair", "normal")]
    open_case(session, vault, governorate, make_assessment(governorate, needs, disability=True))
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    found: dict[str, str] = {}
    for referral_id in session.scalars(select(Referral.id)):
        found |= dict(preview(session, vault, referral_id))
    assert found["disability"] == "yes"
    assert (found["housing_damage"], found["tenure"]) == ("major", "owner")
