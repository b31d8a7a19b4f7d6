"""The register of unmet needs as a spreadsheet: codes, figures and words of rules, nothing about who the person is."""

from collections.abc import Sequence
from datetime import datetime

from api import texts
from api.i18n import format_iso_day, translate
from api.i18n import mark as _
from db.unmet import UnmetRow
from governorates import Governorate, format_code, name_in

TITLE = _("Unmet needs")
HEADINGS = (
    _("Case"),
    _("Kind of help"),
    _("District"),
    _("Sub-district"),
    _("Reason"),
    _("Condition"),
    _("Unmet since"),
    _("Days"),
)


def sheet_rows(
    rows: Sequence[UnmetRow], governorate: Governorate, language: str, now: datetime
) -> list[list[str]]:
    """Heading and one line a need, all text; days are those that have passed since the need is blocked so."""
    return [
        [translate(language, heading) for heading in HEADINGS],
        *(_line(row, governorate, language, now) for row in rows),
    ]


def _line(row: UnmetRow, governorate: Governorate, language: str, now: datetime) -> list[str]:
    category = governorate.categories.get(row.category)
    district, subdistrict = (
        texts.place_name(governorate, place, language) if place else ""
        for place in (row.district, row.subdistrict)
    )
    return [
        format_code(row.case_code),
        row.category if category is None else name_in(category.names, language),
        district,
        subdistrict,
        texts.text_of(texts.UNMET_REASONS, row.reason, language),
        name_in(row.rule, language) if row.rule else "",
        format_iso_day(row.since, governorate.utc_offset_hours),
        str(max(0, (now - row.since).days)),
    ]
