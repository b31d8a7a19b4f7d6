"""The provider's list as a spreadsheet: the listed rows, the disclosed fields, right-to-left where the language is.

Text that came from people is always stored as text and marked so: a cell that begins with `=`, `+`, `-` or `@`
must never become a formula, here or in a program that reads the file.
"""

from collections.abc import Mapping, Sequence
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font

from api import texts
from api.i18n import PROFILES, format_iso_day, translate
from api.i18n import mark as _
from db.provider_list import ProviderRow
from governorates import Governorate, format_code, name_in

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMN_WIDTH = 20
IN_MEMORY_BYTES = 2_000_000
WRAPPED = Alignment(wrap_text=True, vertical="top")
BOLD = Font(bold=True)

TITLE = _("Referrals")
STATE_HEADING = _("State")
SENT_HEADING = _("Sent on")
WHERE_HEADING = _("Where")

FIELDS = tuple(name for name in texts.DISCLOSURE_FIELDS if name != "case_code")


def sheet_rows(
    rows: Sequence[ProviderRow],
    disclosed: Mapping[int, Mapping[str, str]],
    governorate: Governorate,
    language: str,
) -> list[list[str]]:
    """Heading and one line a referral, all text, for the spreadsheet and the printed list alike."""
    heading = [
        texts.text_of(texts.DISCLOSURE_FIELDS, "case_code", language),
        *(texts.text_of(texts.DISCLOSURE_FIELDS, name, language) for name in FIELDS),
        translate(language, WHERE_HEADING),
        translate(language, STATE_HEADING),
        translate(language, SENT_HEADING),
    ]
    return [heading, *(_line(row, disclosed.get(row.referral_id, {}), governorate, language) for row in rows)]


def _line(
    row: ProviderRow, disclosed: Mapping[str, str], governorate: Governorate, language: str
) -> list[str]:
    values = (
        texts.value_text(name, disclosed[name], governorate, language) if name in disclosed else ""
        for name in FIELDS
    )
    return [
        format_code(row.case_code),
        *values,
        name_in(row.location, language),
        texts.state_name(row.state, language=language),
        format_iso_day(row.sent_at, governorate.utc_offset_hours),
    ]


def write_sheet(lines: Sequence[Sequence[str]], language: str) -> IO[bytes]:
    """The workbook as an open file at its beginning; large ones lie on disk, not in memory."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(translate(language, TITLE))
    sheet.sheet_view.rightToLeft = PROFILES[language].direction == "rtl"
    sheet.freeze_panes = "B2"
    for column in range(len(lines[0])):
        sheet.column_dimensions[chr(ord("A") + column)].width = COLUMN_WIDTH
    for number, line in enumerate(lines):
        sheet.append([_text_cell(sheet, value, heading=number == 0) for value in line])
    target: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115  the answer closes it
    book.save(target)
    target.seek(0)
    return target


def _text_cell(sheet: Any, value: str, *, heading: bool) -> Any:
    text = ILLEGAL_CHARACTERS_RE.sub("", value)
    cell = WriteOnlyCell(sheet, value=text or None)
    if text:
        cell.data_type = "s"
    if text.startswith(FORMULA_STARTS):
        cell.quotePrefix = True
    cell.alignment = WRAPPED
    if heading:
        cell.font = BOLD
    return cell
