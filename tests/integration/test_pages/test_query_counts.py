"""A page needs a handful of statements, however many rows it shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from casework import hand_overs, transfers
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.spoken_consents import SpokenConsent
from db.cases import list_needs
from db.models import Case, CaseTransfer
from db.session import session_scope
from db.vault import Vault
from tests.factories.cases import make_assessment, open_case
from tests.integration.test_pages.conftest import Site

MOST = 14

PAGES = [
    ("coordinator", "/queue?view=all"),
    ("coordinator", "/unmet"),
    ("coordinator", "/unmet.xlsx"),
    ("coordinator", "/submissions"),
    ("coordinator", "/duplicates"),
    ("coordinator", "/duplicates/{pair}"),
    ("coordinator", "/referrals/{proposed}"),
    ("coordinator", "/referrals/{awaiting}"),
    ("coordinator", "/cases/{excluding}"),
    ("officer", "/cases/{twin}"),
    ("officer", "/referrals/{awaiting}"),
    ("officer", "/follow-ups"),
    ("officer", "/cases/{sent}/plan"),
    ("officer", "/cases/{sent}/follow-ups"),
    ("officer", "/cases/{sent}/scores"),
    ("officer", "/cases/{sent}/scores/answers"),
    ("officer", "/cases/{sent}/letters"),
    ("officer", "/cases/{sent}/history"),
    ("provider", "/provider"),
    ("provider", "/provider/print"),
    ("provider", "/provider/referrals.xlsx"),
    ("provider", "/provider/referrals/{sent}"),
    ("admin", "/admin"),
    ("provider", "/provider/services"),
    ("coordinator", "/capacity?sort=age"),
    ("officer", "/tasks"),
    ("coordinator", "/tasks"),
    ("supervisor", "/complaints"),
    ("psea-focal-point", "/complaints"),
    ("officer", "/complaints/record"),
    ("admin", "/messages"),
    ("admin", "/jobs"),
    ("coordinator", "/queue?view=overdue"),
    ("supervisor", "/escalations"),
    ("coordinator", "/escalations"),
    ("admin", "/admin/closures"),
    ("officer", "/consents/expiring"),
    ("officer", "/conflicts"),
    ("coordinator", "/conflicts"),
    ("coordinator", "/consents/expiring"),
    ("supervisor", "/overrides"),
    ("data-protection", "/overrides"),
    ("supervisor", "/deletions"),
    ("data-protection", "/deletions"),
    ("provider", "/provider/deletions"),
    ("coordinator", "/api/queue?view=all"),
    ("coordinator", "/api/referrals/{proposed}"),
    ("provider", "/api/provider/referrals"),
    ("officer", "/open-days"),
    ("officer", "/open-days/{open_day}"),
    ("officer", "/open-days/{open_day}/reconciliation"),
    ("officer", "/transfers?side=outgoing"),
    ("officer", "/cases/{sent}/transfer"),
    ("coordinator", "/hand-overs?side=outgoing"),
    ("coordinator-moi", "/hand-overs"),
    ("officer", "/needs/{need}"),
    ("coordinator", "/needs/{need}"),
    ("officer", "/information/{information}"),
    ("coordinator", "/open-days/{open_day}/reconciliation"),
]


@contextmanager
def counted(site: Site) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    engine = site.world.context.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _count(site: Site, login: str, path: str) -> int:
    ids = site.world.codes if path.startswith("/cases/") else site.world.referrals
    ids = ids | {"pair": site.world.pair, "open_day": site.world.open_day}
    ids = ids | {"need": site.world.need, "information": site.world.information}
    browser = site.browser(login)
    with counted(site) as statements:
        assert browser.get(path.format(**ids)).status_code == 200
    return len(statements)


@pytest.mark.parametrize(("login", "path"), PAGES)
def test_a_page_needs_few_statements(site: Site, login: str, path: str) -> None:
    assert 0 < _count(site, login, path) <= MOST


def _offer(session: Session, vault: Vault, site: Site, case_id: int) -> None:
    """Offer a case to another office and one of its needs to another ministry."""
    world, now, yes = site.world, datetime.now(UTC), SpokenConsent(True, "desk", "ar")
    case = session.get_one(Case, case_id)
    officer = Actor(None, "officer", case.governorate, office_id=case.office_id)
    to_office = session.get_one(CaseTransfer, world.transfer).to_office_id
    transfers.offer(session, vault, case_id, to_office, officer, reason="safety", spoken=yes, now=now)
    need = list_needs(session, case_id)[0]
    apart = world.context.governorate.asked_apart.code
    hand_overs.offer_need(
        session, vault, need.id, apart, world.coordinator, reason="safety", spoken=yes, now=now
    )


def test_more_rows_need_no_more_statements(own_site: Site) -> None:
    lists = [page for page in PAGES if "{" not in page[1]]
    before = {page: _count(own_site, *page) for page in lists}
    context = own_site.world.context
    with session_scope(context.engine) as session:
        vault = Vault(session, context.masters)
        for _ in range(20):
            needs = [
                ("primary_health_care", "urgent"),
                ("ration_card", "normal"),
                ("hlp_legal_aid", "normal"),
            ]
            taken = open_case(
                session, vault, context.governorate, make_assessment(context.governorate, needs)
            )
            _offer(session, vault, own_site, taken.case_id or 0)
        match_open_needs(session, vault, context.governorate, now=datetime.now(UTC), seed=1)
    shown = own_site.browser("coordinator").get("/api/queue?view=all").json()
    assert shown["total"] > 20
    assert {page: _count(own_site, *page) for page in lists} == before
