"""The HTML pages, one module a noun. Each route: permission, visible rows, one call, render or redirect."""

from collections.abc import Sequence

from fastapi import APIRouter

from api.pages import (
    account,
    admin,
    capacities,
    case_history,
    cases,
    complaint_intake,
    complaints,
    duplicates,
    follow_ups,
    language,
    letters,
    messages,
    open_day_desk,
    open_days,
    plans,
    provider,
    queue,
    referral_acts,
    referrals,
    reintegration_scores,
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
    plans.router,
    follow_ups.router,
    reintegration_scores.router,
    letters.router,
    case_history.router,
)
