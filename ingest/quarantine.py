"""Why a submission is kept whole and not taken in."""

from typing import Any

REASONS = frozenset(
    {
        "form_unknown",
        "form_version_unknown",
        "consent_missing",
        "unreadable",
        "processing_failed",
    }
)
"""`unreadable`: stored, but no field tree can be made of it. `processing_failed`: an error of ours."""


class QuarantineError(Exception):
    """A submission that must wait for a person. `details` never holds personal data."""

    def __init__(self, reason: str, **details: Any) -> None:
        if reason not in REASONS:
            raise ValueError(reason)
        self.reason = reason
        self.details = details
        super().__init__(reason)
