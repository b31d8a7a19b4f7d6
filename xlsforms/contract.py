"""Form ids and field paths on which ingestion relies; a test compares them with the compiled forms.

Paths are without the root: `consent/given`; those of a repeat carry its path: `household/member/sex`.
"""

NEEDS_ASSESSMENT = "needs_assessment"
FORM_IDS = (NEEDS_ASSESSMENT,)

CASE_CODE = "case_code"
CONSENT_GIVEN = "consent/given"
INSTANCE_ID = "meta/instanceID"

DEVICE_FIELDS = ("start", "end", "today", "deviceid", CASE_CODE)
CONSENT_FIELDS = (
    "consent/language",
    "consent/respondent",
    CONSENT_GIVEN,
    "consent/proxy_relation",
    "consent/proxy_reason",
    "consent/proxy_evidence",
    "consent/child_assent",
    "consent/categories",
    "consent/recipients",
    "consent/moi",
    "consent/exclusions",
    "consent/exclusion_note",
    "consent/statistics",
    "consent/contact",
    "consent/interpreter",
    "consent/text_version",
)
PERSON_FIELDS = (
    "person/given_name",
    "person/father_name",
    "person/grandfather_name",
    "person/sex",
    "person/age_years",
    "person/age_estimated",
    "person/caregiver_name",
    "person/caregiver_phone",
)
DISPLACEMENT_FIELDS = (
    "displacement/status",
    "displacement/return_date",
    "displacement/country",
    "displacement/voluntary",
)
CONTACT_FIELDS = (
    "contact/language",
    "contact/language_other",
    "contact/phone",
    "contact/answerer",
    "contact/hours",
)
RESIDENCE_FIELDS = (
    "residence/governorate",
    "residence/district",
    "residence/subdistrict",
    "residence/place",
    "residence/place_text",
    "residence/at_home",
    "residence/point",
)
PROFILE_FIELDS = (
    "profile/disability",
    "profile/documents",
    "profile/housing_damage",
    "profile/tenure",
    "profile/education_level",
    "profile/work_status",
)
HOUSEHOLD_FIELDS = ("household/size", "household/female_headed")
MEMBER = "household/member"
MEMBER_FIELDS = (
    "household/member/given_name",
    "household/member/relation",
    "household/member/sex",
    "household/member/age_years",
)
NEED = "needs/need"
NEED_FIELDS = ("needs/types", "needs/need/service_type", "needs/need/urgency")
NOTES = "notes"
META_FIELDS = (INSTANCE_ID, "meta/instanceName")

FIELDS = (
    *DEVICE_FIELDS,
    *CONSENT_FIELDS,
    *PERSON_FIELDS,
    *DISPLACEMENT_FIELDS,
    *CONTACT_FIELDS,
    *RESIDENCE_FIELDS,
    *PROFILE_FIELDS,
    *HOUSEHOLD_FIELDS,
    *MEMBER_FIELDS,
    *NEED_FIELDS,
    NOTES,
    *META_FIELDS,
)
"""Every field that ingestion may read."""

WORKING_FIELDS = (
    "case_body",
    "case_code_shown",
    "household/other_members",
    "needs/type_count",
    "needs/need/service_name",
)
"""Fields that only the form needs: parts of the case code, repeat counts, the name read out for a need."""

NOTE_FIELDS = (
    "consent/read_purpose",
    "consent/read_recipients",
    "consent/read_rights",
    "consent/read_in_arabic",
    "consent/no_evidence",
    "consent/refused",
    "consent/no_recipient",
    "person/young_alone",
    "farewell",
)
"""Texts for the officer; always empty in a submission."""

REPEATS = (MEMBER, NEED)

SELECT_MULTIPLE_FIELDS = (
    "consent/categories",
    "consent/recipients",
    "consent/exclusions",
    "profile/documents",
    "needs/types",
)
INTEGER_FIELDS = ("person/age_years", "household/size", "household/member/age_years")
DATE_FIELDS = ("today", "displacement/return_date")
MOMENT_FIELDS = ("start", "end")
POINT_FIELDS = ("residence/point",)

PERSONAL_FIELDS = (
    "consent/proxy_reason",
    "consent/exclusion_note",
    "consent/interpreter",
    "person/given_name",
    "person/father_name",
    "person/grandfather_name",
    "person/caregiver_name",
    "person/caregiver_phone",
    "contact/language_other",
    "contact/phone",
    "residence/place_text",
    "residence/point",
    "household/member/given_name",
    NOTES,
)
"""Names, phones, free text and exact points: encrypted at rest and never logged."""

REFUSAL_FIELDS = (
    *DEVICE_FIELDS,
    "case_body",
    "case_code_shown",
    "consent/language",
    "consent/respondent",
    CONSENT_GIVEN,
    "consent/text_version",
    *META_FIELDS,
)
"""The only fields that may hold a value when consent was refused; none of them says who the person is."""


def fields_of(form_id: str) -> tuple[str, ...]:
    """Fields of a form on which ingestion relies; none for a form that is not ours."""
    return FIELDS if form_id == NEEDS_ASSESSMENT else ()
