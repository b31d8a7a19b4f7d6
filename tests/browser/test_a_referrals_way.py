"""A proposal becomes an accepted referral on a provider's list, in Arabic, in a real browser."""

from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Served, sign_in, watch

pytestmark = pytest.mark.browser


def _sign_out(page: Page) -> None:
    page.click(".top-end .menu:last-child summary")
    page.get_by_role("button", name="تسجيل الخروج").click()
    expect(page.locator("#password")).to_be_visible()


@pytest.mark.parametrize(("width", "scripts"), [(1366, True), (390, False)])
def test_approve_consent_accept_download(
    chromium: Browser, served: Served, tmp_path: Path, width: int, scripts: bool
) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=scripts, accept_downloads=True
    )
    watched = watch(context, served.address)
    page, code = watched.page, served.world.printed("other")

    sign_in(page, served.address, "coordinator")
    assert page.locator("html").get_attribute("dir") == "rtl"
    expect(page.locator("h1")).to_have_text("قائمة العمل")
    page.get_by_role("link", name=code).click()
    page.get_by_role("button", name="اعتماد هذا المقترح").click()
    expect(page.get_by_role("status")).to_contain_text("تم الاعتماد")
    expect(page.locator("#consent")).to_contain_text("زهراء")
    page.get_by_label("في المكتب").check()
    page.get_by_label("سمع الشخص هذا ووافق.").check()
    page.get_by_role("button", name="إرسال إلى مقدّم الخدمة").click()
    expect(page.get_by_role("status")).to_contain_text("أُرسلت إلى مقدّم الخدمة")
    _sign_out(page)

    sign_in(page, served.address, "provider")
    page.get_by_role("link", name=code).click()
    page.get_by_role("button", name="قبول هذه الإحالة").click()
    expect(page.get_by_role("status")).to_contain_text("تم القبول")
    page.get_by_role("link", name="العودة إلى القائمة").click()
    page.get_by_role("navigation", name="الأوضاع").get_by_role("link", name="مقبولة").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="تنزيل (XLSX)").click()
    download.value.save_as(tmp_path / download.value.suggested_filename)
    sheet = load_workbook(tmp_path / "referrals.xlsx").worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))
    assert len(rows) == 2
    line = dict(zip(rows[0], rows[1], strict=True))
    assert line["رمز الحالة"] == code
    assert line["الاسم"] == "زهراء"
    assert line["الوضع"] == "مقبولة"
    assert sheet.sheet_view.rightToLeft
    assert watched.errors == []
    assert watched.foreign == []
    context.close()
