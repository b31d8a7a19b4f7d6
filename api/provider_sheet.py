"""The provider's list as a table of texts: the listed rows with the disclosed fields."""

from collections.abc import Mapping, Sequence

from api import texts
from api.i18n import format_iso_day, translate
from api.i18n import mark as _
from db.provider_list import ProviderRow
from governorates import Governorate, format_code, name_in

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
