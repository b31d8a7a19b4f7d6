"""The sheet from which tablets are set up: a card a tablet with its QR code, four to a page.

Each code is a key: the file is written for its owner alone, and the sheet says to destroy it after scanning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.collect_qr import qr_modules
from api.letters_pdf import BRAND, FONT, FONT_FILE, LTR_ISOLATE, WEIGHTS
from governorates import name_in

MARGIN, GAP = 12.0, 6.0  # millimetres
COLUMNS, ROWS = 2, 2
CARD_WIDTH = (210 - 2 * MARGIN - GAP) / COLUMNS
HEAD = 26.0
CARD_HEIGHT = (297 - 2 * MARGIN - HEAD - GAP) / ROWS
QR_SIZE = 74.0

TITLE = {"ar": "رموز إعداد الأجهزة اللوحية", "en": "Setting up tablets"}
STEPS = {
    "ar": "افتح ODK Collect، واختر «التهيئة باستخدام رمز QR»، ثم امسح رمز جهازك.",
    "en": "Open ODK Collect, choose \u201cConfigure with QR code\u201d and scan the code of your tablet.",
}
SECRET = {
    "ar": "الرمز مفتاح الجهاز: لا تصوّره ولا ترسله، وأتلف هذه الورقة بعد المسح.",
    "en": "The code is the tablet's key: do not photograph or send it, and destroy this sheet after scanning.",
}


@dataclass(frozen=True, slots=True)
class TabletCard:
    """A tablet, its office's names (none where it has no office), and what Collect reads from its code."""

    label: str
    office: Mapping[str, str] | None
    settings: dict[str, Any] = field(repr=False)


def draw_sheet(cards: Sequence[TabletCard]) -> bytes:
    """The PDF of the cards, in their order."""
    from fpdf import FPDF

    pdf = FPDF(format="A4")
    pdf.set_margin(MARGIN)
    pdf.set_auto_page_break(auto=False)
    for style, axes in WEIGHTS.items():
        pdf.add_font(FONT, style, FONT_FILE, variations=axes)
    pdf.set_title(TITLE["en"])
    for at, card in enumerate(cards):
        row, column = divmod(at % (COLUMNS * ROWS), COLUMNS)
        if row == column == 0:
            pdf.add_page()
            _draw_head(pdf)
        # The first card stands at the right, where Arabic begins to read.
        left = 210 - MARGIN - CARD_WIDTH - column * (CARD_WIDTH + GAP)
        _draw_card(pdf, card, left, MARGIN + HEAD + row * (CARD_HEIGHT + GAP))
    return bytes(pdf.output())


def _draw_head(pdf: Any) -> None:
    pdf.set_fill_color(*BRAND)
    pdf.rect(0, 0, 210, 4, style="F")
    pdf.set_xy(MARGIN, MARGIN - 3)
    pdf.set_text_color(*BRAND)
    width = 210 - 2 * MARGIN
    _write(pdf, "ar", f"{STEPS['ar']} {SECRET['ar']}", 11, width, "B")
    pdf.set_text_color(0)
    _write(pdf, "en", f"{STEPS['en']} {SECRET['en']}", 9, width)


def _draw_card(pdf: Any, card: TabletCard, left: float, top: float) -> None:
    pdf.set_draw_color(160)
    pdf.set_dash_pattern(dash=1.5, gap=1.5)
    pdf.rect(left, top, CARD_WIDTH, CARD_HEIGHT)
    pdf.set_dash_pattern()
    pdf.set_xy(left, top + 4)
    _write(pdf, "en", card.label, 18 if len(card.label) <= 20 else 9, CARD_WIDTH, "B", "C")
    if card.office is not None:
        for language, size in (("ar", 12), ("en", 10)):
            pdf.set_x(left)
            _write(pdf, language, name_in(card.office, language), size, CARD_WIDTH, "", "C")
    _draw_code(
        pdf, qr_modules(card.settings), left + (CARD_WIDTH - QR_SIZE) / 2, top + CARD_HEIGHT - QR_SIZE - 6
    )


def _draw_code(pdf: Any, rows: list[list[bool]], left: float, top: float) -> None:
    """The code, run by run: dots drawn one by one show hair lines between them."""
    size = QR_SIZE / len(rows)
    pdf.set_fill_color(0)
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                pdf.rect(left + x * size, top + y * size, (end - x) * size, size, style="F")
            x = end + 1


def _write(
    pdf: Any, language: str, text: str, size: float, width: float, style: str = "", align: str = ""
) -> None:
    rtl = language == "ar"
    pdf.set_text_shaping(use_shaping_engine=True, direction="rtl" if rtl else "ltr")
    pdf.set_font(FONT, style, size)
    shown = text.replace("ODK Collect", LTR_ISOLATE.format("ODK Collect")) if rtl else text
    pdf.multi_cell(
        width, size * 0.55, shown, align=align or ("R" if rtl else "L"), new_x="LMARGIN", new_y="NEXT"
    )
