"""Consent on the pages: taken back, said again, overridden; and no form of the application sends without it."""

import csv
import html
import io
import re

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import func, select, update

from casework.households import answer_anew
from db.models import (
    AuditEvent,
    Case,
    CaseTransfer,
    Consent,
    ConsentOverride,
    DeletionRequest,
    Need,
    Referral,
    SubmissionIssue,
    Withdrawal,
)
from db.session import session_scope
from governorates import consent_text, consent_text_version
from referral_engine.sop import DISCLOSED
from tests.integration.test_pages.conftest import Site
from tests.integration.test_pages.test_access import _fill
from tests.integration.test_pages.test_acting import consent_form, path, state


def withdraw(site: Site, login: str, name: str, **changes: str) -> str:
    """Post the form of the case page; the receipt's address."""
    form = {"case_id": str(site.world.cases[name]), "channel": "phone", "scope": "everything"} | changes
    answer = site.browser(login).post(f"/cases/{site.world.codes[name]}/withdraw", form)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].split("?")[0]


def test_a_withdrawal_and_its_receipt(own_site: Site) -> None:
    site, world = own_site, own_site.world
    provider, officer = site.browser("provider"), site.browser("officer")
    assert provider.get(f"/provider{path(site, 'sent')}").status_code == 200
    receipt = withdraw(site, "officer", "sent")
    assert state(site, "sent") == "recalled"
    assert provider.get(f"/provider{path(site, 'sent')}").status_code == 404
    page = officer.get(receipt).text
    assert world.printed("sent") in page
    assert "إيصال: سحب الموافقة" in page
    assert "مديرية صحة نينوى" in page or "صحة" in page
    assert "زهراء" not in page
    assert "07701234567" not in page
    assert receipt in officer.get(f"/cases/{world.codes['sent']}").text
    with session_scope(world.context.engine) as session:
        kept = session.scalars(select(Withdrawal)).one()
        assert (kept.scope, kept.channel, kept.case_id) == ("everything", "phone", world.cases["sent"])
        audited = session.scalars(select(AuditEvent.action).where(AuditEvent.object_id == kept.case_id)).all()
        assert "consent.withdraw" in audited
    for stranger in ("officer-elsewhere", "coordinator-moi"):
        assert site.browser(stranger).get(receipt).status_code == 404
    assert officer.get(receipt.replace(world.codes["sent"], world.codes["other"])).status_code == 404


def test_the_receipt_speaks_the_persons_language_too(own_site: Site) -> None:
    with session_scope(own_site.world.context.engine) as session:
        session.execute(
            update(Consent.metadata.tables["case_file"])
            .where(Consent.metadata.tables["case_file"].c.id == own_site.world.cases["other"])
            .values(contact_language="ckb")
        )
    page = own_site.browser("officer").get(withdraw(own_site, "officer", "other")).text
    assert "پسووڵە: کشانەوە لە ڕەزامەندی" in page
    assert "إيصال: سحب الموافقة" in page
    assert "لم يُرسل شيء إلى أي جهة." in page


def test_the_form_of_another_case_is_refused(own_site: Site) -> None:
    world = own_site.world
    form = {"case_id": str(world.cases["moi"]), "channel": "desk", "scope": "everything"}
    officer = own_site.browser("officer")
    assert officer.post(f"/cases/{world.codes['sent']}/withdraw", form).status_code == 404
    own = form | {"case_id": str(world.cases["sent"])}
    for changes in ({"scope": ""}, {"channel": ""}, {"scope": "categories"}):
        assert officer.post(f"/cases/{world.codes['sent']}/withdraw", own | changes).status_code == 422
    assert (
        officer.post(
            f"/cases/{world.codes['sent']}/withdraw", own | {"scope": "referral", "referral_id": "9" * 25}
        ).status_code
        == 400
    )
    assert state(own_site, "sent") == "sent"


def test_the_provider_says_that_it_deleted(own_site: Site) -> None:
    provider = own_site.browser("provider")
    assert "To be deleted" not in provider.get("/provider").text
    withdraw(
        own_site, "coordinator", "sent", scope="referral", referral_id=str(own_site.world.referrals["sent"])
    )
    assert "To be deleted" in provider.get("/provider").text
    page = provider.get("/provider/deletions").text
    assert own_site.world.printed("sent") in page
    with session_scope(own_site.world.context.engine) as session:
        request_id = session.scalars(select(DeletionRequest.id)).one()
    target = f"/provider/deletions/{request_id}/confirm"
    for login in ("supervisor", "data-protection"):
        overseen = own_site.browser(login).get("/deletions").text
        assert f"<bdi>{own_site.world.referrals['sent']}</bdi>" in overseen
        assert own_site.world.printed("sent") not in overseen
    assert "Nothing waits" in own_site.browser("supervisor-moi").get("/deletions").text
    assert own_site.browser("provider-other").post(target).status_code == 404
    assert provider.post(target).headers["location"] == "/provider/deletions?done=deleted"
    assert "Deleted on" in provider.get("/provider/deletions").text
    assert "To be deleted" not in provider.get("/provider").text
    assert "Nothing waits" in own_site.browser("supervisor").get("/deletions").text


def test_contact_taken_back_hides_the_phone(own_site: Site) -> None:
    provider = own_site.browser("provider")
    own = f"/provider{path(own_site, 'sent')}"
    assert "07701234567" in provider.get(own).text
    withdraw(own_site, "officer", "sent", scope="contact")
    page = provider.get(own)
    assert (page.status_code, "07701234567" in page.text) == (200, False)
    assert "زهراء" in page.text
    asked = own_site.browser("officer").get(path(own_site, "awaiting")).text
    assert 'value="safe_call"' in asked
    withdraw(own_site, "officer", "awaiting", scope="contact")
    asked = own_site.browser("officer").get(path(own_site, "awaiting")).text
    assert 'value="safe_call"' not in asked
    assert "does not want to be called" in asked


def test_what_ends_soon_is_listed_and_renewed(own_site: Site) -> None:
    officer, world = own_site.browser("officer"), own_site.world
    assert "Nothing to renew" in officer.get("/consents/expiring").text
    form = {"case_id": str(world.cases["proposed"]), "channel": "desk", "language": "ar", "agreed": "yes"}
    form |= {"contact": "no", "statistics": "yes"}
    target = f"/cases/{world.codes['proposed']}/renew"
    many = {"category": ["health", "mhpss"], "recipient": ["state_programme"]}
    assert officer.post(target, form | {"agreed": ""}).status_code == 409
    assert officer.post(target, form | {"language": "ckb"} | many).status_code == 422  # no interpreter
    assert officer.post(target, form | many | {"category": ["gold"]}).status_code == 422
    answer = officer.post(target, form | many)
    assert answer.headers["location"] == f"/cases/{world.codes['proposed']}?done=renewed"
    with session_scope(world.context.engine) as session:
        newest = session.scalars(
            select(Consent)
            .where(Consent.case_id == world.cases["proposed"], Consent.kind == "assessment")
            .order_by(Consent.id.desc())
        ).first()
        assert newest is not None
        assert (newest.channel, set(newest.categories)) == ("desk", {"health", "mhpss"})
    again = {"channel": "desk", "language": "ar", "agreed": "yes"}
    target = f"{path(own_site, 'sent')}/renew-consent"
    assert officer.post(target, again).status_code == 303
    assert officer.post(f"{path(own_site, 'awaiting')}/renew-consent", again).status_code == 409


def test_the_screen_shows_the_arabic_text_beside_the_persons_own(own_site: Site) -> None:
    with session_scope(own_site.world.context.engine) as session:
        table = Consent.metadata.tables["case_file"]
        session.execute(
            update(table).where(table.c.id == own_site.world.cases["awaiting"]).values(contact_language="kmr")
        )
    page = own_site.browser("officer").get(path(own_site, "awaiting")).text
    assert page.index('<blockquote lang="ar" dir="rtl">') < page.index("ئەم دخوازین")
    assert "{organization}" not in page
    assert "Not reviewed by a native reader" in page


OCCASIONS = {
    "transfer": ("officer", "/cases/{other}/transfer", "نقل الحالة إلى مكتب آخر"),
    "hand_over": ("coordinator", "/needs/{need}", "تسليم احتياج إلى وزارة أخرى"),
    "letter": ("officer", "/cases/{sent}/letters", "كتب التأييد"),
}


@pytest.mark.parametrize("kind", OCCASIONS)
def test_the_words_of_an_occasion_are_read_in_arabic_first(own_site: Site, kind: str) -> None:
    """Also for an officer who reads English, about a person whose language nobody has reviewed."""
    world = own_site.world
    with session_scope(world.context.engine) as session:
        session.execute(update(Consent.metadata.tables["case_file"]).values(contact_language="kmr"))
        session.execute(update(CaseTransfer).values(state="declined", answered_at=func.now()))
    login, target, _ = OCCASIONS[kind]
    page = own_site.browser(login).get(target.format(**world.codes, need=world.need)).text
    version = consent_text_version(kind)
    for language in ("ar", "kmr"):
        words = html.escape(consent_text(kind, version, language).text.splitlines()[0])
        assert words in page, language
    assert page.index('<blockquote lang="ar" dir="rtl">') < page.index("ب دەنگەکێ روهن")
    assert "Not reviewed by a native reader" in page
    assert "the Arabic text is read and interpreted" in page
    assert 'name="respondent"' in page


def test_what_was_asked_on_an_occasion_is_taken_back_alone(own_site: Site) -> None:
    site, world = own_site, own_site.world
    officer = site.browser("officer")
    page, letters = f"/cases/{world.codes['sent']}", f"/cases/{world.codes['sent']}/letters"
    assert 'value="letter">Support letters' not in officer.get(page).text
    assert 'value="hand_over">The hand-over' in officer.get(page).text  # the world offers one
    form = {"kind": "registration", "requested": "yes", "agreed": "yes", "channel": "desk", "language": "ar"}
    assert officer.post(letters, form | {"language": "kmr"}).status_code == 422  # no interpreter
    assert officer.post(letters, form).status_code == 303
    link = re.findall(rf'href="({letters}/\d+)"', officer.get(letters).text)
    assert len(link) == 1
    assert officer.get(link[0]).status_code == 200
    assert 'value="letter">Support letters' in officer.get(page).text
    for scope, words in (("letter", OCCASIONS["letter"][2]), ("hand_over", OCCASIONS["hand_over"][2])):
        receipt = officer.get(withdraw(site, "officer", "sent", scope=scope)).text
        assert words in receipt
        assert "لم يُرسل شيء إلى أي جهة." not in receipt  # something was: that is not what was taken back
    assert officer.get(link[0]).status_code == 409
    assert link[0] not in officer.get(letters).text
    assert (
        f"/hand-overs/{world.hand_over}/accept" not in site.browser("coordinator-moi").get("/hand-overs").text
    )
    history = officer.get(f"{page}/history").text
    assert "The offer to the other ministry was taken back." in history
    assert "Consent withdrawn" in history
    assert state(site, "sent") == "sent"
    gone = {"case_id": str(world.cases["sent"]), "channel": "desk", "scope": "letter"}
    assert officer.post(f"{page}/withdraw", gone).status_code == 422
    assert site.browser("officer-elsewhere").post(f"{page}/withdraw", gone).status_code == 404


def test_an_offered_case_is_taken_back_by_the_person(own_site: Site) -> None:
    world = own_site.world
    receipt = own_site.browser("officer").get(withdraw(own_site, "officer", "other", scope="transfer")).text
    assert OCCASIONS["transfer"][2] in receipt
    taking = own_site.browser("officer-elsewhere")
    assert f"/transfers/{world.transfer}/accept" not in taking.get("/transfers").text
    assert taking.post(f"/transfers/{world.transfer}/accept").status_code == 409


def test_an_override_its_second_person_and_the_monthly_list(own_site: Site) -> None:
    site, world = own_site, own_site.world
    with session_scope(world.context.engine) as session:
        referral = session.get(Referral, world.referrals["awaiting"])
        assert referral is not None
        referral.urgency = "emergency"
        need = session.get(Need, referral.need_id)
        assert need is not None
        need.urgency = "emergency"
    officer, referral_path = site.browser("officer"), path(site, "awaiting")
    assert "A life is in danger" in officer.get(referral_path).text
    form = {"reason": "unconscious", "note": "نزيف حاد"}
    assert officer.post(f"{referral_path}/override", form | {"reason": ""}).status_code == 422
    assert officer.post(f"{referral_path}/override", form | {"note": ""}).status_code == 422
    assert officer.post(f"{path(site, 'proposed')}/override", form).status_code == 409
    assert officer.post(f"{referral_path}/override", form).headers["location"].endswith("done=overridden")
    assert state(site, "awaiting") == "sent"
    with session_scope(world.context.engine) as session:
        override_id = session.scalars(select(ConsentOverride.id)).one()
    guardian = site.browser("data-protection")
    assert guardian.get("/").headers["location"] == "/overrides"
    page = guardian.get("/overrides").text
    assert world.printed("awaiting") in page
    assert "Confirm as second person" not in page
    assert "زهراء" not in page
    assert "نزيف" not in page
    target = f"/overrides/{override_id}/confirm"
    assert guardian.post(target).status_code == 403
    assert officer.post(target).status_code == 403
    assert site.browser("supervisor-moi").post(target).status_code == 404
    supervisor = site.browser("supervisor")
    assert "Confirm as second person" in supervisor.get("/overrides").text
    assert supervisor.post(target).headers["location"] == "/overrides?done=override_confirmed"
    assert site.browser("coordinator").post(target).status_code == 409
    rows = list(csv.DictReader(io.StringIO(guardian.get("/overrides.csv").text)))
    assert [(row["reason"], row["made_by"], row["second_person"]) for row in rows] == [
        ("unconscious", "officer", "supervisor")
    ]
    assert list(csv.DictReader(io.StringIO(guardian.get("/overrides.csv?month=2020-01").text))) == []
    assert guardian.get("/overrides?month=nonsense").status_code == 200


def test_a_witness_must_be_named(own_site: Site) -> None:
    officer, referral = own_site.browser("officer"), path(own_site, "awaiting")
    form = consent_form(officer, referral, signature="witness_named")
    assert officer.post(f"{referral}/send", form).status_code == 422
    assert officer.post(f"{referral}/send", form | {"witness": "أم سعد"}).status_code == 303


EVERYTHING = {
    "channel": "desk", "language": "ar", "interpreter": "x", "read_out": "", "reason": "other", "note": "x",
    "scope": "statistics", "contact": "yes", "statistics": "yes", "respondent": "self", "state": "sent",
    "organization_id": "1", "service_at_location_id": "1", "keep_case_id": "1",
}  # fmt: skip


OTHERS = ["coordinator", "coordinator-moi", "provider", "supervisor", "admin"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "login", ["officer", *(pytest.param(login, marks=pytest.mark.deep) for login in OTHERS)]
)
def test_no_form_sends_without_the_persons_word(own_site: Site, login: str) -> None:
    """Every form of the application is posted for every referral, filled in but for the mark that the person agreed."""
    site = own_site
    before = set(_disclosed(site))
    browser = site.browser(login)
    for route in iter_route_contexts(site.app.routes):
        if not isinstance(route.original_route, APIRoute) or route.path.startswith("/openrosa/"):
            continue
        if route.path in {"/logout", "/login"}:
            continue
        for name in ("proposed", "awaiting", "other", "moi"):
            target = _fill(route.path, site, name)
            if "POST" in route.methods:
                browser.post(target, EVERYTHING | {"case_id": str(site.world.cases[name])})
    assert set(_disclosed(site)) <= before


def _disclosed(site: Site) -> list[int]:
    with session_scope(site.world.context.engine) as session:
        return list(session.scalars(select(Referral.id).where(Referral.state.in_(DISCLOSED))))


def add_wider_issue(site: Site, name: str) -> int:
    """What an edit of the form leaves behind that says more than the person agreed to."""
    with session_scope(site.world.context.engine) as session:
        case = session.get_one(Case, site.world.cases[name])
        former = session.scalars(
            select(Consent)
            .where(Consent.case_id == case.id, Consent.kind == "assessment")
            .order_by(Consent.id.desc())
        ).first()
        assert former is not None
        session.add(answer_anew(former, categories=["health"]))
        issue = SubmissionIssue(
            submission_id=case.submission_id,
            case_id=case.id,
            code="consent_wider",
            field="consent",
            details={"categories": "mhpss", "answers": "contact", "exclusions": "own_subdistrict"},
        )
        session.add(issue)
        session.flush()
        return issue.id


def test_what_an_edit_adds_is_shown_and_taken_only_with_the_persons_word(own_site: Site) -> None:
    issue_id = add_wider_issue(own_site, "proposed")
    code = own_site.world.codes["proposed"]
    officer = own_site.browser("officer")
    page = officer.get(f"/cases/{code}").text
    assert "An edit of the form says more than the person agreed to" in page
    target = f"/cases/{code}/wider-answers/{issue_id}"
    assert f'action="{target}/accept"' in page
    form = {"channel": "desk", "language": "ar", "agreed": "yes"}
    assert own_site.browser("provider").post(f"{target}/accept", form).status_code == 403
    assert own_site.browser("officer-elsewhere").post(f"{target}/accept", form).status_code == 404
    assert own_site.browser("officer-elsewhere").post(f"{target}/keep", {}).status_code == 404
    other = f"/cases/{own_site.world.codes['sent']}/wider-answers/{issue_id}"
    assert officer.post(f"{other}/accept", form).status_code == 404
    assert officer.post(f"{target}/accept", form | {"agreed": ""}).status_code == 409
    assert (
        officer.post(f"{target}/accept", form | {"language": "kmr", "interpreter": "  "}).status_code == 422
    )
    answer = officer.post(f"{target}/accept", form)
    assert answer.headers["location"] == f"/cases/{code}?done=renewed"
    assert "An edit of the form says more" not in officer.get(f"/cases/{code}").text
    assert officer.post(f"{target}/keep", {}).status_code == 409
    with session_scope(own_site.world.context.engine) as session:
        newest = session.scalars(
            select(Consent)
            .where(Consent.case_id == own_site.world.cases["proposed"], Consent.kind == "assessment")
            .order_by(Consent.id.desc())
        ).first()
        assert newest is not None
        assert newest.categories == ["health", "mhpss"]


def test_an_edit_is_left_at_what_was_agreed_to(own_site: Site) -> None:
    issue_id = add_wider_issue(own_site, "other")
    code, officer = own_site.world.codes["other"], own_site.browser("officer")
    answer = officer.post(f"/cases/{code}/wider-answers/{issue_id}/keep", {})
    assert answer.headers["location"] == f"/cases/{code}?done=kept_narrower"
    assert "An edit of the form says more" not in officer.get(f"/cases/{code}").text


def test_an_incomplete_consent_says_so(own_site: Site) -> None:
    with session_scope(own_site.world.context.engine) as session:
        former = session.scalars(
            select(Consent).where(
                Consent.case_id == own_site.world.cases["proposed"], Consent.kind == "assessment"
            )
        ).first()
        assert former is not None
        session.add(answer_anew(former, language="kmr", interpreter=None))
    page = own_site.browser("officer").get(f"/cases/{own_site.world.codes['proposed']}").text
    assert "The interpreter or the evidence is missing." in page


def test_a_recall_leads_to_the_withdrawal(own_site: Site) -> None:
    """That the person took consent back is no reason of a recall: it is told on the case's page, with its channel."""
    site, world = own_site, own_site.world
    officer = site.browser("officer")
    page = officer.get(path(site, "sent")).text
    form = page[page.index('id="recall-reason"') :]
    assert 'value="consent_withdrawn"' not in form[: form.index("</select>")]
    anchor = f"withdraw-{world.cases['sent']}"
    assert f'href="/cases/{world.codes["sent"]}#{anchor}"' in page
    assert f'id="{anchor}"' in officer.get(f"/cases/{world.codes['sent']}").text
    answer = officer.post(f"{path(site, 'sent')}/recall", {"reason": "consent_withdrawn", "note": "x"})
    assert (answer.status_code, state(site, "sent")) == (422, "sent")


def test_an_answer_to_the_provider_needs_the_persons_word(own_site: Site) -> None:
    """The words that the provider is told are read out and agreed to as the referral itself was."""
    provider, officer, sent = (
        own_site.browser("provider"),
        own_site.browser("officer"),
        path(own_site, "sent"),
    )
    asked = {"reason": "need_details", "note": "ما نوع الحاجة؟"}
    target = f"/provider/referrals/{own_site.world.referrals['sent']}"
    assert provider.post(f"{target}/request-info", asked).status_code == 303
    page = officer.get(sent).text
    form = page[page.index(f'action="{sent}/answer"') :]
    assert 'class="spoken"' in form[: form.index("</form>")]
    said = {"note": "يحتاج إلى كرسي", "channel": "desk", "language": "ar", "agreed": "yes"}
    assert officer.post(f"{sent}/answer", said | {"agreed": ""}).status_code == 409
    assert officer.post(f"{sent}/answer", said | {"channel": ""}).status_code == 422
    assert own_site.browser("officer-elsewhere").post(f"{sent}/answer", said).status_code == 404
    assert provider.post(f"{sent}/answer", said).status_code == 403
    assert officer.post(f"{sent}/answer", said).status_code == 303
    assert "يحتاج إلى كرسي" in provider.get(target).text
