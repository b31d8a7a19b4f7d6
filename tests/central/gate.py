"""Who asks, and whether he may: the first step of every route."""

from fastapi import Request

from tests.central.actors import VIEWER, Actor
from tests.central.problems import CentralProblemError, forbidden, not_found, not_signed_in
from tests.central.projects import Project
from tests.central.store import Store


class Gate:
    """Logs requests, fails where the script says so, and checks sessions and rights."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def log(self, request: Request) -> None:
        """Note a request. Raises CentralProblemError where the script breaks its path."""
        path = request.url.path
        self.store.requests.append(f"{request.method} {path}")
        for part, status in self.store.broken.items():
            if part in path:
                raise CentralProblemError(status + 0.1, "Completely unhandled exception: x")

    def enter(self, request: Request, level: int = VIEWER) -> Actor:
        """Let a web user in. Raises CentralProblemError 401.2, 403.1."""
        self.log(request)
        told = request.headers.get("authorization", "")
        if told.startswith("Basic "):
            raise CentralProblemError(401.3, "This authentication method is only available over HTTPS")
        actor = self.store.user_of(told.removeprefix("Bearer "))
        if actor is None:
            raise not_signed_in()
        if actor.level < level:
            raise forbidden()
        return actor

    def project(self, request: Request, project_id: int, level: int = VIEWER) -> tuple[Actor, Project]:
        """Let a web user into a project. Raises CentralProblemError 404.1 also."""
        actor = self.enter(request)
        project = self.store.projects.get(project_id)
        if project is None:
            raise not_found()
        if actor.level < level:
            raise forbidden()
        return actor, project

    def form(
        self, request: Request, project_id: int, form_id: str, level: int = VIEWER
    ) -> tuple[Actor, Project]:
        """Let a web user to a published form's submissions."""
        actor, project = self.project(request, project_id)
        if form_id not in project.forms:
            raise not_found()
        if actor.level < level:
            raise forbidden()
        return actor, project
