"""Plan, follow-up, score, letters and closing as an officer presses them, on a phone without JavaScript."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pypdfium2
import pytest
from sqlalchemy import select

from api.letters_pdf import letter_body
from casework.letters import LetterContent
from db.models import AuditEvent, Consent, FollowUp, Letter, Outcome
from db.session import session_scope
from governorates import format_code, letter_texts, local_day, score_questionnaire
from tests.integration.test_pages.conftest import Browser, Site
from tests.integration.test_pages.test_acting import path

SOON = f"{datetime.now(UTC) + timedelta(days=40):%Y-%m-%d}"
HIDDEN = re.compile(r'name="(goal_id|follow_up_id|need_id)" value="(\d+)"')
ARABIC_LETTER = re.compile(r"[\u0621-\u064a]")


def today(site: Site) -> str:
    """The day at the office, which begins three hours before that of UTC."""
    return local_day(site.world.context.governorate, datetime.now(UTC)).isoformat()


def case_path(site: Site, name: str) -> str:
    return f"/cases/{site.world.codes[name]}"


def hidden(page: str, name: str) -> str:
    return next(value for found, value in HIDDEN.findall(page) if found == name)


def agree_plan(site: Site, name: str) -> tuple[Browser, str]:
    officer, case = site.browser("officer"), case_path(site, name)
    answer = officer.post(f"{case}/plan", {"agreement": "signed", "note": "تريد أن تعمل"})
    assert answer.headers["location"] == f"{case}/plan?done=plan_agreed"
    return officer, case


def test_a_plan_with_a_goal_that_is_met(own_site: Site) -> None:
    officer, case = agree_plan(own_site, "sent")
    added = officer.post(f"{case}/goals", {"goal_type": "job", "target_date": SOON, "note": "خياطة"})
    assert added.status_code == 303
    page = officer.get(f"{case}/plan").text
    assert "تريد أن تعمل" in page
    assert "خياطة" in page
    assert officer.post(f"{case}/goals", {"goal_type": "job"}).status_code == 422
    met = officer.post(f"{case}/goals/met", {"goal_id": hidden(page, "goal_id")})
    assert met.headers["location"].endswith("done=goal_met")
    assert "A goal was met." in officer.get(f"{case}/history").text


def test_follow_ups_show_the_safe_contact_and_record_the_reading(own_site: Site) -> None:
    officer, case = own_site.browser("officer"), case_path(own_site, "sent")
    officer.post(f"{case}/follow-ups", {"kind": "call", "due_on": today(own_site)})
    page = officer.get(f"{case}/follow-ups").text
    assert "tel:07701234567" in page
    assert "Only the person" in page
    listed = officer.get("/follow-ups").text
    assert own_site.world.printed("sent") in listed
    assert "07701234567" not in listed
    follow_up = {"follow_up_id": hidden(page, "follow_up_id"), "kind": "call", "result": "not_reached"}
    assert officer.post(f"{case}/follow-ups/record", follow_up).status_code == 303
    page = officer.get(f"{case}/follow-ups").text
    assert "Attempt 2: the person was not reached before" in page
    assert "&lt;" not in page
    with session_scope(own_site.world.context.engine) as session:
        read = session.scalars(select(AuditEvent.purpose).where(AuditEvent.action == "follow_up.read")).all()
        assert "phone" in read
        assert session.scalars(select(FollowUp.source).order_by(FollowUp.id)).all() == ["planned", "again"]


def test_the_office_sees_only_its_own_follow_ups(own_site: Site) -> None:
    agree_plan(own_site, "sent")
    assert own_site.world.printed("sent") in own_site.browser("officer").get("/follow-ups").text
    assert own_site.world.printed("sent") not in own_site.browser("officer-elsewhere").get("/follow-ups").text


def test_a_round_of_the_score(own_site: Site) -> None:
    officer, case = own_site.browser("officer"), case_path(own_site, "sent")
    assert officer.get(f"{case}/scores/answers?round=ninth").status_code == 404
    form = officer.get(f"{case}/scores/answers?round=baseline").text
    questions = score_questionnaire().indicators
    assert all(f'name="answer_{one.code}"' in form for one in questions)
    answers = {f"answer_{one.code}": next(iter(one.answers)) for one in questions} | {"answer_housing": ""}
    assert officer.post(f"{case}/scores/answers", answers | {"round": "baseline"}).status_code == 303
    page = officer.get(f"{case}/scores").text
    assert "0.83" in page  # five of six social answers
    assert "14" in page
    bad = {"round": "baseline", "answer_housing": "grand"}
    assert officer.post(f"{case}/scores/answers", bad).status_code == 422


LETTER = {"kind": "registration", "requested": "yes", "agreed": "yes", "channel": "desk", "language": "ar"}


def pdf_text(content: bytes) -> str:
    with pypdfium2.PdfDocument(content) as document:
        assert len(document) == 1
        return str(document[0].get_textpage().get_text_range())


def letters_of(text: str) -> Counter[str]:
    return Counter(ARABIC_LETTER.findall(text))


def issue(site: Site, name: str, **change: str) -> bytes:
    officer, case = site.browser("officer"), case_path(site, name)
    assert officer.post(f"{case}/letters", LETTER | change).status_code == 303
    with session_scope(site.world.context.engine) as session:
        letter_id = session.scalars(select(Letter.id).order_by(Letter.id.desc())).first()
    answer = officer.get(f"{case}/letters/{letter_id}")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["cache-control"] == "no-store"
    return answer.content


def test_a_letter_says_its_own_case_and_no_other(own_site: Site) -> None:
    world = own_site.world
    text = pdf_text(issue(own_site, "sent"))
    assert format_code(world.codes["sent"]) in text
    assert "To whom it may concern" in text
    assert "the bearer of this letter" in text
    for name, code in world.codes.items():
        assert (format_code(code) in text) == (name == "sent")
    content = LetterContent(
        "1",
        letter_texts().kinds["registration"],
        world.codes["sent"],
        {"ar": "م"},
        None,
        None,
        None,
        datetime.now(UTC),
    )
    # Shaped glyphs come back in the order of drawing; their letters must all be there.
    missing = letters_of(letter_body(content, "ar")) - letters_of(text)
    assert sum(missing.values()) == 0
    assert not letters_of("زهراء") <= letters_of(text.split("National")[1].split("Signature")[0])


def test_the_name_stands_there_only_on_request(own_site: Site) -> None:
    named = pdf_text(issue(own_site, "sent", with_name="yes"))
    assert "the bearer of this letter" not in named
    with session_scope(own_site.world.context.engine) as session:
        letter = session.scalars(select(Letter)).one()
        consent = session.get(Consent, letter.consent_id)
        assert consent is not None
        assert letter.fields == consent.fields == ["case_code", "office", "name"]
        assert (consent.kind, consent.given, letter.languages) == ("letter", True, ["ar", "en"])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"requested": ""}, 409),
        ({"agreed": ""}, 409),
        ({"kind": "love"}, 422),
        ({"language": "ckb"}, 422),
        ({"channel": "pigeon"}, 422),
        ({"kind": "provider", "referral_id": ""}, 404),
        ({"kind": "provider", "referral_id": "999999"}, 404),
    ],
)
def test_a_letter_without_what_it_needs_is_refused(site: Site, change: dict[str, str], status: int) -> None:
    officer = site.browser("officer")
    assert officer.post(f"{case_path(site, 'sent')}/letters", LETTER | change).status_code == status


def test_a_letter_of_another_case_does_not_open_through_ones_own(own_site: Site) -> None:
    issue(own_site, "sent")
    with session_scope(own_site.world.context.engine) as session:
        letter_id = session.scalars(select(Letter.id)).one()
    officer = own_site.browser("officer")
    assert officer.get(f"{case_path(own_site, 'other')}/letters/{letter_id}").status_code == 404


def test_a_letter_to_the_provider_names_service_and_organization(own_site: Site) -> None:
    referral = str(own_site.world.referrals["sent"])
    text = pdf_text(issue(own_site, "sent", kind="provider", referral_id=referral))
    assert "was referred to you for" in " ".join(text.split())


def test_a_case_is_closed_and_opened_again(own_site: Site) -> None:
    officer, case = own_site.browser("officer"), case_path(own_site, "twin")
    sent = case_path(own_site, "sent")
    assert officer.post(f"{sent}/close", {"reason": "no_more_needs"}).status_code == 409
    agree_plan(own_site, "excluding")
    case = case_path(own_site, "excluding")
    assert officer.post(f"{case}/close", {"reason": "person_wishes"}).status_code == 303
    page = officer.get(f"{case}/history").text
    assert "The case was closed." in page
    assert "Closed" in page
    assert officer.post(f"{case}/plan", {"agreement": "oral"}).status_code == 409
    assert officer.post(f"{case}/reopen", {"reason": "person_returned"}).status_code == 303
    page = officer.get(f"{case}/history").text
    assert page.index("opened again") < page.index("The case was closed.") < page.index("A plan was agreed.")


def test_an_officer_records_what_the_returnee_received(own_site: Site) -> None:
    officer, case = own_site.browser("officer"), case_path(own_site, "sent")
    given = {
        "referral_id": str(own_site.world.referrals["sent"]),
        "outcome_type": "cash_received",
        "quantity": "250000",
        "unit": "dinar",
        "delivered_on": today(own_site),
    }
    assert officer.post(f"{case}/outcomes", given).status_code == 409  # nothing has begun yet
    assert "Record an outcome" not in officer.get(f"{case}/plan").text
    provider = own_site.browser("provider")
    for step in ("accept", "start"):
        assert provider.post(f"/provider{path(own_site, 'sent')}/{step}").status_code == 303
    assert "Record an outcome" in officer.get(f"{case}/plan").text
    elsewhere = own_site.browser("officer-elsewhere")
    assert elsewhere.post(f"{case}/outcomes", given).status_code == 404
    assert officer.post(f"{case}/outcomes", given).status_code == 303
    foreign = given | {"referral_id": str(own_site.world.referrals["other"])}
    assert officer.post(f"{case}/outcomes", foreign).status_code == 404
    assert "250,000" in officer.get(f"{case}/plan").text
    with session_scope(own_site.world.context.engine) as session:
        assert session.scalars(select(Outcome.recorded_role)).all() == ["officer"]
