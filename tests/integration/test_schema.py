"""The migrations make the schema that the models describe, and the database's own walls hold."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import Session

from db.models import AuditEvent, Base
from tests.conftest import Database


def test_migrations_equal_models(database: Database) -> None:
    engine = create_engine(database.owner_url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
    assert differences == []


def test_no_personal_column_is_plaintext() -> None:
    """Columns that may hold a name, phone, free text, point or raw submission are all sealed."""
    personal = {
        "given_name", "father_name", "grandfather_name", "phone", "safe_contact", "place_text", "point",
        "facts", "notes", "note", "payload", "proxy_reason", "interpreter", "exclusion_note", "address",
        "statement", "reply_address",
    }  # fmt: skip
    found = {
        f"{table.name}.{column.name}": type(column.type).__name__
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.name in personal
    }
    assert type(Base.metadata.tables["submission_attachment"].c.name.type).__name__ == "Sealed"
    assert len(found) >= 15
    assert set(found.values()) == {"Sealed"}


def test_application_role_is_no_superuser(engine: Engine) -> None:
    with engine.connect() as connection:
        row = connection.execute(
            text(
                "SELECT rolname, rolsuper, rolbypassrls, rolcreatedb FROM pg_roles WHERE rolname = current_user"
            )
        ).one()
        assert tuple(row) == ("ihala_app", False, False, False)
        with pytest.raises(ProgrammingError):
            connection.execute(text("CREATE TABLE sneaky (id int)"))


@pytest.mark.parametrize("statement", ["UPDATE audit_event SET action = 'x'", "DELETE FROM audit_event"])
def test_history_is_append_only(session: Session, statement: str) -> None:
    session.add(AuditEvent(user_id=None, action="case.read", object_type="case", object_id=1))
    session.flush()
    with pytest.raises(IntegrityError, match="append-only"):
        session.execute(text(statement))


def test_raw_sql_cannot_send_without_consent(session: Session) -> None:
    """The second wall: not even a statement past casework moves a referral to `sent`."""
    session.execute(
        text(
            "INSERT INTO data_key (id, wrapped, master_key_id) VALUES (gen_random_uuid(), '\\x00', 'test');"
            "INSERT INTO case_file (code, printed_code, governorate, source, form_id, root_instance_id,"
            " submission_id, location_basis) VALUES ('X', 'X', 'nineveh', 's', 'f', 'i', 1, 'unknown');"
            "INSERT INTO need (case_id, service_type, category, urgency, status)"
            " SELECT id, 'counselling', 'mhpss', 'normal', 'referred' FROM case_file WHERE code = 'X';"
            "INSERT INTO referral (need_id, case_id, service_at_location_id, capacity_id, submission_id, state,"
            " urgency) SELECT need.id, need.case_id, capacity.service_at_location_id, capacity.id, 1,"
            " 'awaiting_consent', 'normal' FROM need, capacity LIMIT 1"
        )
    )
    with pytest.raises(IntegrityError, match="consent"):
        session.execute(text("UPDATE referral SET state = 'sent'"))
