"""The button that shuts out a lost tablet, with ODK Central answering, silent, and without an account for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from api.settings import Settings
from db.models import AuditEvent, Tablet
from db.session import session_scope
from tests.central.places import Place, stand_in_place
from tests.central.provisioned import PASSWORD
from tests.integration.test_pages.conftest import Site


@pytest.fixture
def central(tmp_path: Path) -> Iterator[Place]:
    with stand_in_place(tmp_path) as place:
        yield place


def _set(site: Site, central: Place, folder: Path, **values: object) -> None:
    known = {
        "central_url": central.url,
        "central_project_id": 1,
        "central_manager_email": central.manager.email,
        "central_manager_password": PASSWORD,
    }
    site.world.context.settings = Settings(data_folder=folder, **(known | values))  # type: ignore[arg-type]


def _tablet(site: Site) -> Tablet:
    with session_scope(site.world.context.engine) as session:
        return session.get_one(Tablet, site.world.tablets["own"])


def test_one_button_shuts_out_here_and_in_central(own_site: Site, central: Place, tmp_path: Path) -> None:
    project, admin = central.stand_in, own_site.browser("admin")
    assert project is not None
    label, tablet_id = _tablet(own_site).label, own_site.world.tablets["own"]
    user = {"id": 20, "displayName": label, "token": "s" * 64, "properties": None}
    project.app_users.append(user)
    _set(own_site, central, tmp_path)

    project.roles[central.manager.email] = "viewer"
    answer = admin.post(f"/admin/tablets/{tablet_id}/revoke")
    assert answer.headers["location"] == "/admin?left=central_forbidden#tablets"
    page = admin.get("/admin?left=central_forbidden").text
    assert "may not close it" in page
    assert "Close in ODK Central" in page
    assert _tablet(own_site).revoked_at is not None
    assert _tablet(own_site).central_closed_at is None

    _set(own_site, central, tmp_path, central_manager_email=None)
    answer = admin.post(f"/admin/tablets/{tablet_id}/revoke")
    assert answer.headers["location"] == "/admin?left=manager_not_set#tablets"

    _set(own_site, central, tmp_path, central_url="http://127.0.0.1:9")
    answer = admin.post(f"/admin/tablets/{tablet_id}/revoke")
    assert answer.headers["location"] == "/admin?left=central_unreachable#tablets"
    assert user["token"]

    project.roles[central.manager.email] = "manager"
    _set(own_site, central, tmp_path)
    answer = admin.post(f"/admin/tablets/{tablet_id}/revoke")
    assert answer.headers["location"] == "/admin?done=revoked"
    assert user["token"] is None
    assert "Close in ODK Central" not in admin.get("/admin").text
    with session_scope(own_site.world.context.engine) as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.action.startswith("tablet."))).all()
        assert [event.action for event in events] == ["tablet.revoke"] * 4 + ["tablet.revoke_central"]


def test_the_page_asks_before_it_shuts_out_and_ignores_made_up_codes(own_site: Site) -> None:
    page = own_site.browser("admin").get("/admin?left=%3Cscript%3E").text
    assert "Lost or retired?" in page
    assert "This cannot be undone." in page
    assert "may still have access" not in page


def test_who_may_not_revoke_reaches_no_central(own_site: Site, central: Place, tmp_path: Path) -> None:
    _set(own_site, central, tmp_path)
    tablets = own_site.world.tablets
    assert own_site.browser("coordinator").post(f"/admin/tablets/{tablets['own']}/revoke").status_code == 403
    assert own_site.browser("admin").post(f"/admin/tablets/{tablets['foreign']}/revoke").status_code == 404
    assert central.stand_in is not None
    assert central.stand_in.requests == []
