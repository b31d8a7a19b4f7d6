"""What people do who do not press the buttons: numbers too large, zero bytes, markup, other people's rows, logs."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from http.cookiejar import Cookie

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from api import auth
from casework import referrals as acts
from casework import sending
from casework.households import answer_anew
from casework.matching import match_open_needs
from db.models import AuditEvent, Capacity, Case, Consent, Need, Organization, Referral
from db.session import session_scope
from db.vault import Vault
from tests.factories.world import COORDINATOR
from tests.integration.test_pages.conftest import Browser, Site

HUGE = "9" * 25
ZERO = "%00"


@pytest.mark.parametrize(
    ("login", "path"),
    [
        ("coordinator", f"/referrals/{HUGE}"),
        ("coordinator", f"/api/referrals/{HUGE}"),
        ("coordinator", f"/queue?district={ZERO}"),
        ("coordinator", f"/api/queue?district={ZERO}"),
        ("coordinator", f"/unmet?reason={ZERO}"),
        ("provider", f"/provider/referrals/{HUGE}"),
        ("provider", f"/provider?service_type={ZERO}"),
        ("provider", f"/provider/referrals.xlsx?service_type={ZERO}"),
        ("provider", f"/api/provider/referrals?service_type={ZERO}"),
    ],
)
def test_impossible_values_are_a_bad_request(site: Site, login: str, path: str) -> None:
    answer = site.browser(login).get(path)
    assert answer.status_code == 400
    if path.startswith("/api/"):
        assert answer.json() == {"code": "bad_request"}
    else:
        assert "Something in this request is missing or wrong." in answer.text


def test_impossible_values_in_forms_are_a_bad_request(site: Site) -> None:
    coordinator, referral = site.browser("coordinator"), site.world.referrals["proposed"]
    change = {"service_at_location_id": HUGE, "reason": "transport"}
    assert coordinator.post(f"/referrals/{referral}/change", change).status_code == 400
    assert coordinator.post(f"/referrals/{HUGE}/approve").status_code == 400
    assert coordinator.post(f"/consents/{HUGE}/settle").status_code == 400
    assert site.browser("admin").post(f"/admin/tablets/{HUGE}/revoke").status_code == 400
    assert site.anonymous().post("/login", {"login": "a\x00b", "password": "x"}).status_code == 400


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/queue", 405)])
def test_what_does_not_exist_is_said_in_the_users_language(
    site: Site, method: str, path: str, status: int
) -> None:
    client = site.anonymous().client
    client.cookies.set("ihala_language", "ckb", domain="testserver.local", path="/")
    answer = client.request(method, path)
    assert answer.status_code == status
    assert '<html lang="ckb" dir="rtl">' in answer.text
    assert "Traceback" not in answer.text


class GaveWayError(Exception):
    """What the driver says when a transaction was the one to give way."""

    sqlstate = "40P01"


@pytest.mark.parametrize(("cause", "status"), [(GaveWayError(), 409), (Exception(), 500)])
def test_who_gave_way_to_another_transaction_is_asked_to_try_again(
    own_site: Site, monkeypatch: pytest.MonkeyPatch, cause: Exception, status: int
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("UPDATE", None, cause)

    monkeypatch.setattr(acts, "approve", fail)
    answer = own_site.browser("coordinator").post(
        f"/referrals/{own_site.world.referrals['proposed']}/approve"
    )
    assert answer.status_code == status
    assert ("Please try again in a minute." in answer.text) is (status == 409)


def test_a_wake_follows_every_act_that_frees_a_need_or_a_slot(own_site: Site) -> None:
    """After the commit: the matching that is woken must see what was done."""
    world, seen = own_site.world, list[str]()
    referral = world.referrals

    def wake() -> None:
        with session_scope(world.context.engine) as session:
            states = session.execute(select(Referral.id, Referral.state)).all()
            seen.append(", ".join(f"{one}:{state}" for one, state in sorted(map(tuple, states))))

    world.context.wake = wake
    coordinator, provider = own_site.browser("coordinator"), own_site.browser("provider")
    quiet = coordinator.post(f"/referrals/{referral['proposed']}/approve")
    assert (quiet.status_code, seen) == (303, [])
    declined = provider.post(
        f"/provider/referrals/{referral['sent']}/decline", {"reason": "no_capacity", "note": "ممتلئ"}
    )
    assert (declined.status_code, len(seen)) == (303, 1)
    assert f"{referral['sent']}:declined" in seen[-1]
    coordinator.post(f"/referrals/{referral['awaiting']}/refuse")
    assert f"{referral['awaiting']}:recalled" in seen[-1]
    coordinator.post(f"/referrals/{referral['other']}/recall", {"reason": "error", "note": "خطأ"})
    assert f"{referral['other']}:recalled" in seen[-1]
    coordinator.post(f"/consents/{world.consents['excluding']}/settle")
    assert len(seen) == 4
    refused = coordinator.post(f"/consents/{world.consents['excluding']}/settle")
    assert (refused.status_code, len(seen)) == (409, 4)


def test_the_chosen_option_says_that_its_place_is_kept(own_site: Site) -> None:
    world, coordinator = own_site.world, own_site.browser("coordinator")
    referral_id, words = world.referrals["proposed"], "One place is reserved for this person."
    with session_scope(world.context.engine) as session:
        session.execute(update(Capacity).values(slots=Capacity.reserved))
    page = coordinator.get(f"/referrals/{referral_id}").text
    assert page.count(words) == 1
    chosen = page[page.index('class="option chosen"') :]
    assert words in chosen[: chosen.index("</li>\n  <li")]
    options = coordinator.get(f"/api/referrals/{referral_id}").json()["options"]
    assert [o["chosen"] for o in options if o["reserved"]] == [True]
    coordinator.post(f"/referrals/{referral_id}/recall", {"reason": "error", "note": "خطأ"})
    assert words not in coordinator.get(f"/referrals/{referral_id}").text


def test_free_places_are_those_of_the_intake_that_a_choice_would_take_from(own_site: Site) -> None:
    """An intake that opens next week counts: the matching and a choice reserve there too."""
    world, coordinator = own_site.world, own_site.browser("coordinator")
    path = f"/api/referrals/{world.referrals['proposed']}"
    before = {o["service_at_location_id"]: o["free_slots"] for o in coordinator.get(path).json()["options"]}
    with session_scope(world.context.engine) as session:
        session.execute(update(Capacity).values(intake_start=Capacity.intake_end))
    after = {o["service_at_location_id"]: o["free_slots"] for o in coordinator.get(path).json()["options"]}
    assert after == before
    assert any(before.values())


def test_a_declined_referral_still_says_why_its_provider_was_chosen(own_site: Site) -> None:
    """The next run leaves that provider out; its reasons belong to the next referral."""
    world, referral_id = own_site.world, own_site.world.referrals["sent"]
    own_site.browser("provider").post(
        f"/provider/referrals/{referral_id}/decline", {"reason": "no_funds", "note": "انتهى"}
    )
    with session_scope(world.context.engine) as session:
        vault = Vault(session, world.context.masters)
        report = match_open_needs(session, vault, world.context.governorate, now=datetime.now(UTC), seed=1)
    assert report.run_id is not None
    options = own_site.browser("coordinator").get(f"/api/referrals/{referral_id}").json()["options"]
    assert [o["status"] for o in options if o["chosen"]] == ["option"]


def test_who_did_not_agree_to_the_interior_ministry_does_not_exist_for_it(own_site: Site) -> None:
    world, name = own_site.world, "moi"
    moi, momd = own_site.browser("coordinator-moi"), own_site.browser("coordinator")
    paths = [f"/referrals/{world.referrals[name]}", f"/api/referrals/{world.referrals[name]}"]
    paths.append(f"/cases/{world.codes[name]}")
    assert [moi.get(path).status_code for path in paths] == [200, 200, 200]
    assert [momd.get(path).status_code for path in paths] == [404, 404, 404]
    with session_scope(world.context.engine) as session:
        case_id = world.cases[name]
        first = _consent(session, case_id)
        session.add(
            answer_anew(first, recipients=[kind for kind in first.recipients if kind != "moi_office"])
        )
        session.execute(
            update(Need).where(Need.case_id == case_id).values(status="open", unmet_reason="consent")
        )
    assert [moi.get(path).status_code for path in paths] == [404, 404, 404]
    assert moi.get("/api/queue?view=all").json()["total"] == 0
    assert world.printed(name) not in moi.get("/unmet").text
    assert moi.post(f"{paths[0]}/approve").status_code == 404
    # Somebody still looks after what the person needs.
    assert [momd.get(path).status_code for path in paths] == [200, 200, 200]
    assert world.printed(name) in momd.get("/unmet").text


def _consent(session: Session, case_id: int) -> Consent:
    return session.scalars(
        select(Consent).where(Consent.case_id == case_id, Consent.kind == "assessment")
    ).one()


def test_reading_and_settling_leave_their_traces(own_site: Site) -> None:
    world, coordinator = own_site.world, own_site.browser("coordinator")
    coordinator.get(f"/referrals/{world.referrals['proposed']}")
    coordinator.get(f"/referrals/{world.referrals['awaiting']}")
    coordinator.get(f"/cases/{world.codes['excluding']}")
    coordinator.post(f"/consents/{world.consents['excluding']}/settle")
    own_site.browser("officer").get(f"/cases/{world.codes['proposed']}")
    own_site.browser("provider").get(f"/provider/referrals/{world.referrals['sent']}")
    own_site.browser("provider").get("/provider/print")
    with session_scope(world.context.engine) as session:
        rows = session.execute(select(AuditEvent.action, AuditEvent.object_id, AuditEvent.purpose))
        traces = {tuple(row) for row in rows}
    assert traces >= {
        ("referral.read", world.referrals["proposed"], None),
        ("disclosure.preview", world.referrals["awaiting"], None),
        ("consent.read_exclusion", world.consents["excluding"], None),
        ("consent.settle_exclusion", world.consents["excluding"], None),
        ("case.read_names", world.cases["proposed"], None),
        ("disclosure.read", world.referrals["sent"], "page"),
        ("disclosure.read", world.referrals["sent"], "print"),
    }


def test_an_erased_person_can_neither_be_read_out_nor_sent(own_site: Site) -> None:
    world, officer = own_site.world, own_site.browser("officer")
    referral = f"/referrals/{world.referrals['awaiting']}"
    with session_scope(world.context.engine) as session:
        vault = Vault(session, world.context.masters)
        for key_id in session.scalars(select(Case.data_key_id)):
            assert key_id is not None
            vault.erase_key(key_id)
    page = officer.get(referral)
    assert page.status_code == 200
    assert "The data of this case were erased." in page.text
    assert "Send to the provider" not in page.text
    form = {"agreed": "yes", "channel": "desk", "language": "ar", "read_out": "0" * 64}
    assert officer.post(f"{referral}/send", form).status_code == 410
    for login, path in [
        ("provider", "/provider"),
        ("provider", "/provider/print"),
        ("provider", "/provider/referrals.xlsx"),
        ("provider", f"/provider/referrals/{world.referrals['sent']}"),
        ("coordinator", "/queue?view=all"),
        ("coordinator", f"/cases/{world.codes['excluding']}"),
    ]:
        answer = own_site.browser(login).get(path)
        assert answer.status_code == 200
        assert "زهراء" not in answer.text


MARKUP = "<script>alert(1)</script>"


def test_markup_in_names_and_notes_is_text(own_site: Site) -> None:
    world = own_site.world
    with session_scope(world.context.engine) as session:
        for organization in session.scalars(select(Organization)):
            organization.names = {"ar": MARKUP, "en": MARKUP}
        vault = Vault(session, world.context.masters)
        sending.recall(session, vault, world.referrals["sent"], COORDINATOR, "error", MARKUP)
    for path in (
        f"/referrals/{world.referrals['sent']}",
        f"/referrals/{world.referrals['proposed']}",
        "/queue",
    ):
        page = own_site.browser("coordinator").get(path).text
        assert MARKUP not in page
        assert "&lt;script&gt;alert(1)" in page


def test_signing_in_gives_a_new_session_and_forgets_the_one_that_was_planted(own_site: Site) -> None:
    planted = own_site.anonymous()
    planted.client.cookies.set(
        auth.SESSION_COOKIE, "planted-by-somebody", domain="testserver.local", path="/"
    )
    assert planted.sign_in("officer").status_code == 303
    tokens = {cookie.value for cookie in planted.client.cookies.jar if cookie.name == auth.SESSION_COOKIE}
    assert "planted-by-somebody" not in tokens


@pytest.fixture
def everything_logged() -> Iterator[list[str]]:
    """Every line that any library or we would log at the chattiest level."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter().format(record))

    root, keep, level = logging.getLogger(), Keep(), logging.getLogger().level
    root.addHandler(keep)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(keep)
    root.setLevel(level)


def test_no_log_holds_a_name_a_phone_a_token_or_a_password(
    own_site: Site, everything_logged: list[str]
) -> None:
    world, note = own_site.world, "ملاحظة سرية جدا"
    officer, provider = own_site.browser("officer"), own_site.browser("provider")
    own_site.anonymous().sign_in("officer", "wrong-and-secret")
    officer.get(f"/cases/{world.codes['proposed']}")
    officer.get(f"/referrals/{world.referrals['awaiting']}")
    provider.get("/provider/referrals.xlsx")
    own = f"/provider/referrals/{world.referrals['sent']}"
    provider.post(f"{own}/decline", {"reason": "no_capacity", "note": note})
    provider.post(f"{own}/decline", {"reason": HUGE, "note": note})
    with pytest.raises(OperationalError), session_scope(world.context.engine) as session:
        session.execute(select(Case.id).with_for_update(nowait=True))
        with session_scope(world.context.engine) as second:
            second.execute(select(Case.id).with_for_update(nowait=True))
    said = "\n".join(everything_logged)
    assert said  # at least the client's own lines
    tokens = [c.value for browser in (officer, provider) for c in _cookies(browser)]
    for secret in ("زهراء", "07701234567", note, "wrong-and-secret", *tokens):
        assert secret
        assert secret not in said


def _cookies(browser: Browser) -> list[Cookie]:
    return [cookie for cookie in browser.client.cookies.jar if cookie.name != "ihala_language"]
