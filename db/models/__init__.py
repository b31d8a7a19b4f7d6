"""The tables, one module a room of the data model (docs/architecture.md)."""

from db.models.access import AuditEvent, LoginFailure, Office, Role, Tablet, User, UserSession
from db.models.base import Base
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
from db.models.follow_ups import FollowUp, ReintegrationScore
from db.models.people import Case, Consent, DataKey, Need, Person
from db.models.plans import CaseEvent, CaseEventKind, CasePlan, Goal, GoalState, Letter, Outcome
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
    "CaseEvent",
    "CaseEventKind",
    "CaseMerge",
    "CasePlan",
    "Consent",
    "DataKey",
    "Disclosure",
    "DuplicatePair",
    "EligibilityRule",
    "FollowUp",
    "Goal",
    "GoalState",
    "Letter",
    "Location",
    "LoginFailure",
    "MatchCandidate",
    "MatchRun",
    "Need",
    "Office",
    "Organization",
    "Outcome",
    "PairState",
    "Person",
    "Referral",
    "ReferralEvent",
    "ReintegrationScore",
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
]
