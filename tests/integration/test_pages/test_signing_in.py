"""Signing in and out, forms from elsewhere, guessing, languages, headers."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from pwdlib import PasswordHash
from sqlalchemy import func, select, update

from api import auth
from db.models import AuditEvent, LoginFailure, User, UserSession
from db.session import session_scope
from tests.factories.world import PASSWORD
from tests.integration.test_pages.conftest import Browser, Site

HOMES = {
    "coordinator": "/queue",
    "officer": "/cases",
    "provider": "/provider",
    "admin": "/admin",
    "supervisor": "/escalations",
    "data-protection": "/overrides",
    "psea-focal-point": "/complaints",
}


@pytest.mark.parametrize(("login", "home"), HOMES.items())
def test_each_role_begins_at_its_own_page(site: Site, login: str, home: str) -> None:
    answer = site.browser(login).get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, home)
    assert site.browser(login).get(home).status_code == 200


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    answer = site.anonymous().sign_in("officer")
    cookies = answer.headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if cookie.startswith("ihala_session="))
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert "Secure" not in session  # the setting of this installation


def test_cookies_are_secure_when_the_setting_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.world.context.settings, "secure_cookies", True)
    answer = site.anonymous().get("/login")
    assert "Secure" in answer.headers["set-cookie"]


def test_only_hashes_are_stored(site: Site) -> None:
    browser = site.browser("officer")
    token = browser.client.cookies["ihala_session"]
    with session_scope(site.world.context.engine) as session:
        row = session.scalar(select(UserSession).where(UserSession.token_hash == auth.hash_token(token)))
        user = session.scalar(select(User).where(User.login == "officer"))
        assert row is not None
        assert user is not None
        assert user.password_hash.startswith("$argon2")
        assert token.encode() != row.token_hash


def test_passwords_are_kept_as_is_recommended(product_hasher: PasswordHash) -> None:
    """argon2id with the second choice of RFC 9106: 64 MiB, three passes, four lanes."""
    assert product_hasher.hash("whatever").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_login_forgives_case_and_spaces_and_follows_own_paths_only(own_site: Site) -> None:
    browser = own_site.anonymous()
    answer = browser.post("/login", {"login": " Coordinator ", "password": PASSWORD, "next": "/unmet"})
    assert answer.headers["location"] == "/unmet"
    answer = own_site.anonymous().post(
        "/login", {"login": "coordinator", "password": PASSWORD, "next": "//evil.example/"}
    )
    assert answer.headers["location"] == "/"


def test_the_page_that_was_wanted_comes_after_signing_in(site: Site) -> None:
    answer = site.anonymous().get("/queue?view=held&page=1")
    assert answer.headers["location"] == "/login?next=%2Fqueue%3Fview%3Dheld%26page%3D1"


def test_a_wrong_password_does_not_say_which_half_was_wrong(own_site: Site) -> None:
    wrong = own_site.anonymous().sign_in("coordinator", "guess")
    nobody = own_site.anonymous().sign_in("nobody-at-all", "guess")
    assert wrong.status_code == nobody.status_code == 401
    text = re.compile(r'role="alert">([^<]+)<')
    assert text.findall(wrong.text) == text.findall(nobody.text)
    assert "ihala_session" not in wrong.headers.get("set-cookie", "")


def test_guessing_is_slowed_down_and_forgotten_after_a_while(own_site: Site) -> None:
    browser = own_site.anonymous()
    for _ in range(auth.FAILURES_ALLOWED):
        assert browser.sign_in("coordinator", "guess").status_code == 401
    refused = browser.sign_in("coordinator", PASSWORD)
    assert refused.status_code == 429
    assert own_site.anonymous().sign_in("officer").status_code == 303  # others are not locked out
    engine = own_site.world.context.engine
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(LoginFailure)) == auth.FAILURES_ALLOWED
        long_ago = datetime.now(UTC) - auth.FAILURE_WINDOW - timedelta(seconds=1)
        session.execute(update(LoginFailure).values(at=long_ago))
    assert browser.sign_in("coordinator").status_code == 303
    with session_scope(engine) as session:
        assert session.scalar(select(func.count()).select_from(LoginFailure)) == 0


def test_an_account_that_was_switched_off_is_out_at_once(own_site: Site) -> None:
    browser = own_site.browser("officer")
    assert browser.get("/cases").status_code == 200
    with session_scope(own_site.world.context.engine) as session:
        session.execute(update(User).where(User.login == "officer").values(active=False))
    assert browser.get("/cases").status_code == 303
    assert own_site.anonymous().sign_in("officer").status_code == 401


def test_a_session_ends_by_itself_and_by_signing_out(own_site: Site) -> None:
    browser = own_site.browser("officer")
    answer = browser.post("/logout")
    assert answer.headers["location"] == "/login"
    assert browser.get("/cases").status_code == 303
    late = own_site.anonymous()
    late.sign_in("officer")
    with session_scope(own_site.world.context.engine) as session:
        session.execute(update(UserSession).values(expires_at=datetime.now(UTC)))
    assert late.get("/cases").status_code == 303
    own_site.anonymous().sign_in("provider")  # sweeps out what has run out
    with session_scope(own_site.world.context.engine) as session:
        assert session.scalar(select(func.count()).select_from(UserSession)) == 1
        opened = session.scalar(
            select(func.count()).where(AuditEvent.action.in_(["session.open", "session.close"]))
        )
        assert opened == 4


def _approve(browser: Browser, path: str, **changes: str) -> int:
    return browser.client.post(path, data=changes.pop("data", {}), headers=changes).status_code


def test_forms_from_elsewhere_are_refused(site: Site) -> None:
    browser = site.browser("coordinator")
    path = f"/referrals/{site.world.referrals['moi']}/approve"  # a 404 if the form were taken
    token = browser.token()
    assert browser.client.post(path).status_code == 403
    assert browser.client.post(path, data={"csrf_token": token[:-1] + "x"}).status_code == 403
    assert browser.client.post(path, data={"csrf_token": site.browser("officer").token()}).status_code == 403
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert browser.client.post(path, data={"csrf_token": token}, headers=headers).status_code == 403
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}, {"Origin": "null"}):
        assert browser.client.post(path, data={"csrf_token": token}, headers=headers).status_code == 404


def test_login_form_needs_its_cookie(site: Site) -> None:
    browser = site.anonymous()
    data = {"login": "officer", "password": PASSWORD, "csrf_token": "made-up"}
    assert browser.client.post("/login", data=data).status_code == 403


def test_language_is_kept_in_browser_and_account(own_site: Site) -> None:
    visitor = own_site.anonymous()
    assert '<html lang="ar" dir="rtl">' in visitor.get("/login").text
    answer = visitor.post("/language", {"language": "en", "next": "/login"})
    assert answer.headers["location"] == "/login"
    assert '<html lang="en" dir="ltr">' in visitor.get("/login").text
    visitor.post("/language", {"language": "xx", "next": "https://evil.example"})
    assert '<html lang="ar" dir="rtl">' in visitor.get("/login").text
    officer = own_site.browser("officer")
    officer.post("/language", {"language": "kmr"})
    assert '<html lang="kmr-Arab" dir="rtl">' in officer.get("/cases").text
    another = own_site.anonymous()
    another.post("/login", {"login": "officer", "password": PASSWORD})
    assert '<html lang="kmr-Arab" dir="rtl">' in another.get("/cases").text


def test_every_answer_carries_the_headers(site: Site) -> None:
    for path in ("/login", "/queue", "/nowhere", "/api/queue", "/static/ihala.css"):
        headers = site.browser("coordinator").get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert ("immutable" in headers["cache-control"]) == path.startswith("/static/")
        if not path.startswith("/static/"):
            assert headers["cache-control"] == "no-store"


def test_errors_are_pages_in_the_users_language_or_json(site: Site) -> None:
    coordinator = site.browser("coordinator")
    assert coordinator.get("/nowhere").status_code == 404
    assert "We could not find this page" in coordinator.get("/nowhere").text
    assert coordinator.get("/api/nowhere").json() == {"code": "not_found"}
    assert "لم نعثر على هذه الصفحة" in site.anonymous().get("/nowhere").text
    assert coordinator.get("/referrals/not-a-number").status_code == 400
    assert coordinator.get("/api/referrals/not-a-number").json() == {"code": "bad_request"}
    assert coordinator.client.put("/queue").status_code == 405


def test_assets_are_ours_and_no_source_is_served(site: Site) -> None:
    page = site.anonymous().get("/login").text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    for path in ("/static/ihala.css", "/static/map.js", "/assets/leaflet/leaflet.js"):
        assert site.anonymous().get(path).status_code == 200
    assert site.anonymous().get("/assets/fonts/NotoSansArabic-Variable.ttf").status_code == 200
    for path in ("/assets/fonts/__init__.py", "/assets/leaflet/leaflet.js.map", "/static/../app.py"):
        assert site.anonymous().get(path).status_code == 404
