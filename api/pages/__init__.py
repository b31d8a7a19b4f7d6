"""The HTML pages, one module a noun. Each route: permission, visible rows, one call, render or redirect."""

from collections.abc import Sequence

from fastapi import APIRouter

from api.pages import (
    account,
    admin,
    cases,
    consents,
    deletions,
    duplicates,
    language,
    overrides,
    provider,
    queue,
    referral_acts,
    referrals,
    sessions,
    submissions,
    unmet,
)

PAGE_ROUTERS: Sequence[APIRouter] = (
    sessions.router,
    language.router,
    account.router,
    queue.router,
    unmet.router,
    submissions.router,
    referrals.router,
    referral_acts.router,
    cases.router,
    duplicates.router,
    provider.router,
    admin.router,
    consents.router,
    overrides.router,
    deletions.router,
)
