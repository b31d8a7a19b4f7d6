"""Every refusal of the system: one table of stable codes with their HTTP status.

Texts stand in the language catalogues under `error.<code>`; details hold ids and codes only.
"""

from typing import Any

ERROR_CODES: dict[str, int] = {
    "illegal_move": 409,
    "reason_required": 422,
    "reason_unknown": 422,
    "text_required": 422,
    "text_too_long": 422,
    "referral_under_way": 409,
    "no_slot": 409,
    "not_an_option": 422,
    "consent_required": 409,
    "consent_does_not_cover": 409,
    "consent_settled_already": 409,
    "channel_unknown": 422,
    "language_unknown": 422,
    "interpreter_required": 422,
    "mandate": 403,
    "not_found": 404,
    "forbidden": 403,
    "changed_meanwhile": 409,
    "undo_later_first": 409,
    "malformed_submission": 400,
    "submission_conflict": 409,
    "submission_too_large": 413,
    "unknown_tablet": 403,
    "case_erased": 410,
    "busy": 409,
    "open_day_exists": 409,
    "open_day_date": 422,
    "open_day_state": 409,
    "station_unknown": 422,
    "station_required": 422,
    "station_taken": 409,
    "code_unknown": 404,
    "code_ambiguous": 409,
    "slots_invalid": 422,
    "slots_below_reserved": 409,
    "no_intake_period": 409,
    "complaint_move": 409,
    "complaint_text_required": 422,
    "complaint_too_long": 422,
    "complaint_choice_unknown": 422,
    "complaint_same_person": 403,
    "complaint_unknown": 404,
    "complaint_too_many": 429,
    "address_unreadable": 422,
    "case_closed": 409,
    "case_open": 409,
    "case_under_way": 409,
    "plan_required": 409,
    "follow_ups_missing": 409,
    "value_wrong": 422,
    "pause_used_up": 409,
    "not_paused": 409,
    "date_not_ahead": 422,
    "days_not_ordered": 422,
    "consent_expired": 409,
    "assent_required": 422,
    "caregiver_required": 422,
    "proxy_evidence_required": 422,
    "witness_required": 422,
    "contact_withdrawn": 409,
    "override_not_emergency": 409,
    "override_lapsed": 409,
    "second_person_required": 403,
    "another_governorate": 422,
    "offer_waits": 409,
    "consent_incomplete": 409,
    "proxy_evidence_unfit": 422,
    "conflict_open": 409,
    "override_needs_emergency": 409,
}


class DomainError(Exception):
    """A refusal with a stable code. `details` never holds personal data."""

    def __init__(self, code: str, **details: Any) -> None:
        self.code = code
        self.status = ERROR_CODES[code]
        self.details = details
        super().__init__(code)
