"""One assessment as casework understands it, whichever source and form version it came from.

`ingest.parse` makes it; `casework.cases` opens or updates a case with it. Nothing here reads or writes.
"""

import dataclasses
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Issue:
    """Something a person should look at: a stable code, the field, and details without personal data."""

    code: str
    field: str | None = None
    details: dict[str, str | int | float | None] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConsentAnswers:
    """The first step of consent: by category and kind of recipient, MoI offices asked apart."""

    given: bool
    language: str
    text_version: str
    respondent: str
    proxy_relation: str | None = None
    proxy_reason: str | None = field(default=None, repr=False)
    proxy_evidence: str | None = None
    interpreter: str | None = field(default=None, repr=False)
    child_assent: bool | None = None
    categories: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    moi: bool = False
    exclusions: tuple[str, ...] = ()
    exclusion_note: str | None = field(default=None, repr=False)
    statistics: bool = False
    contact: bool = False


@dataclass(frozen=True, slots=True)
class PersonAnswers:
    """A person of the household; personal values never appear in `repr`."""

    role: str
    position: int
    given_name: str | None = field(default=None, repr=False)
    father_name: str | None = field(default=None, repr=False)
    grandfather_name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    sex: str | None = None
    age_years: int | None = None
    age_estimated: bool = False
    relation: str | None = None
    contact_answerer: str | None = None
    contact_hours: str | None = None


@dataclass(frozen=True, slots=True)
class Residence:
    """Where the household lives. P-codes are None where the answer was missing or does not exist.

    `basis`: `home_point` (geopoint taken at the home), `place`, `subdistrict`, `district` or `unknown`.
    """

    governorate: str | None = None
    district: str | None = None
    subdistrict: str | None = None
    place: str | None = None
    place_text: str | None = field(default=None, repr=False)
    basis: str = "unknown"
    longitude: float | None = field(default=None, repr=False)
    latitude: float | None = field(default=None, repr=False)
    accuracy_m: int | None = None


@dataclass(frozen=True, slots=True)
class NeedAnswer:
    """A kind of help asked for (`service_type` of the taxonomy) and how soon."""

    service_type: str
    urgency: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """One needs assessment, parsed. `persons[0]` is the head when consent was given."""

    consent: ConsentAnswers
    case_code: str | None = None
    persons: tuple[PersonAnswers, ...] = ()
    residence: Residence = Residence()
    needs: tuple[NeedAnswer, ...] = ()
    displacement_status: str | None = None
    return_date: date | None = None
    return_country: str | None = None
    return_voluntary: bool | None = None
    contact_language: str | None = None
    contact_language_other: str | None = field(default=None, repr=False)
    disability: bool | None = None
    documents: tuple[str, ...] | None = None
    housing_damage: str | None = None
    tenure: str | None = None
    education_level: str | None = None
    work_status: str | None = None
    household_size: int | None = None
    female_headed: bool | None = None
    notes: str | None = field(default=None, repr=False)
    assessed_at: datetime | None = None
    issues: tuple[Issue, ...] = ()
