"""What each role may do. Which rows it may do it to is `db.visibility`."""

import enum
from collections.abc import Mapping

from db.models import Role
from db.visibility import Viewer, is_asked_apart, is_operators_coordinator


class Permission(enum.StrEnum):
    """One thing a user may do, `noun.verb`."""

    SESSION_USE = "session.use"
    QUEUE_READ = "queue.read"
    UNMET_READ = "unmet.read"
    REFERRAL_READ = "referral.read"
    REFERRAL_DECIDE = "referral.decide"
    REFERRAL_CONSENT = "referral.consent"
    REFERRAL_CLOSE = "referral.close"
    CASE_READ = "case.read"
    CASE_NAMES = "case.names"
    EXCLUSION_SETTLE = "exclusion.settle"
    DUPLICATE_READ = "duplicate.read"
    DUPLICATE_DECIDE = "duplicate.decide"
    DUPLICATE_NAMES = "duplicate.names"
    SUBMISSION_READ = "submission.read"
    SUBMISSION_REPROCESS = "submission.reprocess"
    PROVIDER_LIST_READ = "provider_list.read"
    PROVIDER_LIST_ANSWER = "provider_list.answer"
    ACCOUNT_READ = "account.read"
    TABLET_REVOKE = "tablet.revoke"
    OPEN_DAY_READ = "open_day.read"
    OPEN_DAY_WORK = "open_day.work"
    OPEN_DAY_MATCH = "open_day.match"
    CAPACITY_READ = "capacity.read"
    CAPACITY_CONFIRM = "capacity.confirm"
    TASK_READ = "task.read"
    TASK_FINISH = "task.finish"
    COMPLAINT_RECORD = "complaint.record"
    COMPLAINT_READ = "complaint.read"
    COMPLAINT_HANDLE = "complaint.handle"
    MESSAGE_READ = "message.read"
    MESSAGE_RETRY = "message.retry"
    PLAN_READ = "plan.read"
    PLAN_WRITE = "plan.write"
    FOLLOW_UP_READ = "follow_up.read"
    FOLLOW_UP_WRITE = "follow_up.write"
    SCORE_READ = "score.read"
    SCORE_WRITE = "score.write"
    LETTER_ISSUE = "letter.issue"
    CASE_CLOSE = "case.close"
    NEED_REOPEN = "need.reopen"
    CLOCK_PAUSE = "clock.pause"
    NEED_LOOK_AGAIN = "need.look_again"
    ESCALATION_READ = "escalation.read"
    ESCALATION_SETTLE = "escalation.settle"
    CLOSURE_MANAGE = "closure.manage"
    CONSENT_WITHDRAW = "consent.withdraw"
    CONSENT_RENEW = "consent.renew"
    CONSENT_OVERRIDE = "consent.override"
    OVERRIDE_CONFIRM = "override.confirm"
    OVERRIDE_READ = "override.read"
    DELETION_OVERSEE = "deletion.oversee"
    NEED_READ = "need.read"
    REFERRAL_DRAFT = "referral.draft"
    INFORMATION_GIVE = "information.give"
    TRANSFER_READ = "transfer.read"
    TRANSFER_DECIDE = "transfer.decide"
    HAND_OVER_READ = "hand_over.read"
    HAND_OVER_DECIDE = "hand_over.decide"
    BOUNDS_RENEW = "bounds.renew"
    JOB_READ = "job.read"


ROLE_PERMISSIONS: Mapping[str, frozenset[Permission]] = {
    Role.OFFICER: frozenset(
        {
            Permission.SESSION_USE,
            Permission.REFERRAL_READ,
            Permission.REFERRAL_CONSENT,
            Permission.REFERRAL_CLOSE,
            Permission.CASE_READ,
            Permission.CASE_NAMES,
            Permission.OPEN_DAY_READ,
            Permission.OPEN_DAY_WORK,
            Permission.OPEN_DAY_MATCH,
            Permission.TASK_READ,
            Permission.TASK_FINISH,
            Permission.COMPLAINT_RECORD,
            Permission.PLAN_READ,
            Permission.PLAN_WRITE,
            Permission.FOLLOW_UP_READ,
            Permission.FOLLOW_UP_WRITE,
            Permission.SCORE_READ,
            Permission.SCORE_WRITE,
            Permission.LETTER_ISSUE,
            Permission.CASE_CLOSE,
            Permission.NEED_REOPEN,
            Permission.CLOCK_PAUSE,
            Permission.NEED_LOOK_AGAIN,
            Permission.ESCALATION_READ,
            Permission.ESCALATION_SETTLE,
            Permission.CONSENT_WITHDRAW,
            Permission.CONSENT_RENEW,
            Permission.CONSENT_OVERRIDE,
            Permission.NEED_READ,
            Permission.REFERRAL_DRAFT,
            Permission.INFORMATION_GIVE,
            Permission.TRANSFER_READ,
            Permission.TRANSFER_DECIDE,
            Permission.BOUNDS_RENEW,
        }
    ),
    Role.COORDINATOR: frozenset(
        {
            Permission.SESSION_USE,
            Permission.QUEUE_READ,
            Permission.UNMET_READ,
            Permission.REFERRAL_READ,
            Permission.REFERRAL_DECIDE,
            Permission.REFERRAL_CONSENT,
            Permission.REFERRAL_CLOSE,
            Permission.CASE_READ,
            Permission.EXCLUSION_SETTLE,
            Permission.DUPLICATE_READ,
            Permission.DUPLICATE_DECIDE,
            Permission.DUPLICATE_NAMES,
            Permission.SUBMISSION_READ,
            Permission.SUBMISSION_REPROCESS,
            Permission.OPEN_DAY_READ,
            Permission.OPEN_DAY_MATCH,
            Permission.CAPACITY_READ,
            Permission.TASK_READ,
            Permission.TASK_FINISH,
            Permission.COMPLAINT_RECORD,
            Permission.NEED_REOPEN,
            Permission.CLOCK_PAUSE,
            Permission.NEED_LOOK_AGAIN,
            Permission.ESCALATION_READ,
            Permission.ESCALATION_SETTLE,
            Permission.CONSENT_WITHDRAW,
            Permission.CONSENT_RENEW,
            Permission.CONSENT_OVERRIDE,
            Permission.OVERRIDE_CONFIRM,
            Permission.NEED_READ,
            Permission.REFERRAL_DRAFT,
            Permission.INFORMATION_GIVE,
            Permission.HAND_OVER_READ,
            Permission.HAND_OVER_DECIDE,
            Permission.BOUNDS_RENEW,
        }
    ),
    Role.PROVIDER: frozenset(
        {
            Permission.SESSION_USE,
            Permission.PROVIDER_LIST_READ,
            Permission.PROVIDER_LIST_ANSWER,
            Permission.CAPACITY_CONFIRM,
            Permission.COMPLAINT_RECORD,
        }
    ),
    Role.ADMIN: frozenset(
        {
            Permission.SESSION_USE,
            Permission.SUBMISSION_READ,
            Permission.SUBMISSION_REPROCESS,
            Permission.ACCOUNT_READ,
            Permission.TABLET_REVOKE,
            Permission.MESSAGE_READ,
            Permission.MESSAGE_RETRY,
            Permission.CLOSURE_MANAGE,
            Permission.JOB_READ,
        }
    ),
    Role.SUPERVISOR: frozenset(
        {
            Permission.SESSION_USE,
            Permission.COMPLAINT_READ,
            Permission.COMPLAINT_HANDLE,
            Permission.ESCALATION_READ,
            Permission.ESCALATION_SETTLE,
            Permission.OVERRIDE_READ,
            Permission.OVERRIDE_CONFIRM,
            Permission.DELETION_OVERSEE,
        }
    ),
    Role.DATA_PROTECTION: frozenset(
        {
            Permission.SESSION_USE,
            Permission.OVERRIDE_READ,
            Permission.DELETION_OVERSEE,
            Permission.COMPLAINT_READ,
            Permission.COMPLAINT_HANDLE,
        }
    ),
    Role.PSEA_FOCAL_POINT: frozenset(
        {
            Permission.SESSION_USE,
            Permission.COMPLAINT_READ,
            Permission.COMPLAINT_HANDLE,
            Permission.MESSAGE_READ,
            Permission.MESSAGE_RETRY,
        }
    ),
}

OPERATORS = frozenset(
    {
        Permission.DUPLICATE_READ,
        Permission.DUPLICATE_DECIDE,
        Permission.DUPLICATE_NAMES,
        Permission.BOUNDS_RENEW,
    }
)
"""What concerns a whole case or all of them: of coordinators, only the operator's may."""

KEPT_FROM_ASKED_APART = OPERATORS | {
    Permission.EXCLUSION_SETTLE,
    Permission.SUBMISSION_READ,
    Permission.SUBMISSION_REPROCESS,
    Permission.OPEN_DAY_READ,
    Permission.OPEN_DAY_MATCH,
}
"""What would show the ministry asked apart more than what was referred to it."""


def permits(role: str, permission: Permission) -> bool:
    """Whether a role may do this; an unknown role may do nothing."""
    return permission in ROLE_PERMISSIONS.get(role, frozenset())


def may(user: Viewer, permission: Permission) -> bool:
    """Whether this user may do this: what the role may, less what is kept from coordinators of other ministries."""
    if user.role == Role.COORDINATOR and permission in KEPT_FROM_ASKED_APART and is_asked_apart(user):
        return False
    if user.role == Role.COORDINATOR and permission in OPERATORS and not is_operators_coordinator(user):
        return False
    return permits(user.role, permission)
