"""The tables, one module a room of the data model (docs/architecture.md)."""

from db.models.access import AuditEvent, LoginFailure, Office, Role, Tablet, User, UserSession
from db.models.base import Base
from db.models.consents import Consent, ConsentOverride, DeletionRequest, Withdrawal
from db.models.directory import (
    Capacity,
    EligibilityRule,
    Location,
    Organization,
    Service,
    ServiceArea,
    ServiceAtLocation,
)
from db.models.duplicates import BlockingKey, CaseMerge, DuplicatePair, PairState
from db.models.people import Case, DataKey, Need, Person
from db.models.referrals import Disclosure, MatchCandidate, MatchRun, Referral, ReferralEvent
from db.models.submissions import (
    Submission,
    SubmissionAttachment,
    SubmissionIssue,
    SubmissionStatus,
    SyncState,
)

__all__ = [
    "AuditEvent",
    "Base",
    "BlockingKey",
    "Capacity",
    "Case",
    "CaseMerge",
    "Consent",
    "ConsentOverride",
    "DataKey",
    "DeletionRequest",
    "Disclosure",
    "DuplicatePair",
    "EligibilityRule",
    "Location",
    "LoginFailure",
    "MatchCandidate",
    "MatchRun",
    "Need",
    "Office",
    "Organization",
    "PairState",
    "Person",
    "Referral",
    "ReferralEvent",
    "Role",
    "Service",
    "ServiceArea",
    "ServiceAtLocation",
    "Submission",
    "SubmissionAttachment",
    "SubmissionIssue",
    "SubmissionStatus",
    "SyncState",
    "Tablet",
    "User",
    "UserSession",
    "Withdrawal",
]
