"""No name, phone, free text or exact point stands in any column of any table unsealed."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session

from db.keyfile import MasterKeys
from db.models import Office
from db.session import session_scope
from db.submissions import count_by_status, count_refusals_with_content
from db.tablets import create_tablet
from db.vault import Vault
from governorates import Governorate
from ingest.sources.inbox import receive
from ingest.sync import sync
from tests.conftest import Database
from tests.unit.ingest.invented import assessment, to_xml
from xlsforms.contract import PERSONAL_FIELDS

NAME, LATIN, PHONE, POINT = "زنبقةالاختبار", "Zanbaqatest", "07709998877", "36.3457 43.1303"

PERSONAL = {
    "person__given_name": NAME,
    "person__father_name": LATIN,
    "person__grandfather_name": NAME,
    "person__caregiver_name": f"{NAME} {LATIN}",
    "person__caregiver_phone": PHONE,
    "consent__proxy_reason": NAME,
    "consent__exclusion_note": LATIN,
    "consent__interpreter": NAME,
    "contact__language_other": LATIN,
    "contact__phone": PHONE,
    "residence__place_text": NAME,
    "residence__at_home": "yes",
    "residence__point": f"{POINT} 0 4.5",
    "household__member": [{"given_name": NAME, "relation": "child", "sex": "male", "age_years": "4"}],
    "notes": f"{NAME} {LATIN} {PHONE}",
    "photo": f"{LATIN}.jpg",
}
EVERY_BOX = """
case_code start end
consent__language consent__respondent consent__proxy_relation consent__categories consent__recipients
consent__moi consent__exclusions consent__text_version
person__sex person__age_years displacement__status displacement__return_date displacement__country
contact__language contact__hours residence__governorate residence__district residence__place
profile__documents profile__tenure household__size needs__types
"""

STORIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ordinary": ({}, {}),
    "child with a caregiver": (
        {"person__age_years": "9", "consent__respondent": "caregiver", "consent__proxy_relation": "parent"},
        {},
    ),
    "proxy": ({"consent__respondent": "proxy", "consent__proxy_relation": "neighbour"}, {}),
    "refusal": ({"consent__given": "no"}, {}),
    "no answer to the question of consent": ({"consent__given": LATIN}, {}),
    "unknown form": ({}, {"form_id": "hand_made"}),
    "name in every box": (dict.fromkeys(EVERY_BOX.split(), LATIN), {}),
    "phone in every box": (dict.fromkeys(EVERY_BOX.split(), PHONE), {}),
    "refusal with a name in every box": (
        dict.fromkeys(EVERY_BOX.split(), LATIN) | {"consent__given": "no"},
        {},
    ),
}


def _every_value(database: Database) -> list[tuple[str, str]]:
    """Every row of every table as text, with what stands in its binary columns as text too."""
    engine = create_engine(database.owner_url)
    found = []
    with engine.connect() as connection:
        tables = connection.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        ).all()
        for table in tables:
            for row in connection.execute(text(f'SELECT * FROM "{table}"')).mappings():
                for name, value in row.items():
                    plain = (
                        bytes(value).decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    )
                    found.append((f"{table}.{name}", plain))
    engine.dispose()
    return found


@pytest.mark.parametrize("story", STORIES)
def test_nothing_personal_stands_anywhere_unsealed(
    story: str, fresh_database: Database, fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    answers, envelope = STORIES[story]
    xml = to_xml(assessment(governorate, **(PERSONAL | answers)), **envelope)
    with session_scope(fresh_engine) as session:
        office_id = session.scalars(select(Office.id)).first()
        assert office_id is not None
        tablet, token = create_tablet(session, "mosul-1", office_id)
        files = {f"{LATIN}.jpg": (f"image/{LATIN}", NAME.encode())}
        vault, now = Vault(session, masters), datetime.now(UTC)
        receive(session, vault, tablet, xml, files, governorate_code="nineveh", now=now)
    sync(fresh_engine, masters, governorate)
    values = _every_value(fresh_database)
    assert len(values) > 1000
    for where, value in values:
        for secret in (NAME, LATIN, PHONE, PHONE[1:], *POINT.split(), token):
            assert secret not in value, where
    if "refusal" in story:
        with Session(fresh_engine) as session:
            assert count_by_status(session, "nineveh") == {"refused": 1}
            assert count_refusals_with_content(session) == 0


def test_the_stories_tell_every_personal_field() -> None:
    told = {path.replace("__", "/") for path in PERSONAL} | {"household/member/given_name"}
    assert set(PERSONAL_FIELDS) <= told
