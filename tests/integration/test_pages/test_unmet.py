"""The register's page and its spreadsheet: the viewer's rows, in words, without a name, and who took them along."""

import io

import pytest
from openpyxl import load_workbook
from sqlalchemy import select, update

from db.models import AuditEvent, Need
from db.session import session_scope
from tests.integration.test_pages.conftest import Browser, Site

NAMES = ("زهراء", "كريم", "صالح", "07701234567")


def rows_of(browser: Browser, address: str = "/unmet.xlsx") -> list[dict[str, str]]:
    answer = browser.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="unmet.xlsx"'
    assert answer.headers["cache-control"] == "no-store"
    heading, *lines = load_workbook(io.BytesIO(answer.content)).worksheets[0].iter_rows(values_only=True)
    return [
        {str(name): str(value or "") for name, value in zip(heading, line, strict=True)} for line in lines
    ]


def test_the_spreadsheet_holds_the_register_in_words_and_no_name(site: Site) -> None:
    [row] = rows_of(site.browser("coordinator"))
    assert row["Case"] == site.world.printed("excluding")
    governorate = site.world.context.governorate
    category = governorate.service_types["cash_assistance"].category
    assert row["Kind of help"] == governorate.categories[category].names["en"]
    assert row["District"] == governorate.places["IQG15Q05"].names["en"]
    assert row["Sub-district"] == governorate.places["IQG15Q05N04"].names["en"]
    assert row["Reason"] == "An excluded organization has not been identified yet"
    assert row["Days"] == "0"
    assert len(row["Unmet since"]) == len("2026-11-20")
    content = " ".join(row.values())
    assert not any(name in content for name in NAMES)


def test_its_filter_is_that_of_the_page(site: Site) -> None:
    browser = site.browser("coordinator")
    assert len(rows_of(browser, "/unmet.xlsx?reason=exclusion_open")) == 1
    assert rows_of(browser, "/unmet.xlsx?reason=no_slot") == []
    assert 'href="/unmet.xlsx?reason=exclusion_open"' in browser.get("/unmet?reason=exclusion_open").text


def test_its_words_are_those_of_the_users_language(site: Site) -> None:
    browser = site.browser("coordinator")
    cookies = f"ihala_session={browser.client.cookies['ihala_session']}; ihala_language=ar"
    answer = browser.client.get("/unmet.xlsx", headers={"Cookie": cookies})
    sheet = load_workbook(io.BytesIO(answer.content)).worksheets[0]
    assert sheet.sheet_view.rightToLeft
    assert "القضاء" in {cell.value for cell in sheet[1]}


def test_who_took_it_along_is_written_down_row_by_row(site: Site) -> None:
    def exported() -> list[int | None]:
        with session_scope(site.world.context.engine) as session:
            wanted = select(AuditEvent.object_id).where(AuditEvent.action == "unmet.export")
            return list(session.scalars(wanted))

    before = exported()
    rows_of(site.browser("coordinator"))
    assert exported()[len(before) :] == [site.world.need]


def test_another_ministry_gets_none_of_these_rows(site: Site) -> None:
    own = rows_of(site.browser("coordinator-moi"))
    assert site.world.printed("excluding") not in {row["Case"] for row in own}


@pytest.mark.parametrize("login", ["officer", "provider", "admin", "supervisor", "data-protection"])
def test_other_roles_get_no_spreadsheet(site: Site, login: str) -> None:
    assert site.browser(login).get("/unmet.xlsx").status_code == 403


def test_the_page_shows_counts_by_place_and_reason(own_site: Site) -> None:
    browser = own_site.browser("coordinator")
    page = browser.get("/unmet").text
    table = page[page.index("By place and reason") :]
    assert "…" in table, "one need is too few to be said"
    with session_scope(own_site.world.context.engine) as session:
        session.execute(update(Need).values(status="open", unmet_reason="no_slot", ministry="momd"))
        number = len(session.scalars(select(Need.id)).all())
    page = browser.get("/unmet").text
    table = page[page.index("By place and reason") :]
    district = own_site.world.context.governorate.places["IQG15Q05"].names["en"]
    assert district.replace("'", "&#39;") in table
    assert f"<bdi>{number}</bdi>" in table
