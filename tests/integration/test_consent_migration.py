"""What the release before had recorded is carried over: flags become answers, words on referrals name the recipient."""

from sqlalchemy import create_engine, text

from db.embedded import EmbeddedPostgres
from db.migrate import migrate

BEFORE = "0005_duplicates"

OLD = """
INSERT INTO organization (code, governorate, kind, names, active) VALUES ('o', 'nineveh', 'local_cso', '{}', true);
INSERT INTO case_file (code, printed_code, governorate, source, form_id, root_instance_id, submission_id,
    location_basis) VALUES ('X', 'X', 'nineveh', 's', 'f', 'i', 1, 'unknown');
INSERT INTO consent (case_id, kind, given, text_version, language, channel, respondent, categories, recipients,
    exclusions, excluded_organizations, fields, statistics, contact, withdrawn_at, recorded_at)
    SELECT id, 'assessment', true, '2026-11', 'ckb', 'tablet', 'self', '{health}', '{local_cso}', '{}', '{}', '{}',
    true, false, NULL, '2026-02-28T10:00:00Z' FROM case_file
"""


def test_old_answers_become_answers_of_their_own(server: EmbeddedPostgres) -> None:
    server.create_database("t_consents_before")
    url = server.owner_url("t_consents_before")
    migrate(url, BEFORE)
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in OLD.split(";"):
            connection.execute(text(statement))
    migrate(url)
    with engine.begin() as connection:
        rows = connection.execute(
            text("SELECT kind, given, given_at, expires_at, language, text_version FROM consent ORDER BY id")
        ).all()
    engine.dispose()
    server.drop_database("t_consents_before")
    assert [(row.kind, row.given) for row in rows] == [
        ("assessment", True),
        ("registration", True),
        ("statistics", True),
        ("contact", False),
    ]
    assert {(row.given_at.date().isoformat(), row.language, row.text_version) for row in rows} == {
        ("2026-02-28", "ckb", "2026-11")
    }
    assert rows[0].expires_at.date().isoformat() == "2027-02-28"
    assert [row.expires_at for row in rows[1:]] == [None, None, None]
