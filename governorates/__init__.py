"""Data of the governorates and the small reader that every package may import."""

from governorates.calendar import due_at, is_working_day
from governorates.choices import KIND_ASKED_APART, choice_codes, choice_lists, choice_name, choices
from governorates.codes import check_character, format_code, is_valid_code, new_code, normalise_code
from governorates.disclosure_profiles import DISCLOSED_FIELDS, DisclosureProfiles, disclosure_profiles
from governorates.duplicates import (
    DUPLICATE_LEVELS,
    DUPLICATE_PARTS,
    DuplicateWeights,
    duplicate_weights,
)
from governorates.errors import GovernorateDataError
from governorates.folding import fold
from governorates.languages import FALLBACK_LANGUAGE, LANGUAGES, Names, name_in
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
    UnchartedBarrier,
)
from governorates.reader import DEFAULT_GOVERNORATE, available, load, read_governorate

__all__ = [
    "DEFAULT_GOVERNORATE",
    "DISCLOSED_FIELDS",
    "DUPLICATE_LEVELS",
    "DUPLICATE_PARTS",
    "FALLBACK_LANGUAGE",
    "KIND_ASKED_APART",
    "LANGUAGES",
    "PLACE_LEVELS",
    "POPULATED_LEVELS",
    "Barrier",
    "Category",
    "Choice",
    "Clock",
    "Crossing",
    "DisclosureProfiles",
    "DuplicateWeights",
    "Governorate",
    "GovernorateDataError",
    "Holiday",
    "Language",
    "Ministry",
    "Names",
    "Place",
    "ServiceType",
    "UnchartedBarrier",
    "available",
    "check_character",
    "choice_codes",
    "choice_lists",
    "choice_name",
    "choices",
    "disclosure_profiles",
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
