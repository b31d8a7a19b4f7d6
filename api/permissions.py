"""What each role may do. Which rows it may do it to is `db.visibility`."""

import enum
from collections.abc import Mapping

from db.models import Role


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
    CONSENT_WITHDRAW = "consent.withdraw"
    CONSENT_RENEW = "consent.renew"
    CONSENT_OVERRIDE = "consent.override"
    OVERRIDE_CONFIRM = "override.confirm"
    OVERRIDE_READ = "override.read"


ROLE_PERMISSIONS: Mapping[str, frozenset[Permission]] = {
    Role.OFFICER: frozenset(
        {
            Permission.SESSION_USE,
            Permission.REFERRAL_READ,
            Permission.REFERRAL_CONSENT,
            Permission.REFERRAL_CLOSE,
            Permission.CASE_READ,
            Permission.CASE_NAMES,
            Permission.CONSENT_WITHDRAW,
            Permission.CONSENT_RENEW,
            Permission.CONSENT_OVERRIDE,
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
            Permission.CONSENT_WITHDRAW,
            Permission.CONSENT_RENEW,
            Permission.CONSENT_OVERRIDE,
            Permission.OVERRIDE_CONFIRM,
        }
    ),
    Role.PROVIDER: frozenset(
        {Permission.SESSION_USE, Permission.PROVIDER_LIST_READ, Permission.PROVIDER_LIST_ANSWER}
    ),
    Role.ADMIN: frozenset(
        {
            Permission.SESSION_USE,
            Permission.SUBMISSION_READ,
            Permission.SUBMISSION_REPROCESS,
            Permission.ACCOUNT_READ,
            Permission.TABLET_REVOKE,
        }
    ),
    Role.SUPERVISOR: frozenset(
        {Permission.SESSION_USE, Permission.OVERRIDE_READ, Permission.OVERRIDE_CONFIRM}
    ),
    Role.DATA_PROTECTION: frozenset({Permission.SESSION_USE, Permission.OVERRIDE_READ}),
    Role.PSEA_FOCAL_POINT: frozenset({Permission.SESSION_USE}),
}


def permits(role: str, permission: Permission) -> bool:
    """Whether a role may do this; an unknown role may do nothing."""
    return permission in ROLE_PERMISSIONS.get(role, frozenset())
