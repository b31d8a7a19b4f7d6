"""The tables, one module a room of the data model (docs/architecture.md)."""

from db.models.access import AuditEvent, LoginFailure, Office, Role, Tablet, User, UserSession
from db.models.base import Base
from db.models.capacities import CapacityEvent
from db.models.complaints import Complaint, ComplaintAttempt, ComplaintEvent
from db.models.consents import Consent, ConsentOverride, DeletionRequest, Withdrawal
from db.models.deadlines import Deadline, Escalation, OfficeClosure
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
from db.models.information import InformationGiven
from db.models.jobs import JobOutcome, JobPlan, JobRun, JobTally, Outage
from db.models.open_days import OpenDay, OpenDayState, OpenDayTablet, QueueToken, Station, TokenState
from db.models.outbox import Channel, ContactPoint, DigestRun, MessageState, OutboxMessage
from db.models.people import Case, DataKey, Need, Person
from db.models.plans import CaseEvent, CaseEventKind, CasePlan, Goal, GoalState, Letter, Outcome
from db.models.referrals import Disclosure, MatchCandidate, MatchRun, Referral, ReferralEvent
from db.models.submissions import (
    AttachmentCheck,
    Submission,
    SubmissionAttachment,
    SubmissionIssue,
    SubmissionStatus,
    SyncEntry,
    SyncState,
)
from db.models.tasks import Task, TaskState
from db.models.transfers import CaseTransfer, HandOver, OfferState
from db.models.unmet import UnmetPeriod

__all__ = [
    "AttachmentCheck",
    "AuditEvent",
    "Base",
    "BlockingKey",
    "Capacity",
    "CapacityEvent",
    "Case",
    "CaseEvent",
    "CaseEventKind",
    "CaseMerge",
    "CasePlan",
    "CaseTransfer",
    "Channel",
    "Complaint",
    "ComplaintAttempt",
    "ComplaintEvent",
    "Consent",
    "ConsentOverride",
    "ContactPoint",
    "DataKey",
    "Deadline",
    "DeletionRequest",
    "DigestRun",
    "Disclosure",
    "DuplicatePair",
    "EligibilityRule",
    "Escalation",
    "FollowUp",
    "Goal",
    "GoalState",
    "HandOver",
    "InformationGiven",
    "JobOutcome",
    "JobPlan",
    "JobRun",
    "JobTally",
    "Letter",
    "Location",
    "LoginFailure",
    "MatchCandidate",
    "MatchRun",
    "MessageState",
    "Need",
    "OfferState",
    "Office",
    "OfficeClosure",
    "OpenDay",
    "OpenDayState",
    "OpenDayTablet",
    "Organization",
    "Outage",
    "OutboxMessage",
    "Outcome",
    "PairState",
    "Person",
    "QueueToken",
    "Referral",
    "ReferralEvent",
    "ReintegrationScore",
    "Role",
    "Service",
    "ServiceArea",
    "ServiceAtLocation",
    "Station",
    "Submission",
    "SubmissionAttachment",
    "SubmissionIssue",
    "SubmissionStatus",
    "SyncEntry",
    "SyncState",
    "Tablet",
    "Task",
    "TaskState",
    "TokenState",
    "UnmetPeriod",
    "User",
    "UserSession",
    "Withdrawal",
]
