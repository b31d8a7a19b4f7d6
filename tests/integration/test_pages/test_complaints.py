"""Complaints on the pages: anonymous from end to end, who sees what, the brake, and what is never told."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select, update

from api import complaint_brake as brake
from api.body_limit import LARGEST_FORM
from api.permissions import Permission, permits
from casework.complaints import LONGEST_TEXT
from db.models import AuditEvent, Complaint, ComplaintAttempt, ComplaintEvent, Role
from db.session import session_scope
from db.vault import Vault
from governorates import format_complaint_code
from tests.factories.complaints import ADDRESS, TEXT, complain
from tests.integration.test_pages.conftest import Browser, Site
from tests.integration.test_pages.test_access import LOGIN_OF_ROLE

FILLED = {"subject": "provider", "kind": "fee_asked", "text": TEXT}
CODE = re.compile(r"CMP-\w{3}-\w{4}")
PHRASE = re.compile(r"<bdi>((?:\d{4} ){3}\d{4})</bdi>")


def in_english(browser: Browser) -> Browser:
    browser.client.cookies.set("ihala_language", "en", domain="testserver.local", path="/")
    return browser


def from_elsewhere(site: Site, address: str) -> Browser:
    """A visitor without an account at another network address."""
    browser = in_english(site.anonymous())
    transport = browser.client._transport
    transport.client = (address, 50_000)  # type: ignore[attr-defined]
    return browser


def receipt_of(answer: httpx.Response) -> tuple[str, str]:
    assert answer.status_code == 200, answer.text
    code, phrase = CODE.search(answer.text), PHRASE.search(answer.text)
    assert code is not None
    assert phrase is not None
    return code.group(), phrase.group(1)


def stored(site: Site) -> list[Complaint]:
    with session_scope(site.world.context.engine) as session:
        return list(session.scalars(select(Complaint).order_by(Complaint.id)))


@pytest.mark.parametrize("language", ["ar", "ckb", "kmr", "en"])
def test_the_way_of_an_anonymous_complaint(own_site: Site, language: str) -> None:
    visitor = own_site.anonymous()
    visitor.client.cookies.set("ihala_language", language, domain="testserver.local", path="/")
    form = visitor.get("/complaints/new")
    assert form.status_code == 200
    assert 'method="post" action="/complaints/new"' in form.text
    answer = visitor.post("/complaints/new", FILLED)
    code, phrase = receipt_of(answer)
    assert answer.headers["cache-control"] == "no-store"
    assert TEXT not in answer.text
    received = stored(own_site)[0]
    assert (received.anonymous, received.language, received.channel) == (True, language, "page")

    supervisor = own_site.browser("supervisor")
    assert f"/complaints/{received.code}" in supervisor.get("/complaints").text
    read = supervisor.get(f"/complaints/{code}")
    assert TEXT in read.text
    assert supervisor.post(f"/complaints/{code}/acknowledge").status_code == 303
    said = {"reason": "upheld", "text": "أُعيد المبلغ"}
    answered = supervisor.post(f"/complaints/{code}/answer", said)
    assert answered.headers["location"] == f"/complaints/{code}?done=noted"

    looked = visitor.post("/complaints/status", {"code": code, "phrase": phrase})
    assert "أُعيد المبلغ" in looked.text
    assert TEXT not in looked.text  # whoever holds the paper reads the answer, not what was said
    back = visitor.post("/complaints/status", {"code": code, "phrase": phrase, "text": "لم يُعَد"})
    assert back.status_code == 200
    with session_scope(own_site.world.context.engine) as session:
        events = session.execute(select(ComplaintEvent.move, ComplaintEvent.user_id)).all()
        assert [row[0] for row in events] == ["receive", "acknowledge", "answer", "appeal"]
        assert (events[0][1], events[3][1]) == (None, None)
    # Only one supervisor of this ministry: the second instance is data protection.
    assert supervisor.get(f"/complaints/{code}").status_code == 404
    assert supervisor.post(f"/complaints/{code}/answer_appeal", said).status_code == 404
    second = own_site.browser("data-protection")
    assert second.post(f"/complaints/{code}/answer_appeal", said).status_code == 303
    assert stored(own_site)[0].state == "appeal_answered"


def test_a_wrong_code_says_the_same_as_a_wrong_phrase(own_site: Site) -> None:
    visitor = in_english(own_site.anonymous())
    code, phrase = receipt_of(visitor.post("/complaints/new", FILLED))
    wrong = {"code": code, "phrase": phrase[:-1] + ("0" if phrase[-1] != "0" else "1")}
    answers = [
        visitor.post("/complaints/status", tried)
        for tried in (wrong, {"code": "CMP-222-2222"} | {"phrase": phrase})
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].text == answers[1].text
    assert "is not right" in answers[0].text


def test_what_was_typed_is_not_lost_and_never_in_an_address(own_site: Site) -> None:
    visitor = in_english(own_site.anonymous())
    answer = visitor.post("/complaints/new", FILLED | {"kind": "", "reply_address": ADDRESS})
    assert answer.status_code == 422
    assert "Please choose from the lists." in answer.text
    assert TEXT in answer.text
    assert ADDRESS in answer.text
    long = visitor.post("/complaints/new", FILLED | {"text": "ا" * (LONGEST_TEXT + 1)})
    assert (long.status_code, "This text is too long." in long.text) == (422, True)
    assert visitor.post("/complaints/new", FILLED | {"text": "<script>x</script>"}).status_code == 200
    assert stored(own_site)[0].channel == "page"
    assert len(stored(own_site)) == 1


def test_who_is_signed_in_is_not_noted_on_the_public_page(own_site: Site) -> None:
    receipt_of(own_site.browser("officer").post("/complaints/new", FILLED))
    with session_scope(own_site.world.context.engine) as session:
        event = session.scalars(select(ComplaintEvent)).one()
        assert (event.actor_role, event.user_id) == ("complainant", None)
        assert session.scalar(select(func.count()).where(AuditEvent.action.like("complaint%"))) == 0


def test_the_public_form_takes_no_clerks_fields(own_site: Site) -> None:
    world = own_site.world
    fields = {"referral": str(world.referrals["sent"]), "organization": "1", "channel": "desk"}
    receipt_of(own_site.anonymous().post("/complaints/new", FILLED | fields))
    made = stored(own_site)[0]
    assert (made.referral_id, made.organization_id, made.channel) == (None, None, "page")


@pytest.mark.parametrize("path", ["/complaints/new", "/complaints/status"])
def test_a_flood_of_bytes_is_refused_unread(site: Site, path: str) -> None:
    visitor = in_english(site.anonymous())
    big = {"text": "a" * (LARGEST_FORM + 1)}
    refused = visitor.post(path, FILLED | big)
    assert (refused.status_code, "is too large" in refused.text) == (413, True)

    def endless() -> Iterator[bytes]:
        yield b"csrf_token=" + visitor.token().encode() + b"&text="
        for _ in range(1000):
            yield b"a" * 1024

    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert visitor.client.post(path, content=endless(), headers=kind).status_code == 413


def test_forms_from_elsewhere_are_refused(site: Site) -> None:
    client = site.anonymous().client
    assert client.post("/complaints/new", data=FILLED).status_code == 403
    assert client.post("/complaints/status", data={"code": "CMP-222-2222"}).status_code == 403


def test_a_flood_of_complaints_stops_nobody_else(own_site: Site) -> None:
    flooder, neighbour = from_elsewhere(own_site, "203.0.113.7"), from_elsewhere(own_site, "203.0.113.8")
    for _ in range(brake.COMPLAINTS_ALLOWED):
        receipt_of(flooder.post("/complaints/new", FILLED))
    refused = flooder.post("/complaints/new", FILLED)
    assert refused.status_code == 429
    assert TEXT in refused.text  # nothing typed is lost
    assert "tell any office" in refused.text
    receipt_of(neighbour.post("/complaints/new", FILLED))
    recorded = own_site.browser("officer").post(
        "/complaints/record", FILLED | {"channel": "desk", "language": "ar"}
    )
    receipt_of(recorded)
    with session_scope(own_site.world.context.engine) as session:
        kept = session.scalars(select(ComplaintAttempt)).all()
        assert not any(b"203.0" in row.source_index for row in kept)
        session.execute(update(ComplaintAttempt).values(at=datetime.now(UTC) - brake.WINDOW))
    receipt_of(flooder.post("/complaints/new", FILLED))
    with session_scope(own_site.world.context.engine) as session:
        assert session.scalar(select(func.count(ComplaintAttempt.id))) == 1  # what is old is forgotten


def test_all_addresses_of_one_ipv6_network_count_as_one(own_site: Site) -> None:
    for number in range(brake.COMPLAINTS_ALLOWED):
        visitor = from_elsewhere(own_site, f"2001:db8::{number + 1:x}")
        receipt_of(visitor.post("/complaints/new", FILLED))
    assert from_elsewhere(own_site, "2001:db8::ffff").post("/complaints/new", FILLED).status_code == 429
    receipt_of(from_elsewhere(own_site, "2001:db8:0:1::1").post("/complaints/new", FILLED))


def test_guessing_at_a_complaint_never_keeps_its_person_out(own_site: Site) -> None:
    person, guesser = from_elsewhere(own_site, "203.0.113.7"), from_elsewhere(own_site, "203.0.113.9")
    code, phrase = receipt_of(person.post("/complaints/new", FILLED))
    other_code, other_phrase = receipt_of(person.post("/complaints/new", FILLED))
    for _ in range(brake.WRONG_PHRASES_ALLOWED):
        assert guesser.post("/complaints/status", {"code": code, "phrase": "1"}).status_code == 404
    assert guesser.post("/complaints/status", {"code": code, "phrase": phrase}).status_code == 429
    assert person.post("/complaints/status", {"code": code, "phrase": phrase}).status_code == 200
    # Nor somebody on the guesser's own connection from another complaint.
    looked = guesser.post("/complaints/status", {"code": other_code, "phrase": other_phrase})
    assert looked.status_code == 200


def unaged(page: str) -> str:
    """A page without how long things have waited."""
    return re.sub(r"\d+ minutes?", "", page)


def psea_complaint(site: Site, **fields: str) -> str:
    """A complaint of sexual exploitation, recorded by an officer."""
    said = FILLED | {"kind": "sexual_exploitation", "channel": "desk", "language": "ar"} | fields
    return receipt_of(site.browser("officer").post("/complaints/record", said))[0]


PAGES_OF_THE_LINE = {
    Role.OFFICER: ["/cases", "/account", "/complaints/record"],
    Role.COORDINATOR: ["/queue?view=all", "/unmet", "/duplicates", "/submissions", "/account"],
    Role.PROVIDER: ["/provider", "/provider/print", "/account"],
    Role.ADMIN: ["/admin", "/submissions", "/account"],
    Role.SUPERVISOR: ["/complaints", "/complaints?view=overdue", "/complaints?view=closed", "/account"],
    Role.DATA_PROTECTION: ["/complaints", "/complaints?view=overdue", "/account"],
}


def test_sexual_exploitation_is_nowhere_for_anybody_of_the_line(
    own_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    before = {
        (role, path): unaged(own_site.browser(LOGIN_OF_ROLE[role]).get(path).text)
        for role, paths in PAGES_OF_THE_LINE.items()
        for path in paths
    }
    with caplog.at_level(logging.DEBUG):
        code = psea_complaint(own_site, reply_address=ADDRESS)
        plain = code.replace("-", "")
        focal_point = own_site.browser("psea-focal-point")
        assert TEXT in focal_point.get(f"/complaints/{code}").text
        for role in PAGES_OF_THE_LINE:
            browser = own_site.browser(LOGIN_OF_ROLE[role])
            reads = permits(role, Permission.COMPLAINT_READ)
            for method, path in (
                ("GET", f"/complaints/{code}"),
                ("POST", f"/complaints/{code}/acknowledge"),
                ("POST", f"/complaints/{code}/pass_on"),
            ):
                answer = browser.get(path) if method == "GET" else browser.post(path)
                assert answer.status_code == (404 if reads else 403), (role, path)
                # The same words as for a code that never existed.
                never = path.replace(code, "CMP-222-2222")
                other = browser.get(never) if method == "GET" else browser.post(never)
                assert answer.text.replace(code, "") == other.text.replace("CMP-222-2222", "")
            sought = [browser.post("/complaints", {"code": one}) for one in (code, "CMP-222-2222")]
            assert {one.status_code for one in sought} == {404 if reads else 403}, role
            assert sought[0].text.replace(code, "") == sought[1].text.replace("CMP-222-2222", "")
    for (role, path), text in before.items():
        assert unaged(own_site.browser(LOGIN_OF_ROLE[role]).get(path).text) == text, (role, path)
    logged = caplog.text
    assert not [secret for secret in (TEXT, plain, *ADDRESS.split()) if secret in logged]
    with session_scope(own_site.world.context.engine) as session:
        rows = session.scalars(select(AuditEvent).where(AuditEvent.object_type == "complaint"))
        assert rows.all() == []
        moves = session.scalars(select(ComplaintEvent.move).order_by(ComplaintEvent.id)).all()
        assert moves == ["receive", "read"]


def test_the_focal_point_works_outside_the_line_alone(own_site: Site) -> None:
    code = psea_complaint(own_site)
    visitor = in_english(own_site.anonymous())
    inside, _ = receipt_of(visitor.post("/complaints/new", FILLED))
    focal_point = own_site.browser("psea-focal-point")
    listed = focal_point.get("/complaints").text
    assert code.replace("-", "") in listed
    assert inside.replace("-", "") not in listed
    assert focal_point.get(f"/complaints/{inside}").status_code == 404
    found = focal_point.post("/complaints", {"code": code.lower()})
    assert (found.status_code, found.headers["location"]) == (303, f"/complaints/{code}")
    assert focal_point.post("/complaints", {"code": inside}).status_code == 404
    assert focal_point.post(f"/complaints/{code}/acknowledge").status_code == 303
    assert focal_point.post(f"/complaints/{code}/pass_on").status_code == 403


def test_the_recorders_receipt_is_the_same_whatever_it_is_about(own_site: Site) -> None:
    """An officer who records learns nothing from the answer, and cannot look the complaint up."""
    texts = set()
    for kind in ("sexual_exploitation", "no_service"):
        said = FILLED | {"kind": kind, "channel": "phone", "language": "ckb"}
        answer = own_site.browser("officer").post("/complaints/record", said)
        code, phrase = receipt_of(answer)
        texts.add(answer.text.replace(code, "").replace(phrase, ""))
        assert own_site.browser("officer").get(f"/complaints/{code}").status_code == 403
    assert len(texts) == 1
    assert [row.channel for row in stored(own_site)] == ["phone", "phone"]


def test_a_provider_complains_about_its_own_match_only(own_site: Site) -> None:
    world, provider = own_site.world, own_site.browser("provider")
    referral = world.referrals["sent"]
    assert f"/complaints/record?referral={referral}" in provider.get(f"/provider/referrals/{referral}").text
    page = provider.get(f"/complaints/record?referral={referral}").text
    assert 'name="organization"' not in page
    assert 'name="channel"' not in page
    said = {"subject": "match", "kind": "other", "text": TEXT, "language": "ar", "referral": str(referral)}
    receipt_of(provider.post("/complaints/record", said))
    made = stored(own_site)[0]
    assert (made.referral_id, made.organization_id) == (referral, world.organizations["addressed"])
    assert (
        own_site.browser("supervisor").get(f"/complaints/{made.code}").text.count(world.printed("sent")) == 1
    )
    for foreign in (world.referrals["proposed"], 999_999):
        assert provider.get(f"/complaints/record?referral={foreign}").status_code == 404
        assert provider.post("/complaints/record", said | {"referral": str(foreign)}).status_code == 404


def test_a_clerk_keeps_what_was_typed_when_something_is_missing(own_site: Site) -> None:
    officer = own_site.browser("officer")
    said = FILLED | {"language": "ar", "channel": "phone", "organization": "x"}
    answer = officer.post("/complaints/record", said)
    assert (answer.status_code, TEXT in answer.text) == (422, True)
    assert officer.post("/complaints/record", said | {"organization": ""}).status_code == 200


def test_answering_needs_an_outcome_and_the_steps_in_order(own_site: Site) -> None:
    code, _ = receipt_of(in_english(own_site.anonymous()).post("/complaints/new", FILLED))
    supervisor = own_site.browser("supervisor")
    said = {"reason": "upheld", "text": "نعم"}
    assert supervisor.post(f"/complaints/{code}/answer", said).status_code == 409
    supervisor.post(f"/complaints/{code}/acknowledge")
    assert supervisor.post(f"/complaints/{code}/answer", {"text": "نعم"}).status_code == 422
    assert supervisor.post(f"/complaints/{code}/answer", {"reason": "upheld"}).status_code == 422
    assert supervisor.post(f"/complaints/{code}/close").status_code == 400
    assert supervisor.post(f"/complaints/{code}/read").status_code == 400
    assert supervisor.post(f"/complaints/{code}/answer", said).status_code == 303
    # The other ministry's supervisor neither sees nor moves it.
    elsewhere = own_site.browser("supervisor-moi")
    assert elsewhere.get(f"/complaints/{code}").status_code == 404
    assert elsewhere.post(f"/complaints/{code}/appeal", {"text": "x"}).status_code == 404


def test_passing_on_takes_the_complaint_out_of_sight(own_site: Site) -> None:
    code, _ = receipt_of(in_english(own_site.anonymous()).post("/complaints/new", FILLED))
    supervisor = own_site.browser("supervisor")
    assert supervisor.get(f"/complaints/{code}").status_code == 200
    passed = supervisor.post(f"/complaints/{code}/pass_on")
    assert passed.headers["location"] == "/complaints?done=passed"
    assert supervisor.get(f"/complaints/{code}").status_code == 404
    assert code.replace("-", "") not in supervisor.get("/complaints").text
    assert TEXT in own_site.browser("psea-focal-point").get(f"/complaints/{code}").text


def test_the_list_comes_in_pages_with_few_statements_and_marks_what_is_late(own_site: Site) -> None:
    context = own_site.world.context
    with session_scope(context.engine) as session:
        vault, now = Vault(session, context.masters), datetime.now(UTC)
        for days in range(27):
            complain(session, vault, context.governorate, now - timedelta(days=days))
        complain(session, vault, context.governorate, now, kind="sexual_exploitation")
    supervisor = own_site.browser("supervisor")
    first, second = supervisor.get("/complaints").text, supervisor.get("/complaints?page=2").text
    assert len(set(CODE.findall(first)) - {"CMP-ABC-DEFG"}) == 25
    assert len(set(CODE.findall(second)) - {"CMP-ABC-DEFG"}) == 2
    oldest = min(stored(own_site), key=lambda row: row.received_at)
    assert format_complaint_code(oldest.code) in first
    assert '<span class="chip late">Overdue</span>' in first
    late = supervisor.get("/complaints?view=overdue").text
    assert 'class="chip late"' in late
    assert supervisor.get("/complaints?view=everything").status_code == 400
    with session_scope(context.engine) as session:
        audited = session.scalar(select(func.count()).where(AuditEvent.action == "complaint.read"))
        assert audited == 0  # the list holds no words
    supervisor.get(f"/complaints/{oldest.code}")
    with session_scope(context.engine) as session:
        row = session.scalars(select(AuditEvent).where(AuditEvent.action == "complaint.read")).one()
        assert (row.object_id, row.purpose) == (oldest.id, None)


def test_every_page_leads_to_the_form_and_the_hotline_is_shown_where_there_is_one(own_site: Site) -> None:
    link = 'href="/complaints/new"'
    for login in (*LOGIN_OF_ROLE.values(), "supervisor-moi"):
        assert link in own_site.browser(login).get("/account").text
    visitor = in_english(own_site.anonymous())
    for path in ("/login", "/nowhere", "/complaints/status"):
        assert link in visitor.get(path).text
    assert "You can also call" not in visitor.get("/complaints/new").text
    context = own_site.world.context
    procedure = replace(context.governorate.complaints, hotline="0662 000 000")
    context.governorate = replace(context.governorate, complaints=procedure)
    assert "0662 000 000" in visitor.get("/complaints/new").text
