"""Lists as spreadsheets: text only, right-to-left where the language is.

Text that came from people is always stored as text and marked so: a cell that begins with `=`, `+`, `-` or `@`
must never become a formula, here or in a program that reads the file.
"""

from collections.abc import Iterator, Sequence
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from fastapi.responses import StreamingResponse
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from api.i18n import PROFILES, translate

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMN_WIDTH = 20
IN_MEMORY_BYTES = 2_000_000
CHUNK_BYTES = 64 * 1024
WRAPPED = Alignment(wrap_text=True, vertical="top")
BOLD = Font(bold=True)


def write_sheet(lines: Sequence[Sequence[str]], title: str, language: str) -> IO[bytes]:
    """The workbook as an open file at its beginning; large ones lie on disk, not in memory.

    The first of the lines is the heading; `title` is a msgid.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(translate(language, title))
    sheet.sheet_view.rightToLeft = PROFILES[language].direction == "rtl"
    sheet.freeze_panes = "B2"
    for column in range(1, len(lines[0]) + 1):
        sheet.column_dimensions[get_column_letter(column)].width = COLUMN_WIDTH
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


def send_sheet(
    lines: Sequence[Sequence[str]], title: str, language: str, file_name: str
) -> StreamingResponse:
    """The workbook as a download that nobody on the way may keep."""
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"', "Cache-Control": "no-store"}
    return StreamingResponse(
        _chunks(write_sheet(lines, title, language)), media_type=MEDIA_TYPE, headers=headers
    )


def _chunks(source: IO[bytes]) -> Iterator[bytes]:
    with source:
        while chunk := source.read(CHUNK_BYTES):
            yield chunk
