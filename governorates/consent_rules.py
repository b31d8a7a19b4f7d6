"""How long consent lasts, from which age a child is asked, and by when others must act (sop.toml, [consent])."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime

from governorates.tables import Row

LONGEST_CONSENT_MONTHS = 60
LONGEST_OVERRIDE_HOURS = 24
"""The database holds this bound too (`consent_override`): the second person looks within a day."""


@dataclass(frozen=True, slots=True)
class ConsentRules:
    """What sop.toml says under [consent].

    `months`: how long an assessment's or a referral's consent is in force. `renewal_days`: how long before its end
    it is due for renewal. Under `adult_age` a caregiver consents; from `assent_age` on the child is asked too.
    `deletion_days`: by when a provider deletes what was taken back. `override_hours`: by when a second person
    confirms what was sent for a vital interest. `phone`: whom to call about consent, empty where nobody is named.
    """

    months: int
    renewal_days: int
    adult_age: int
    assent_age: int
    deletion_days: int
    override_hours: int
    phone: str

    def end_of(self, given_at: datetime) -> datetime:
        """Return when consent given then ends: the same day `months` later, or the last of a shorter month."""
        years, month = divmod(given_at.month - 1 + self.months, 12)
        year = given_at.year + years
        day = min(given_at.day, monthrange(year, month + 1)[1])
        return given_at.replace(year=year, month=month + 1, day=day)


def read_consent_rules(table: Row) -> ConsentRules:
    """Check the [consent] table of sop.toml."""
    values = table.values.get("consent")
    if not isinstance(values, dict):
        raise table.error("[consent] is missing")
    row = Row(table.file, "[consent]", values)
    phone = row.values.get("phone", "")
    if not isinstance(phone, str):
        raise row.error("phone must be a text")
    rules = ConsentRules(
        months=int(row.number("months", 1, LONGEST_CONSENT_MONTHS)),
        renewal_days=int(row.number("renewal_days", 1, 365)),
        adult_age=int(row.number("adult_age", 15, 21)),
        assent_age=int(row.number("assent_age", 1, 21)),
        deletion_days=int(row.number("deletion_days", 1, 90)),
        override_hours=int(row.number("override_hours", 1, LONGEST_OVERRIDE_HOURS)),
        phone=phone.strip(),
    )
    if rules.assent_age > rules.adult_age:
        raise row.error("assent_age must not be above adult_age")
    return rules
