"""The web application: pages, JSON, the tablets' interface and static files, put together."""

from fastapi import Depends, FastAPI

from api import metrics, openrosa
from api.assets import mount_assets
from api.auth import check_form
from api.body_limit import BodyLimit
from api.context import AppContext
from api.errors import add_error_pages
from api.openrosa_intake import GroupCommit
from api.pages import PAGE_ROUTERS
from api.routes import JSON_ROUTERS
from api.security import SecurityHeaders


def create_app(context: AppContext) -> FastAPI:
    """Make the application of one installation. Routes find what they need at `request.app.state.context`."""
    app = FastAPI(
        title="Ihala",
        summary="Referral and case management for returnees",
        version="0.1.0",
        openapi_url="/api/openapi.json",
        docs_url=None,  # the interactive pages load scripts from another host
        redoc_url=None,
    )
    app.state.context = context
    app.state.intake = GroupCommit(context)
    app.add_middleware(BodyLimit, prefix="/complaints")
    app.add_middleware(SecurityHeaders, tile_url=context.settings.tile_url)
    add_error_pages(app)
    # First: a post of a tablet would else be compared with the address of every page.
    app.include_router(openrosa.router, include_in_schema=False)
    for router in PAGE_ROUTERS:
        app.include_router(router, include_in_schema=False, dependencies=[Depends(check_form)])
    for router in JSON_ROUTERS:
        app.include_router(router, prefix="/api")
    app.include_router(metrics.router, include_in_schema=False)
    mount_assets(app)
    return app
