"""Transfers, hand-overs and information only as people press them, and what the other side must not see before."""

import re

import pytest
from sqlalchemy import select

from db.models import InformationGiven, Location, MatchCandidate, Need, Referral, Service, ServiceAtLocation
from db.session import session_scope
from governorates import LANGUAGES
from tests.factories.world import need_status
from tests.integration.test_pages.conftest import Site

NAMES = ("زهراء", "كريم", "صالح", "07701234567")
YES = {"agreed": "yes", "channel": "desk", "language": "ar"}


def need_of(site: Site, name: str) -> int:
    with session_scope(site.world.context.engine) as session:
        return session.scalars(select(Need.id).where(Need.case_id == site.world.cases[name])).one()


def other_office(page: str) -> str:
    found = re.search(r'<select id="to-office".*?<option value="(\d+)">', page, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_other_office_sees_a_code_and_figures_until_it_takes_over(own_site: Site) -> None:
    world = own_site.world
    officer, taking = own_site.browser("officer"), own_site.browser("officer-elsewhere")
    listed = taking.get("/transfers").text
    assert world.printed("other") in listed
    assert not any(name in listed for name in NAMES)
    assert f"/cases/{world.codes['other']}" not in listed
    assert "The person moves" not in listed  # the reason is between the person and the old office
    assert taking.get(f"/cases/{world.codes['other']}").status_code == 404
    assert "The person moves" in officer.get("/transfers?side=outgoing").text
    answer = taking.post(f"/transfers/{world.transfer}/accept")
    assert answer.headers["location"] == "/transfers?done=transfer_accepted"
    assert "زهراء" in taking.get(f"/cases/{world.codes['other']}").text
    assert officer.get(f"/cases/{world.codes['other']}").status_code == 404
    assert taking.post(f"/transfers/{world.transfer}/accept").status_code == 409
    history = taking.get(f"/cases/{world.codes['other']}/history").text
    assert "Another office took the case over." in history
    assert "The case was offered to another office." in history


def test_a_case_is_offered_from_its_own_page_and_taken_back(own_site: Site) -> None:
    officer, path = own_site.browser("officer"), f"/cases/{own_site.world.codes['sent']}/transfer"
    form = {"to_office": other_office(officer.get(path).text), "reason": "safety", "note": "سر كبير"}
    assert officer.post(path, form | YES | {"agreed": ""}).status_code == 409
    assert officer.post(path, form | YES).headers["location"] == f"{path}?done=transfer_offered"
    assert officer.post(path, form | YES).status_code == 409
    elsewhere = own_site.browser("officer-elsewhere").get("/transfers").text
    assert own_site.world.printed("sent") in elsewhere
    assert "سر كبير" not in elsewhere
    transfer_id = re.findall(r"/transfers/(\d+)/withdraw", officer.get("/transfers?side=outgoing").text)
    for one in transfer_id:
        assert officer.post(f"/transfers/{one}/withdraw").status_code == 303
    assert (
        own_site.browser("officer-elsewhere").post(f"/transfers/{transfer_id[0]}/accept").status_code == 409
    )


def test_a_third_office_and_the_wrong_side_cannot_answer(own_site: Site) -> None:
    target = f"/transfers/{own_site.world.transfer}"
    assert own_site.browser("officer").post(f"{target}/accept").status_code == 403
    taking = own_site.browser("officer-elsewhere")
    assert taking.post(f"{target}/withdraw").status_code == 403
    assert taking.post("/transfers/0/accept").status_code == 404
    declined = taking.post(f"{target}/decline", {"reason": "outside_area"})
    assert declined.headers["location"] == "/transfers?done=transfer_declined"


def test_a_hand_over_shows_the_category_first_and_the_need_once_accepted(own_site: Site) -> None:
    world, need_id = own_site.world, need_of(own_site, "sent")
    giving, taking = own_site.browser("coordinator"), own_site.browser("coordinator-moi")
    listed = taking.get("/hand-overs").text
    assert world.printed("sent") in listed
    assert "Health" in listed
    assert taking.get(f"/needs/{need_id}").status_code == 404
    assert taking.get(f"/cases/{world.codes['sent']}").status_code == 404
    assert giving.post(f"/hand-overs/{world.hand_over}/accept").status_code == 403
    assert taking.post(f"/hand-overs/{world.hand_over}/accept").status_code == 303
    assert taking.get(f"/needs/{need_id}").status_code == 200
    assert taking.get(f"/referrals/{world.referrals['sent']}").status_code == 200
    assert giving.get(f"/needs/{need_id}").status_code == 404
    assert giving.get(f"/referrals/{world.referrals['sent']}").status_code == 404


def test_a_need_is_offered_from_its_page_only_with_a_yes(own_site: Site) -> None:
    need_id = need_of(own_site, "moi")
    moi, form = own_site.browser("coordinator-moi"), {"to_ministry": "momd", "reason": "their_task"}
    assert own_site.browser("coordinator").post(f"/needs/{need_id}/hand-over", form | YES).status_code == 404
    assert moi.post(f"/needs/{need_id}/hand-over", form).status_code == 422
    answer = moi.post(f"/needs/{need_id}/hand-over", form | YES)
    assert answer.headers["location"] == f"/needs/{need_id}?done=hand_over_offered"
    assert "Waits for an answer" in moi.get(f"/needs/{need_id}").text


def freed(site: Site) -> tuple[int, int]:
    """The need of a proposal that was recalled, and a service that was looked at for it."""
    referral_id = site.world.referrals["proposed"]
    answer = site.browser("officer").post(
        f"/referrals/{referral_id}/recall", {"reason": "error", "note": "خطأ"}
    )
    assert answer.status_code == 303
    with session_scope(site.world.context.engine) as session:
        referral = session.get_one(Referral, referral_id)
        return referral.need_id, referral.service_at_location_id


def test_a_referral_is_drafted_by_hand(own_site: Site) -> None:
    officer = own_site.browser("officer")
    need_id, place = freed(own_site)
    page = officer.get(f"/needs/{need_id}").text
    assert f'<option value="{place}">' in page
    form = {"service_at_location_id": str(place), "reason": "transport"}
    assert own_site.browser("officer-elsewhere").post(f"/needs/{need_id}/draft", form).status_code == 404
    answer = officer.post(f"/needs/{need_id}/draft", form)
    assert re.fullmatch(r"/referrals/\d+\?done=drafted", answer.headers["location"])
    assert "Draft" in officer.get(answer.headers["location"]).text
    assert officer.post(f"/needs/{need_id}/draft", form).status_code == 409


def test_a_need_says_in_words_why_a_service_is_not_possible(own_site: Site) -> None:
    need_id, _ = freed(own_site)
    with session_scope(own_site.world.context.engine) as session:
        left_out = select(MatchCandidate.need_id).where(
            MatchCandidate.need_id == need_id, MatchCandidate.status != "option"
        )
        assert session.scalars(left_out).first() is not None
    page = own_site.browser("officer").get(f"/needs/{need_id}").text
    assert "Not possible, and why" in page
    assert re.search(r"Too far: \d+ minutes|No free place|Condition not met|Does not cover", page)
    assert not any(name in page for name in NAMES)


@pytest.mark.parametrize("confidential", [False, True])
def test_the_slip_holds_no_personal_data_and_no_confidential_place(
    own_site: Site, confidential: bool
) -> None:
    officer, world = own_site.browser("officer"), own_site.world
    need_id, place = freed(own_site)
    with session_scope(world.context.engine) as session:
        location = session.scalars(
            select(Location)
            .join(ServiceAtLocation, ServiceAtLocation.location_id == Location.id)
            .where(ServiceAtLocation.id == place)
        ).one()
        location.confidential = confidential
        where = dict(location.names)
    form = {"service_at_location_id": str(place), "channel": "desk", "language": "ar"}
    answer = officer.post(f"/needs/{need_id}/inform", form)
    path = answer.headers["location"].partition("?")[0]
    assert path.startswith("/information/")
    for language in LANGUAGES:
        officer.client.cookies.set("ihala_language", language, domain="testserver.local", path="/")
        page = officer.get(path).text
        body = page[page.index("<article") : page.index("</article>")]
        assert (where[language] in body) is not confidential
        personal = (*NAMES, world.printed("proposed"), world.codes["proposed"])
        assert not any(word in page for word in personal)
        office = next(one for one in world.context.governorate.offices if one.code == "mosul")
        assert office.names[language] in body
    with session_scope(world.context.engine) as session:
        assert need_status(session, world.cases["proposed"]) == "informed"
        assert session.scalars(select(InformationGiven).where(InformationGiven.need_id == need_id)).one()
    assert own_site.browser("officer-elsewhere").get(path).status_code == 404
    assert own_site.browser("coordinator-moi").get(path).status_code == 404


def test_moi_sees_what_was_referred_to_it_and_nothing_more(site: Site) -> None:
    """Every list of a coordinator of the ministry asked apart: only its own category's case is there."""
    world, browser = site.world, site.browser("coordinator-moi")
    foreign = {world.printed(name) for name in world.codes if name != "moi"}
    offered = world.printed("sent")  # a hand-over waits: the code, and only on its own list
    for path in (
        "/queue?view=all",
        "/unmet",
        "/cases",
        "/capacity",
        "/tasks",
        "/submissions",
        "/duplicates",
        "/open-days",
        "/hand-overs",
        "/api/queue?view=all",
    ):
        page = browser.get(path).text
        shown = {code for code in foreign if code in page or code.replace("-", "") in page}
        assert shown == ({offered} if path == "/hand-overs" else set()), path
        assert not any(name in page for name in NAMES)
    for name in world.codes:
        if name != "moi":
            assert browser.get(f"/cases/{world.codes[name]}").status_code == 404
            assert browser.get(f"/needs/{need_of(site, name)}").status_code == 404
    assert browser.get(f"/open-days/{world.open_day}").status_code in {403, 404}


def test_moi_counts_only_its_own(site: Site) -> None:
    counts = site.browser("coordinator-moi").get("/api/queue?view=all").json()["counts"]
    assert counts["all"] == 1
    unmet = site.browser("coordinator-moi").get("/unmet").text
    assert "No unmet needs" in unmet
    board = site.browser("coordinator-moi").get("/capacity").text
    own = site.world.context.governorate.categories_of("moi")
    with session_scope(site.world.context.engine) as session:
        names = {
            (row[0]["en"], row[1] in own) for row in session.execute(select(Service.names, Service.category))
        }
    mine, others = ({name for name, is_own in names if is_own is wanted} for wanted in (True, False))
    assert [name for name in mine if name in board]
    assert [name for name in others - mine if name.replace("'", "&#39;") in board] == []
