"""Two governorates in one database, each with its own installation: neither shows anything of the other.

Generated from the routes that the application really serves, so a new page is asked too.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from anyio.from_thread import BlockingPortal
from sqlalchemy import select

from api.app import create_app
from api.context import AppContext
from api.i18n import PROFILES
from api.permissions import Permission, permits
from api.settings import Settings
from db.directory import upsert_directory, upsert_offices
from db.keyfile import MasterKeys
from db.models import DuplicatePair, Office, Organization, Role, Submission, Tablet, User
from db.session import make_engine, session_scope
from db.tablets import create_tablet
from governorates import load
from governorates.directory import read_directory
from tests.conftest import Database
from tests.factories.world import build_world
from tests.integration.test_pages.conftest import Site
from tests.integration.test_pages.test_access import FORMS, GUARDED, LOGIN_OF_ROLE, _fill

SIDES = ("nineveh", "erbil")
MARKS = {"nineveh": "NN", "erbil": "EE"}


@dataclass
class Neighbours:
    """The sites of all governorates over one database, and by what a page would give each one's rows away."""

    sites: dict[str, Site]
    marks: dict[str, set[str]]

    def others(self, side: str) -> list[Site]:
        """The sites of the other governorates."""
        return [site for code, site in self.sites.items() if code != side]

    def foreign_marks(self, side: str) -> set[str]:
        """What no page of this governorate may hold."""
        return set().union(*(self.marks[code] for code in self.sites if code != side)) - self.marks[side]


@pytest.fixture(scope="module")
def neighbours(
    clone: Callable[[], Database],
    masters: MasterKeys,
    portal: BlockingPortal,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Neighbours]:
    """A world of people in each governorate, and an application for each."""
    database = clone()
    engine = make_engine(database.app_url)
    sites = {}
    for code in SIDES:
        governorate = load(code)
        directory = read_directory(governorate.directory_path, governorate)
        with session_scope(engine) as session:
            upsert_offices(session, governorate)
            upsert_directory(session, governorate, directory.starting(datetime.now(UTC).date()))
        folder = tmp_path_factory.mktemp(code)
        context = AppContext(
            Settings(data_folder=folder, governorate=code), engine, database.owner_url, masters, governorate
        )
        sites[code] = Site(create_app(context), build_world(context, MARKS[code]), portal)
    yield Neighbours(sites, {code: _marks(site) for code, site in sites.items()})
    engine.dispose()


def _marks(site: Site) -> set[str]:
    """Everything by which a page would give a row of this governorate away."""
    world = site.world
    code = world.context.governorate.code
    with session_scope(world.context.engine) as session:
        found = {world.printed(name) for name in world.codes} | set(world.codes.values())
        found |= set(session.scalars(select(User.login).where(User.governorate == code)))
        own_tablets = select(Tablet.label).join(Office, Office.id == Tablet.office_id)
        found |= set(session.scalars(own_tablets.where(Office.governorate == code)))
        for names in session.scalars(select(Organization.names).where(Organization.governorate == code)):
            found.add(names["en"])
    return found


def _login(site: Site, role: Role) -> str:
    return site.world.login(LOGIN_OF_ROLE[role])


ASKED = [
    (side, role, method, path)
    for side in SIDES
    for method, path, permission in GUARDED
    for role in Role
    if permits(role, permission) and permission is not Permission.SESSION_USE
]


@pytest.mark.parametrize(("side", "role", "method", "path"), [row for row in ASKED if "{" in row[3]])
def test_rows_of_another_governorate_do_not_exist(
    neighbours: Neighbours, side: str, role: Role, method: str, path: str
) -> None:
    site = neighbours.sites[side]
    browser = site.browser(_login(site, role))
    for other in neighbours.others(side):
        for name in ("sent", "proposed", "moi"):
            target = _fill(path, other, name)
            answer = browser.get(target) if method == "GET" else browser.post(target, FORMS.get(path))
            assert answer.status_code == 404, target
            assert not [m for m in neighbours.foreign_marks(side) if m in answer.text and m not in target]


@pytest.mark.parametrize(
    ("side", "role", "path"), [row[:2] + row[3:] for row in ASKED if "{" not in row[3] and row[2] == "GET"]
)
def test_lists_show_nothing_of_another_governorate(
    neighbours: Neighbours, side: str, role: Role, path: str
) -> None:
    site = neighbours.sites[side]
    answer = site.browser(_login(site, role)).get(path)
    assert answer.status_code in {200, 303}
    assert not [mark for mark in neighbours.foreign_marks(side) if mark in answer.text]


@pytest.mark.parametrize("side", SIDES)
def test_the_same_pages_show_what_is_ones_own(neighbours: Neighbours, side: str) -> None:
    """The counterpart of the tests above: these lists are not simply empty."""
    site = neighbours.sites[side]
    world = site.world
    for role, path, mark in (
        (Role.COORDINATOR, "/queue?view=all", world.printed("proposed")),
        (Role.ADMIN, "/admin", f"{MARKS[side]}T-01"),
        (Role.COORDINATOR, f"/cases/{world.codes['sent']}", world.printed("sent")),
        (Role.PROVIDER, "/provider", world.printed("sent")),
        (Role.COORDINATOR, "/unmet", world.printed("excluding")),
        (Role.COORDINATOR, f"/duplicates/{world.pair}", world.printed("proposed")),
    ):
        answer = site.browser(_login(site, role)).get(path)
        assert answer.status_code == 200, path
        assert mark in answer.text, path


@pytest.mark.parametrize("side", SIDES)
def test_figures_count_only_ones_own(neighbours: Neighbours, side: str) -> None:
    """Each world has one form in quarantine and one more for each of its cases."""
    site = neighbours.sites[side]
    page = site.browser(_login(site, Role.ADMIN)).get("/admin").text
    figures = re.findall(r"<dt>[^<]+</dt><dd><bdi>(\d+)</bdi></dd>", page)
    assert sorted(int(number) for number in figures) == [0, 0, 1, len(site.world.cases)]


@pytest.mark.parametrize("side", SIDES)
def test_pages_speak_the_governorates_first_language(neighbours: Neighbours, side: str) -> None:
    site = neighbours.sites[side]
    governorate = load(side)
    page = site.anonymous().get("/login").text
    assert f'lang="{PROFILES[governorate.default_language].html_code}"' in page
    assert governorate.operator.names[governorate.default_language] in page
    shown = re.findall(r'<button name="language" value="(\w+)"', page)
    assert tuple(shown) == governorate.languages


@pytest.mark.parametrize("side", SIDES)
def test_nobody_of_another_governorate_signs_in(neighbours: Neighbours, side: str) -> None:
    site = neighbours.sites[side]
    for other in neighbours.others(side):
        login = _login(other, Role.COORDINATOR)
        visitor = site.anonymous()
        assert visitor.sign_in(login).status_code == 401
        assert visitor.get("/queue").status_code == 303
        token = other.browser(login).client.cookies["ihala_session"]
        visitor.client.cookies.set("ihala_session", token, domain="testserver.local", path="/")
        assert visitor.get("/queue").headers["location"].startswith("/login")


@pytest.mark.parametrize("side", SIDES)
def test_a_tablet_of_another_governorate_is_unknown(neighbours: Neighbours, side: str) -> None:
    site = neighbours.sites[side]
    header = {"X-OpenRosa-Version": "1.0"}
    for other in neighbours.others(side):
        code = other.world.context.governorate.code
        with session_scope(other.world.context.engine) as session:
            office = session.scalars(select(Office.id).where(Office.governorate == code)).first()
            assert office is not None
            _, token = create_tablet(session, f"{side}-{code}", office)
        path = f"/openrosa/{token}/formList"
        assert other.anonymous().client.get(path, headers=header).status_code == 200
        assert site.anonymous().client.get(path, headers=header).status_code == 403


def test_trying_the_quarantine_again_leaves_the_others_alone(neighbours: Neighbours) -> None:
    site = neighbours.sites["erbil"]
    with session_scope(site.world.context.engine) as session:
        waiting = select(Submission.id).where(
            Submission.governorate != "erbil", Submission.status == "quarantined"
        )
        before = set(session.scalars(waiting))
        assert before
    assert site.browser(_login(site, Role.ADMIN)).post("/submissions/reprocess").status_code == 303
    with session_scope(site.world.context.engine) as session:
        assert set(session.scalars(waiting)) == before


def test_no_pair_joins_two_governorates(neighbours: Neighbours) -> None:
    """The same invented woman is registered everywhere, and each governorate looks only at its own."""
    cases = {case: code for code, site in neighbours.sites.items() for case in site.world.cases.values()}
    with session_scope(neighbours.sites["erbil"].world.context.engine) as session:
        pairs = session.scalars(select(DuplicatePair)).all()
        assert {pair.governorate for pair in pairs} == set(SIDES)
        for pair in pairs:
            assert cases[pair.first_case_id] == cases[pair.second_case_id] == pair.governorate
