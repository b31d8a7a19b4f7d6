"""Every route that people of the ministry asked apart may use, with a case that was never referred to it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from anyio.from_thread import BlockingPortal
from sqlalchemy import select

from api.app import create_app
from api.permissions import KEPT_FROM_ASKED_APART, Permission, permits
from api.settings import Settings
from casework import sending
from casework import withdrawals as withdrawal_acts
from casework.assessment import Issue
from casework.conflicts import read_rows
from casework.facts import FACTS
from casework.matching import match_open_needs
from casework.referrals import approve
from db.models import Case, Consent, ConsentOverride, FactConflict, Need, Referral, Role
from db.session import session_scope
from db.vault import Vault
from governorates import check_character, format_code
from tests.factories.cases import make_assessment, make_consent, open_case
from tests.integration.test_pages.conftest import CloneWorld, Site
from tests.integration.test_pages.test_access import GUARDED

NAMES = ("زهراء", "كريم", "صالح", "07701234567", "ابن عمي")
WOMEN, HEALTH = "womens_legal_counselling", "primary_health_care"
PEOPLE = {"coordinator-moi": Role.COORDINATOR, "supervisor-moi": Role.SUPERVISOR}
ROUTES = [
    (login, method, path)
    for login, role in PEOPLE.items()
    for method, path, permission in GUARDED
    if permits(role, permission)
]


def new_code(site: Site, body: str) -> str:
    return body + check_character(body, site.world.context.governorate.code_alphabet)


@pytest.fixture(scope="module")
def site(
    clone_world: CloneWorld, portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A world of this module's own: one more case stands in it."""
    with clone_world(Settings(data_folder=tmp_path_factory.mktemp("asked-apart"))) as world:
        yield Site(create_app(world.context), world, portal)


@pytest.fixture(scope="module")
def unreferred(site: Site) -> dict[str, str]:
    """Ids of a case that asks for what the ministry decides on, agreed to it, and was never referred."""
    context = site.world.context
    with session_scope(context.engine) as session:
        vault = Vault(session, context.masters)
        fearing = make_consent(
            context.governorate, exclusions=("named_organization",), exclusion_note="ابن عمي يعمل هناك"
        )
        said = make_assessment(
            context.governorate,
            [(WOMEN, "emergency")],
            case_code=new_code(site, "999999992"[:8]),
            consent=fearing,
            issues=(Issue("phone_in_another_case", "head/phone"),),
        )
        case = session.get_one(Case, open_case(session, vault, context.governorate, said).case_id)
        need = session.scalars(select(Need).where(Need.case_id == case.id)).one()
        need.unmet_reason, need.unmet_since = "no_slot", datetime.now(UTC)
        consent = session.scalars(
            select(Consent).where(Consent.case_id == case.id, Consent.kind == "assessment")
        ).one()
        withdrawal_id = withdrawal_acts.withdraw(
            session, vault, case.id, site.world.coordinator,
            channel="desk", scope="statistics", now=datetime.now(UTC),
        )  # fmt: skip
        contact = dict(FACTS["contact"].read(vault, read_rows(session, case)))
        conflict = FactConflict(
            case_id=case.id,
            submission_id=case.submission_id,
            fact="contact",
            former=vault.seal_json(case.data_key_id, "fact_conflict.former", contact),
            edited=vault.seal_json(case.data_key_id, "fact_conflict.edited", contact | {"phone": NAMES[3]}),
            opened_at=datetime.now(UTC),
        )
        session.add(conflict)
        session.flush()
        world = site.world
        return {
            "code": case.printed_code,
            "need_id": str(need.id),
            "issue_id": "1",
            "consent_id": str(consent.id),
            "withdrawal_id": str(withdrawal_id),
            "referral_id": str(world.referrals["sent"]),
            "information_id": str(world.information),
            "task_id": str(world.task),
            "transfer_id": str(world.transfer),
            "pair_id": str(world.pair),
            "open_day_id": str(world.open_day),
            "station_id": str(world.station),
            "token_id": str(world.token),
            "service_at_location_id": str(world.offers["addressed"]),
            "conflict_id": str(conflict.id),
            "hand_over_id": "0",
            "override_id": "0",
            "escalation_id": "0",
            "reference": "CMP-222-2222",
            "move": "acknowledge",
        }


def filled(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: ids[found.group(1)], path)


@pytest.mark.parametrize(("login", "method", "path"), ROUTES)
def test_who_was_never_referred_does_not_exist(
    site: Site, unreferred: dict[str, str], login: str, method: str, path: str
) -> None:
    browser, target, code = site.browser(login), filled(path, unreferred), unreferred["code"]
    if method == "GET":
        answer = browser.get(target)
        assert answer.status_code in ({403, 404} if "{" in path else {200, 303, 403, 404})
        assert answer.status_code != 404 or "{" in path
    elif path in {"/logout", "/account"} or path.startswith(("/account/", "/complaints")):
        return  # about the user's own account, or taken without saying what there is
    else:
        form = {"case_id": "1", "code": code, "reason": "other", "channel": "desk", "scope": "everything"}
        form |= {"service_at_location_id": "1"}
        answer = browser.post(target, form)
        assert answer.status_code in {403, 404, 422}
        assert answer.status_code != 422 or "{" not in path
    shown = answer.text.replace(target, "")  # the page's own address stands in the form for the language
    if (method, path) != ("POST", "/cases"):  # which says again what was typed
        assert code not in shown
        assert format_code(code) not in shown
    assert not any(name in shown for name in NAMES)


def test_the_operator_sees_the_same_rows(site: Site, unreferred: dict[str, str]) -> None:
    """The counterpart: what is hidden above is really there."""
    operator, code = site.browser("coordinator"), unreferred["code"]
    assert format_code(code) in operator.get("/unmet").text
    assert format_code(code) in operator.get("/submissions").text
    page = operator.get(f"/cases/{code}").text
    assert "ابن عمي يعمل هناك" in page
    assert operator.get(filled("/cases/{code}/withdrawals/{withdrawal_id}", unreferred)).status_code == 200
    assert operator.get(filled("/needs/{need_id}", unreferred)).status_code == 200
    assert operator.get(filled("/conflicts/{conflict_id}", unreferred)).status_code == 200


@pytest.mark.parametrize("permission", sorted(KEPT_FROM_ASKED_APART))
def test_what_is_kept_from_it_is_refused_at_the_door(site: Site, permission: Permission) -> None:
    routes = [(method, path) for method, path, needed in GUARDED if needed == permission]
    assert routes
    browser = site.browser("coordinator-moi")
    for method, path in routes:
        target = re.sub(r"\{(\w+)\}", "1", path)
        answer = browser.get(target) if method == "GET" else browser.post(target)
        assert answer.status_code == 403, path


def test_its_own_case_shows_nothing_of_the_others(own_site: Site) -> None:
    """One household with a referral to the ministry asked apart and one to a health centre."""
    site, context = own_site, own_site.world.context
    code = new_code(site, "99999993")
    with session_scope(context.engine) as session:
        vault = Vault(session, context.masters)
        said = make_assessment(
            context.governorate,
            [(WOMEN, "normal"), (HEALTH, "normal")],
            case_code=code,
            issues=(Issue("phone_in_another_case", "head/phone"),),
        )
        case_id = open_case(session, vault, context.governorate, said).case_id or 0
        match_open_needs(session, vault, context.governorate, now=datetime.now(UTC))
        health = session.scalars(
            select(Referral.id).join(Need).where(Need.case_id == case_id, Need.service_type == HEALTH)
        ).one()
        approve(session, vault, health, site.world.coordinator)
        sending.send(session, vault, health, site.world.coordinator, channel="desk", language="ar")
    page = site.browser("coordinator-moi").get(f"/cases/{code}").text
    whole = site.browser("coordinator").get(f"/cases/{code}").text
    categories = context.governorate.categories
    names = {one: category.names["en"].replace("'", "&#39;") for one, category in categories.items()}
    shown = {one for one, name in names.items() if name in page}
    assert "womens_legal_counselling" in shown
    assert "health" not in shown
    assert {"health", "education", "livelihoods"} <= {one for one, name in names.items() if name in whole}
    assert len(shown) < 4
    assert ("The person says yes again" in page, "The person says yes again" in whole) == (False, True)
    assert ("Open issues" in page, "Open issues" in whole) == (False, True)
    form = {"case_id": str(case_id), "channel": "desk", "scope": "everything"}
    answer = site.browser("coordinator-moi").post(f"/cases/{code}/withdraw", form)
    receipt = site.browser("coordinator-moi").get(answer.headers["location"]).text
    assert "Primary health" not in receipt
    assert "Nothing had been sent" not in receipt
    assert "لم يُرسل شيء" not in receipt
    assert site.browser("coordinator-moi").get(f"/cases/{code}").status_code == 404
    with session_scope(context.engine) as session:
        assert session.scalars(select(ConsentOverride)).all() == []
