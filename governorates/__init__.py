"""Data of the governorates and the small reader that every package may import."""

from governorates.calendar import due_at, is_working_day
from governorates.choices import choice_codes, choice_lists, choice_name, choices
from governorates.codes import check_character, format_code, is_valid_code, new_code, normalise_code
from governorates.consent_rules import ConsentRules
from governorates.consent_texts import CONSENT_KINDS, ConsentText, consent_text, consent_text_version
from governorates.duplicates import (
    DUPLICATE_LEVELS,
    DUPLICATE_PARTS,
    DuplicateWeights,
    duplicate_weights,
)
from governorates.errors import GovernorateDataError
from governorates.folding import fold
from governorates.languages import DEFAULT_LANGUAGE, LANGUAGES, Names, name_in
from governorates.model import (
    PLACE_LEVELS,
    POPULATED_LEVELS,
    Barrier,
    Category,
    Choice,
    Clock,
    Crossing,
    Governorate,
    Holiday,
    Language,
    Ministry,
    Place,
    ServiceType,
)
from governorates.reader import DEFAULT_GOVERNORATE, available, load, read_governorate

__all__ = [
    "CONSENT_KINDS",
    "DEFAULT_GOVERNORATE",
    "DEFAULT_LANGUAGE",
    "DUPLICATE_LEVELS",
    "DUPLICATE_PARTS",
    "LANGUAGES",
    "PLACE_LEVELS",
    "POPULATED_LEVELS",
    "Barrier",
    "Category",
    "Choice",
    "Clock",
    "ConsentRules",
    "ConsentText",
    "Crossing",
    "DuplicateWeights",
    "Governorate",
    "GovernorateDataError",
    "Holiday",
    "Language",
    "Ministry",
    "Names",
    "Place",
    "ServiceType",
    "available",
    "check_character",
    "choice_codes",
    "choice_lists",
    "choice_name",
    "choices",
    "consent_text",
    "consent_text_version",
    "due_at",
    "duplicate_weights",
    "fold",
    "format_code",
    "is_valid_code",
    "is_working_day",
    "load",
    "name_in",
    "new_code",
    "normalise_code",
    "read_governorate",
]
