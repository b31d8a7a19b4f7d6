"""The HTML pages, one module a noun. Each route: permission, visible rows, one call, render or redirect."""

from collections.abc import Sequence

from fastapi import APIRouter

from api.pages import (
    account,
    admin,
    capacities,
    cases,
    complaint_intake,
    complaints,
    duplicates,
    language,
    messages,
    open_day_desk,
    open_days,
    provider,
    queue,
    referral_acts,
    referrals,
    sessions,
    submissions,
    tasks,
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
    open_days.router,
    open_day_desk.router,
    capacities.router,
    tasks.router,
    complaint_intake.router,
    complaints.router,
    messages.router,
)
