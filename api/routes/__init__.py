"""The JSON twins of the pages, under `/api`: the same permissions, the same visible rows."""

from collections.abc import Sequence

from fastapi import APIRouter

from api.routes import provider, queue, referrals

JSON_ROUTERS: Sequence[APIRouter] = (queue.router, referrals.router, provider.router)
