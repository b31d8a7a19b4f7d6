"""Every route of the application, asked by nobody, by every wrong role, and for somebody else's rows."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from api.app import create_app
from api.assets import FOLDERS
from api.auth import Require
from api.context import AppContext
from api.permissions import KEPT_FROM_ASKED_APART, ROLE_PERMISSIONS, Permission, permits
from api.settings import Settings
from db.keyfile import MasterKey, MasterKeys
from db.models import Role
from db.session import make_engine
from governorates import load
from tests.integration.test_pages.conftest import Site

PUBLIC = {
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/language"),
    ("GET", "/complaints/new"),
    ("POST", "/complaints/new"),
    ("GET", "/complaints/status"),
    ("POST", "/complaints/status"),
    ("GET", "/metrics"),
}
"""Routes that need no permission. The tablets' routes carry a token in their path instead (`api.openrosa`);
`/metrics` asks for one of its own (`test_jobs`)."""

LOGIN_OF_ROLE = {
    Role.OFFICER: "officer",
    Role.COORDINATOR: "coordinator",
    Role.PROVIDER: "provider",
    Role.ADMIN: "admin",
    Role.SUPERVISOR: "supervisor",
    Role.DATA_PROTECTION: "data-protection",
    Role.PSEA_FOCAL_POINT: "psea-focal-point",
}


def _app() -> FastAPI:
    """The application without a database: only its routes are read."""
    engine = make_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    masters = MasterKeys.of([MasterKey("test", b"t" * 32)])
    return create_app(AppContext(Settings(), engine, "", masters, load()))


def _permissions(dependant: Dependant) -> Iterator[Permission]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Require):
            yield dependency.call.permission
        yield from _permissions(dependency)


def _routes() -> list[tuple[str, str, frozenset[Permission]]]:
    """Method, path and permissions of every route, as the application really serves it."""
    return [
        (method, route.path, frozenset(_permissions(route.dependant)))
        for route in iter_route_contexts(_app().routes)
        if isinstance(route.original_route, APIRoute) and not route.path.startswith("/openrosa/")
        for method in sorted(route.methods)
    ]


ROUTES = _routes()
GUARDED = [(method, path, *found) for method, path, found in ROUTES if found]


def _fill(path: str, site: Site, name: str) -> str:
    """A route's path with the ids of an object of the world."""
    world = site.world
    values = {
        "referral_id": str(world.referrals.get(name, 0)),
        "code": world.codes[name],
        "consent_id": str(world.consents["excluding"]),
        "tablet_id": str(world.tablets["own"]),
        "pair_id": str(world.pair),
        "open_day_id": str(world.open_day),
        "station_id": str(world.station),
        "token_id": str(world.token),
        "service_at_location_id": str(world.offers["addressed"]),
        "task_id": str(world.task),
        "reference": "CMP-222-2222",
        "move": "acknowledge",
        "message_id": "0",
        "letter_id": "0",
        "escalation_id": "0",
        "closure_id": "0",
        "withdrawal_id": "0",
        "override_id": "0",
        "deletion_id": "0",
        "issue_id": "0",
        "need_id": str(world.need),
        "transfer_id": str(world.transfer),
        "hand_over_id": str(world.hand_over),
        "information_id": str(world.information),
    }
    return re.sub(r"\{(\w+)\}", lambda found: values[found.group(1)], path)


def test_the_routes_were_found() -> None:
    paths = {path for _, path, _ in ROUTES}
    assert {"/queue", "/referrals/{referral_id}/send", "/provider/referrals.xlsx", "/api/queue"} <= paths
    assert len(ROUTES) > 30


def test_every_route_but_the_public_ones_carries_one_permission() -> None:
    bare = {(method, path) for method, path, found in ROUTES if not found}
    assert bare == PUBLIC
    assert all(len(found) == 1 for _, _, found in ROUTES if found)


def test_whatever_else_is_served_is_static_or_the_description() -> None:
    others = {
        route.path
        for route in iter_route_contexts(_app().routes)
        if not isinstance(route.original_route, APIRoute)
    }
    assert others == {*FOLDERS, "/api/openapi.json"}


def test_every_permission_is_used_and_given_to_somebody() -> None:
    used = {permission for _, _, found in ROUTES for permission in found}
    # These two only change what a page shows; the page itself has its own permission.
    assert set(Permission) - used == {Permission.CASE_NAMES}
    assert {p for granted in ROLE_PERMISSIONS.values() for p in granted} == set(Permission)
    assert not permits("nobody", Permission.SESSION_USE)


@pytest.mark.parametrize(("method", "path", "permission"), GUARDED)
def test_nobody_gets_nothing(site: Site, method: str, path: str, permission: Permission) -> None:
    browser, target = site.anonymous(), _fill(path, site, "sent")
    answer = browser.get(target) if method == "GET" else browser.post(target)
    if path.startswith("/api/"):
        assert (answer.status_code, answer.json()) == (401, {"code": "sign_in_required"})
    else:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        (role, method, path)
        for method, path, permission in GUARDED
        for role in Role
        if not permits(role, permission)
    ],
)
def test_the_wrong_role_is_forbidden(site: Site, role: Role, method: str, path: str) -> None:
    browser, target = site.browser(LOGIN_OF_ROLE[role]), _fill(path, site, "sent")
    answer = browser.get(target) if method == "GET" else browser.post(target)
    assert answer.status_code == 403
    if path.startswith("/api/"):
        assert answer.json() == {"code": "forbidden"}
    else:
        assert "Your role does not include this." in answer.text


FOREIGN = {
    "officer-elsewhere": "sent",  # another office's case
    "coordinator-moi": "sent",  # another ministry's category
    "provider-other": "sent",  # another organization's referral
    "provider": "proposed",  # a referral that was never sent
    "coordinator": "moi",  # MoMD looks at what is MoI's
}
ROLE_OF_LOGIN = {"officer-elsewhere": Role.OFFICER, "coordinator-moi": Role.COORDINATOR} | {
    "provider-other": Role.PROVIDER,
    "provider": Role.PROVIDER,
    "coordinator": Role.COORDINATOR,
}
FORMS: dict[str, dict[str, str]] = {
    "/referrals/{referral_id}/change": {"service_at_location_id": "1", "reason": "transport"},
    "/provider/services/{service_at_location_id}": {"status": "has_capacity", "slots": "5"},
}


@pytest.mark.parametrize(
    ("login", "method", "path"),
    [
        (login, method, path)
        for method, path, permission in GUARDED
        for login, role in ROLE_OF_LOGIN.items()
        if permits(role, permission) and ("{referral_id}" in path or "{code}" in path)
        if login != "coordinator-moi" or permission not in KEPT_FROM_ASKED_APART  # refused before any row
    ],
)
def test_somebody_elses_row_does_not_exist(site: Site, login: str, method: str, path: str) -> None:
    browser, target = site.browser(login), _fill(path, site, FOREIGN[login])
    answer = browser.get(target) if method == "GET" else browser.post(target, FORMS.get(path))
    assert answer.status_code == 404
    if path.startswith("/api/"):
        assert answer.json() == {"code": "not_found"}


def test_another_ministrys_consent_cannot_be_settled(site: Site) -> None:
    target = f"/consents/{site.world.consents['excluding']}/settle"
    assert site.browser("coordinator-moi").post(target).status_code == 403


def test_another_governorates_tablet_cannot_be_revoked(site: Site) -> None:
    page = site.browser("admin").get("/admin").text
    assert "T-01" in page
    assert "T-99" not in page
    answer = site.browser("admin").post(f"/admin/tablets/{site.world.tablets['foreign']}/revoke")
    assert answer.status_code == 404


def test_own_rows_are_there(site: Site) -> None:
    """The counterpart of the 404s above: the same requests work for whom they belong to."""
    world = site.world
    sent = world.referrals["sent"]
    assert site.browser("coordinator").get(f"/referrals/{sent}").status_code == 200
    assert site.browser("officer").get(f"/referrals/{sent}").status_code == 200
    assert site.browser("provider").get(f"/provider/referrals/{sent}").status_code == 200
    assert site.browser("coordinator-moi").get(f"/referrals/{world.referrals['moi']}").status_code == 200
    assert site.browser("officer").get(f"/cases/{world.codes['moi']}").status_code == 200


def test_lists_hold_only_own_rows(site: Site) -> None:
    world = site.world
    momd = {row["case_code"] for row in site.browser("coordinator").get("/api/queue?view=all").json()["rows"]}
    moi = {
        row["case_code"] for row in site.browser("coordinator-moi").get("/api/queue?view=all").json()["rows"]
    }
    assert world.codes["proposed"] in momd
    assert moi == {world.codes["moi"]}
    assert not momd & moi
    own = site.browser("provider").get("/api/provider/referrals").json()["rows"]
    assert [row["referral_id"] for row in own] == [world.referrals["sent"]]
    assert site.browser("provider-other").get("/api/provider/referrals").json()["rows"] == []
