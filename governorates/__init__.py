"""Data of the governorates and the small reader that every package may import."""

from governorates.calendar import due_at, is_working_day
from governorates.choices import choice_codes, choice_lists, choice_name, choices
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
from governorates.follow_ups import (
    FOLLOW_UP_KINDS,
    FOLLOW_UP_STARTS,
    follow_up_due,
    local_day,
    months_due,
    next_attempt_due,
)
from governorates.languages import DEFAULT_LANGUAGE, LANGUAGES, Names, name_in
from governorates.letters import LETTER_LANGUAGES, LetterKind, LetterTexts, letter_texts
from governorates.model import (
    DIMENSIONS,
    PLACE_LEVELS,
    POPULATED_LEVELS,
    Barrier,
    Category,
    Choice,
    Clock,
    Crossing,
    FollowUpAttempts,
    FollowUpClock,
    Governorate,
    Holiday,
    Language,
    Ministry,
    Place,
    ServiceType,
)
from governorates.reader import DEFAULT_GOVERNORATE, available, load, read_governorate
from governorates.reintegration_scores import (
    SCORE_DIMENSIONS,
    Indicator,
    ScaleAnswer,
    ScoreQuestionnaire,
    ScoreRound,
    score_questionnaire,
)

__all__ = [
    "DEFAULT_GOVERNORATE",
    "DEFAULT_LANGUAGE",
    "DIMENSIONS",
    "DISCLOSED_FIELDS",
    "DUPLICATE_LEVELS",
    "DUPLICATE_PARTS",
    "FOLLOW_UP_KINDS",
    "FOLLOW_UP_STARTS",
    "LANGUAGES",
    "LETTER_LANGUAGES",
    "PLACE_LEVELS",
    "POPULATED_LEVELS",
    "SCORE_DIMENSIONS",
    "Barrier",
    "Category",
    "Choice",
    "Clock",
    "Crossing",
    "DisclosureProfiles",
    "DuplicateWeights",
    "FollowUpAttempts",
    "FollowUpClock",
    "Governorate",
    "GovernorateDataError",
    "Holiday",
    "Indicator",
    "Language",
    "LetterKind",
    "LetterTexts",
    "Ministry",
    "Names",
    "Place",
    "ScaleAnswer",
    "ScoreQuestionnaire",
    "ScoreRound",
    "ServiceType",
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
    "follow_up_due",
    "format_code",
    "is_valid_code",
    "is_working_day",
    "letter_texts",
    "load",
    "local_day",
    "months_due",
    "name_in",
    "new_code",
    "next_attempt_due",
    "normalise_code",
    "read_governorate",
    "score_questionnaire",
]
