"""The spreadsheet holds text only, whatever a person typed, and reads from right to left."""

from datetime import UTC, datetime

from openpyxl import load_workbook

from api.provider_sheet import TITLE, sheet_rows
from api.spreadsheets import write_sheet
from db.provider_list import ProviderRow
from governorates import Governorate, load

ROW = ProviderRow(
    referral_id=7,
    case_code="ABCDEFGH2",
    service_type="counselling",
    urgency="urgent",
    state="sent",
    state_since=datetime(2026, 11, 20, tzinfo=UTC),
    sent_at=datetime(2026, 11, 20, 22, 30, tzinfo=UTC),
    location={"ar": "مركز", "en": "Centre", "ckb": "ناوەند", "kmr": "ناڤەند"},
)
DISCLOSED = {
    "given_name": '=HYPERLINK("http://evil.example";"x")',
    "father_name": "@SUM(A1)\x0b",  # a control character that the format cannot hold
    "phone": "+9647700000000",
    "sex": "female",
    "district": "IQG15Q05",
}


def written(language: str, governorate: Governorate) -> list[list[object]]:
    lines = sheet_rows([ROW], {7: DISCLOSED}, governorate, language)
    with write_sheet(lines, TITLE, language) as content:
        sheet = load_workbook(content).worksheets[0]
    assert sheet.sheet_view.rightToLeft is (language != "en")
    for row in sheet.iter_rows():
        for cell in row:
            assert cell.data_type in {"s", "inlineStr", "n"}  # n: an empty cell
            assert cell.value is None or isinstance(cell.value, str)
            if isinstance(cell.value, str) and cell.value[0] in "=+-@":
                assert cell.quotePrefix
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_cells_are_text_and_never_formulas() -> None:
    heading, line = written("en", load())
    values = dict(zip(heading, line, strict=True))
    assert values["Case code"] == "ABCD-EFGH-2"
    assert values["Given name"] == '=HYPERLINK("http://evil.example";"x")'
    assert values["Father's name"] == "@SUM(A1)"
    assert values["Phone"] == "+9647700000000"
    assert values["Sex"] == "Female"
    assert values["Age"] is None
    assert values["Sent on"] == "2026-11-21"  # already the next day in Mosul
    assert values["State"] == "Sent to the provider"


def test_arabic_sheet_is_right_to_left_and_translated() -> None:
    heading, line = written("ar", load())
    values = dict(zip(heading, line, strict=True))
    assert values["القضاء"] == load().places["IQG15Q05"].names["ar"]
    assert values["الوضع"] == "أُرسلت إلى مقدّم الخدمة"
