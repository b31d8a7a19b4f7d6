"""A support letter as a PDF of one page: Arabic above, English below, drawn in memory and never stored."""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pylopdf_fonts_ar
import segno

from api.i18n import format_day
from casework.letters import LetterContent
from governorates import format_code, letter_texts, name_in

FONT = "Noto"
FONT_FILE = Path(pylopdf_fonts_ar.__file__).parent / "NotoSansArabic-Variable.ttf"
WEIGHTS = {"": {"wght": 400.0}, "B": {"wght": 700.0}}
MARGIN = 22  # millimetres
WIDTH = 210 - 2 * MARGIN
QR_SIZE = 28
BRAND = (12, 74, 74)
WORDS = {
    "ar": {"number": "العدد", "date": "التاريخ", "code": "رقم الحالة", "signature": "التوقيع والختم"},
    "en": {"number": "No.", "date": "Date", "code": "Case code", "signature": "Signature and stamp"},
}
"""Words around the text, in the letter's two languages; whichever language the page has that asked for it."""

LTR_ISOLATE = "\u2066{}\u2069"
"""Around a code or number in an Arabic sentence, whose groups of digits would otherwise change places."""


def letter_body(content: LetterContent, language: str) -> str:
    """The sentence of a letter in one of its languages, filled in."""
    values = {
        "bearer": content.name or letter_texts().bearer[language],
        "code": LTR_ISOLATE.format(format_code(content.case_code)),
        "office": name_in(content.office, language),
        "service": name_in(content.service, language) if content.service else "",
        "organization": name_in(content.organization, language) if content.organization else "",
    }
    return content.kind.body[language].format(**values)


def draw_letter(content: LetterContent, utc_offset_hours: float) -> bytes:
    """The PDF of a letter."""
    pdf = _new_page(content)
    _draw_frame(pdf)
    for language in ("ar", "en"):
        _draw_part(pdf, content, language, utc_offset_hours)
    _draw_foot(pdf, content)
    return bytes(pdf.output())


def _new_page(content: LetterContent) -> Any:
    from fpdf import FPDF

    pdf = FPDF(format="A4")
    pdf.set_margin(MARGIN)
    pdf.set_auto_page_break(auto=False)
    for style, axes in WEIGHTS.items():
        pdf.add_font(FONT, style, FONT_FILE, variations=axes)
    pdf.set_title(content.number)
    pdf.set_creation_date(content.issued_at)
    pdf.add_page()
    return pdf


def _draw_frame(pdf: Any) -> None:
    pdf.set_fill_color(*BRAND)
    pdf.rect(0, 0, 210, 4, style="F")


def _write(pdf: Any, language: str, text: str, size: float, style: str = "", align: str = "") -> None:
    """One paragraph in the direction of its language."""
    rtl = language == "ar"
    pdf.set_text_shaping(
        use_shaping_engine=True,
        direction="rtl" if rtl else "ltr",
    )
    pdf.set_font(FONT, style, size)
    pdf.multi_cell(
        WIDTH,
        size * 0.62,
        text,
        align=align or ("R" if rtl else "L"),
        new_x="LMARGIN",
        new_y="NEXT",
    )


def _draw_part(pdf: Any, content: LetterContent, language: str, utc_offset_hours: float) -> None:
    words, texts = WORDS[language], letter_texts()
    pdf.ln(8)
    if language == "en":
        pdf.set_draw_color(*BRAND)
        pdf.line(MARGIN, pdf.get_y(), MARGIN + WIDTH, pdf.get_y())
        pdf.ln(8)
    pdf.set_text_color(*BRAND)
    _write(pdf, language, texts.heading[language], 15, "B")
    _write(pdf, language, name_in(content.office, language), 12)
    pdf.set_text_color(0)
    day = _day(content.issued_at, language, utc_offset_hours)
    _write(pdf, language, f"{words['number']}: {LTR_ISOLATE.format(content.number)}", 11)
    _write(pdf, language, f"{words['date']}: {day}", 11)
    pdf.ln(5)
    _write(pdf, language, name_in(content.kind.names, language), 14, "B", "C")
    pdf.ln(3)
    _write(pdf, language, letter_body(content, language), 13)
    pdf.ln(2)
    _write(pdf, language, texts.closing[language], 10)


def _day(moment: datetime, language: str, utc_offset_hours: float) -> str:
    return format_day(moment, language, utc_offset_hours)


def _draw_foot(pdf: Any, content: LetterContent) -> None:
    top = 297 - MARGIN - QR_SIZE
    _draw_code(pdf, content.case_code, MARGIN, top)
    for language, line in (("ar", 0), ("en", 8)):
        pdf.set_xy(MARGIN, top + line)
        _write(pdf, language, WORDS[language]["signature"], 11, "", "R")
    pdf.set_text_shaping(use_shaping_engine=False)
    pdf.set_font(FONT, "", 9)
    pdf.set_xy(MARGIN, top + QR_SIZE + 1)
    pdf.cell(QR_SIZE, 5, format_code(content.case_code), align="C")


def _draw_code(pdf: Any, code: str, left: float, top: float) -> None:
    """The QR code of the case code, module by module: nothing else is in it."""
    rows = _modules(code)
    size = QR_SIZE / len(rows)
    pdf.set_fill_color(0)
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            if dark:
                pdf.rect(left + x * size, top + y * size, size, size, style="F")


@cache
def _modules(code: str) -> tuple[tuple[bool, ...], ...]:
    return tuple(tuple(bool(dot) for dot in row) for row in segno.make(format_code(code), micro=False).matrix)
