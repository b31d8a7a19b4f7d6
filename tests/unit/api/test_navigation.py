"""Who finds which pages at the head of the page, and which of them is marked as the one that is open."""

from dataclasses import dataclass

import pytest

from api.navigation import GROUPS, KEPT_IN_ROW, MOST_IN_A_ROW, navigation_of
from api.permissions import ROLE_PERMISSIONS, permits
from db.models import Role
from governorates import Governorate


@dataclass(frozen=True)
class Somebody:
    """A user, as far as the navigation asks."""

    role: str
    ministry: str | None = None
    governorate: str = "nineveh"
    office_id: int | None = None
    organization_id: int | None = None


def links_of(reader: Somebody) -> list[str]:
    found = navigation_of(reader, "/")
    return [link.href for _name, links in found.groups for link in links]


@pytest.mark.parametrize("role", ROLE_PERMISSIONS)
def test_a_role_is_shown_what_it_may_open_and_nothing_else(role: str, governorate: Governorate) -> None:
    reader = Somebody(role, governorate.operator.code)
    every = [link for links in GROUPS.values() for link in links]
    assert links_of(reader) == [link.href for link in every if permits(role, link.permission)]


def test_a_ministry_that_is_asked_apart_has_no_page_of_what_is_kept_from_it(
    governorate: Governorate,
) -> None:
    own = links_of(Somebody(Role.COORDINATOR, governorate.operator.code))
    apart = links_of(Somebody(Role.COORDINATOR, governorate.asked_apart.code))
    kept = {"/open-days", "/duplicates", "/submissions", "/conflicts"}
    assert set(own) - set(apart) == kept


def test_many_links_fold_and_few_stand_in_a_row(governorate: Governorate) -> None:
    many = navigation_of(Somebody(Role.COORDINATOR, governorate.operator.code), "/")
    few = navigation_of(Somebody(Role.PROVIDER), "/")
    assert (many.folds, len(many.row)) == (True, KEPT_IN_ROW)
    assert (few.folds, len(few.row)) == (False, 2)
    officer = navigation_of(Somebody(Role.OFFICER), "/")
    assert (officer.folds, len(officer.row)) == (True, KEPT_IN_ROW)
    supervisor = navigation_of(Somebody(Role.SUPERVISOR, governorate.operator.code), "/")
    assert not supervisor.folds
    assert len(supervisor.row) <= MOST_IN_A_ROW


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/provider", "/provider"),
        ("/provider/referrals/3", "/provider"),
        ("/provider/services", "/provider/services"),
        ("/providers", None),
    ],
)
def test_one_link_at_most_is_the_open_page(path: str, current: str | None) -> None:
    found = navigation_of(Somebody(Role.PROVIDER), path).current
    assert (found.href if found else None) == current
