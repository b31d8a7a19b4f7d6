"""What is compared of two cases, and how it compares, in words. A test compares the codes with their home."""

from collections.abc import Mapping

from api.i18n import mark as _

PARTS: Mapping[str, str] = {
    "given_name": _("Given name"),
    "father_name": _("Father's name"),
    "grandfather_name": _("Grandfather's name"),
    "phone": _("Phone"),
    "birth_year": _("Age"),
    "sex": _("Sex"),
    "place": _("Place of residence"),
    "household": _("Household"),
}

LEVELS: Mapping[str, str] = {
    "same": _("the same"),
    "close": _("nearly the same"),
    "different": _("different"),
    "unknown": _("not known"),
}

WORDS: Mapping[str, str] = {
    "very_likely": _("Very likely one household"),
    "likely": _("Likely one household"),
    "possible": _("Possibly one household"),
}

STATES: Mapping[str, str] = {
    "open": _("To be decided"),
    "same": _("One household"),
    "different": _("Two households"),
}
