"""Data of the governorates and the small reader that every package may import."""

from governorates.calendar import add_hours, due_at, is_working_day, local_zone, task_due_at
from governorates.capacities import CapacityAges, next_period
from governorates.choices import choice_codes, choice_lists, choice_name, choices
from governorates.codes import (
    check_character,
    format_code,
    format_complaint_code,
    is_valid_code,
    new_code,
    new_complaint_code,
    normalise_code,
    normalise_complaint_code,
)
from governorates.disclosure_profiles import DISCLOSED_FIELDS, DisclosureProfiles, disclosure_profiles
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
    ComplaintClock,
    ComplaintProcedure,
    ContactTimes,
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
    "DEFAULT_GOVERNORATE",
    "DEFAULT_LANGUAGE",
    "DISCLOSED_FIELDS",
    "DUPLICATE_LEVELS",
    "DUPLICATE_PARTS",
    "LANGUAGES",
    "PLACE_LEVELS",
    "POPULATED_LEVELS",
    "Barrier",
    "CapacityAges",
    "Category",
    "Choice",
    "Clock",
    "ComplaintClock",
    "ComplaintProcedure",
    "ContactTimes",
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
    "add_hours",
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
    "format_complaint_code",
    "is_valid_code",
    "is_working_day",
    "load",
    "local_zone",
    "name_in",
    "new_code",
    "new_complaint_code",
    "next_period",
    "normalise_code",
    "normalise_complaint_code",
    "read_governorate",
    "task_due_at",
]
