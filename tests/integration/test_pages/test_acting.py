"""What the forms do, step by step, as the people of each role press them."""

import re
from datetime import UTC, datetime
from io import BytesIO

from openpyxl import load_workbook
from sqlalchemy import select, update

from db.models import (
    AuditEvent,
    Case,
    Consent,
    Disclosure,
    MatchCandidate,
    Referral,
    ReferralEvent,
    Submission,
    Tablet,
)
from db.session import session_scope
from db.vault import Vault
from governorates.calendar import local_day
from tests.factories.world import need_status
from tests.integration.test_pages.conftest import Browser, Site

READ_OUT = re.compile(r'name="read_out" value="([0-9a-f]{64})"')


def state(site: Site, name: str) -> str:
    with session_scope(site.world.context.engine) as session:
        found = session.get(Referral, site.world.referrals[name])
        assert found is not None
        return found.state


def moves(site: Site, name: str) -> list[str]:
    with session_scope(site.world.context.engine) as session:
        statement = select(ReferralEvent.move).where(ReferralEvent.referral_id == site.world.referrals[name])
        return list(session.scalars(statement.order_by(ReferralEvent.id)))


def path(site: Site, name: str) -> str:
    return f"/referrals/{site.world.referrals[name]}"


def consent_form(browser: Browser, referral: str, **changes: str) -> dict[str, str]:
    """The consent form as the page offers it, filled in."""
    found = READ_OUT.search(browser.get(referral).text)
    assert found is not None
    return {"agreed": "yes", "channel": "desk", "language": "ar", "read_out": found.group(1)} | changes


def test_from_proposal_to_closing(own_site: Site) -> None:
    site, referral = own_site, path(own_site, "other")
    coordinator, officer, provider = (
        site.browser("coordinator"),
        site.browser("officer"),
        site.browser("provider"),
    )
    approved = coordinator.post(f"{referral}/approve")
    assert approved.headers["location"] == f"{referral}?done=approved"
    assert "Now ask the person" in coordinator.get(approved.headers["location"]).text
    assert state(site, "other") == "awaiting_consent"

    sent = officer.post(f"{referral}/send", consent_form(officer, referral))
    assert sent.headers["location"] == f"{referral}?done=sent"
    assert state(site, "other") == "sent"
    with session_scope(site.world.context.engine) as session:
        consent = session.scalars(
            select(Consent).where(Consent.referral_id == site.world.referrals["other"])
        ).one()
        assert (consent.channel, consent.language, consent.given) == ("desk", "ar", True)

    listed = [row["referral_id"] for row in provider.get("/api/provider/referrals").json()["rows"]]
    assert site.world.referrals["other"] in listed  # the same health service as the one sent before
    own = f"/provider{referral}"
    assert provider.post(f"{own}/accept").headers["location"] == f"{own}?done=accepted"
    assert provider.post(f"{own}/start").headers["location"] == f"{own}?done=started"
    assert provider.post(f"{own}/deliver").status_code == 422  # what was given, how much and when is asked
    given = {"outcome_type": "service_received", "quantity": "2", "unit": "session"}
    today = local_day(site.world.context.governorate, datetime.now(UTC))
    delivered = provider.post(f"{own}/deliver", given | {"delivered_on": today.isoformat()})
    assert delivered.headers["location"] == f"{own}?done=delivered"
    assert officer.post(f"{referral}/close", {"reason": "confirmed_served"}).status_code == 409
    assert officer.post(f"{referral}/confirm").status_code == 422  # how the returnee was asked belongs to it
    assert officer.post(f"{referral}/confirm", {"asked": "call"}).status_code == 303
    closed = officer.post(f"{referral}/close", {"reason": "confirmed_served"})
    assert closed.headers["location"] == f"{referral}?done=closed"
    assert state(site, "other") == "closed"
    assert moves(site, "other") == [
        "propose",
        "approve",
        "ask_consent",
        "send",
        "accept",
        "start",
        "deliver",
        "confirm",
        "close",
    ]
    history = coordinator.get(referral).text
    assert "The provider accepted the referral." in history
    assert "The person confirmed the service" in history


def test_spreadsheet_holds_exactly_the_listed_rows(own_site: Site) -> None:
    provider = own_site.browser("provider")
    answer = provider.get("/provider/referrals.xlsx")
    assert answer.headers["content-disposition"] == 'attachment; filename="referrals.xlsx"'
    rows = list(load_workbook(BytesIO(answer.content)).worksheets[0].iter_rows(values_only=True))
    assert len(rows) == 2
    line = dict(zip(rows[0], rows[1], strict=True))
    assert line["Case code"] == own_site.world.printed("sent")
    assert line["Given name"] == "زهراء"
    assert line["Phone"] == "07701234567"
    filtered = provider.get("/provider/referrals.xlsx?state=accepted")
    assert len(list(load_workbook(BytesIO(filtered.content)).worksheets[0].iter_rows())) == 1
    other = own_site.browser("provider-other").get("/provider/referrals.xlsx")
    assert len(list(load_workbook(BytesIO(other.content)).worksheets[0].iter_rows())) == 1


def test_declining_needs_a_reason_and_removes_the_row_from_the_list(own_site: Site) -> None:
    provider, own = own_site.browser("provider"), f"/provider{path(own_site, 'sent')}"
    refused = provider.post(f"{own}/decline")
    assert (refused.status_code, "Please choose a reason." in refused.text) == (422, True)
    assert provider.post(f"{own}/decline", {"reason": "made_up"}).status_code == 422
    assert provider.post(f"{own}/decline", {"reason": "no_capacity", "note": " "}).status_code == 422
    assert state(own_site, "sent") == "sent"
    declined = provider.post(f"{own}/decline", {"reason": "no_capacity", "note": "ممتلئ حتى الشهر القادم"})
    assert declined.headers["location"] == "/provider?done=declined"
    assert provider.get(own).status_code == 404
    assert "No referrals here" in provider.get("/provider").text
    history = own_site.browser("coordinator").get(path(own_site, "sent")).text
    assert "No capacity" in history
    assert "ممتلئ حتى الشهر القادم" in history
    with session_scope(own_site.world.context.engine) as session:
        assert need_status(session, own_site.world.cases["sent"]) == "open"


def test_hold_and_back(own_site: Site) -> None:
    coordinator, referral = own_site.browser("coordinator"), path(own_site, "proposed")
    assert coordinator.post(f"{referral}/hold", {"reason": "await_document"}).status_code == 303
    page = coordinator.get(referral).text
    assert "On hold: Waiting for a document" in page
    assert "Approve this proposal" not in page
    assert coordinator.get("/api/queue?view=held").json()["total"] == 1
    assert coordinator.post(f"{referral}/approve").status_code == 409
    assert coordinator.post(f"{referral}/unhold").headers["location"] == f"{referral}?done=released"
    assert coordinator.post(f"{referral}/approve").status_code == 303


def test_choosing_another_option_needs_a_reason(own_site: Site) -> None:
    coordinator, referral = own_site.browser("coordinator"), path(own_site, "proposed")
    with session_scope(own_site.world.context.engine) as session:
        row = session.get(Referral, own_site.world.referrals["proposed"])
        assert row is not None
        first = row.service_at_location_id
        other = session.scalars(
            select(MatchCandidate.service_at_location_id).where(
                MatchCandidate.need_id == row.need_id,
                MatchCandidate.status == "option",
                MatchCandidate.service_at_location_id != first,
            )
        ).first()
        excluded = session.scalars(
            select(MatchCandidate.service_at_location_id).where(
                MatchCandidate.need_id == row.need_id, MatchCandidate.status == "excluded"
            )
        ).first()
    form = {"service_at_location_id": str(other)}
    assert coordinator.post(f"{referral}/change", form).status_code == 422
    wrong = {"service_at_location_id": str(excluded), "reason": "transport"}
    assert "not an option for this need" in coordinator.post(f"{referral}/change", wrong).text
    changed = coordinator.post(f"{referral}/change", form | {"reason": "transport"})
    assert changed.headers["location"] == f"{referral}?done=changed"
    detail = coordinator.get(f"/api{referral}").json()
    assert [o["service_at_location_id"] for o in detail["options"] if o["chosen"]] == [other]


def test_nothing_is_sent_without_the_persons_word(own_site: Site) -> None:
    coordinator, referral = own_site.browser("coordinator"), path(own_site, "awaiting")
    good = consent_form(coordinator, referral)
    for changes, status in (
        ({"agreed": ""}, 409),
        ({"channel": "letter"}, 422),
        ({"language": "fr"}, 422),
        ({"language": "ckb"}, 422),  # not reviewed by a native reader: the interpreter must be named
        ({"read_out": "0" * 64}, 409),
    ):
        assert coordinator.post(f"{referral}/send", good | changes).status_code == status
        assert state(own_site, "awaiting") == "awaiting_consent"
    with session_scope(own_site.world.context.engine) as session:
        disclosed = session.scalars(
            select(Disclosure).where(Disclosure.referral_id == own_site.world.referrals["awaiting"])
        ).all()
        assert disclosed == []
    kurdish = good | {"language": "ckb", "interpreter": "مترجمة المكتب"}
    assert coordinator.post(f"{referral}/send", kurdish).status_code == 303


def test_what_was_read_out_is_what_is_sent(own_site: Site) -> None:
    coordinator, referral = own_site.browser("coordinator"), path(own_site, "awaiting")
    form = consent_form(coordinator, referral)
    with session_scope(own_site.world.context.engine) as session:
        case_id = own_site.world.cases["awaiting"]
        session.execute(update(Case).where(Case.id == case_id).values(residence_district="IQG15Q03"))
    answer = coordinator.post(f"{referral}/send", form)
    assert answer.status_code == 409
    assert "Somebody changed this meanwhile" in answer.text
    assert state(own_site, "awaiting") == "awaiting_consent"
    assert coordinator.post(f"{referral}/send", consent_form(coordinator, referral)).status_code == 303


def test_a_person_may_say_no(own_site: Site) -> None:
    officer, referral = own_site.browser("officer"), path(own_site, "awaiting")
    assert officer.post(f"{referral}/refuse").headers["location"] == f"{referral}?done=refused"
    assert state(own_site, "awaiting") == "recalled"
    assert "Nothing was sent" in officer.get(f"{referral}?done=refused").text


def test_recalling_takes_the_referral_off_the_providers_list(own_site: Site) -> None:
    coordinator, referral = own_site.browser("coordinator"), path(own_site, "sent")
    assert (
        coordinator.post(f"{referral}/recall", {"reason": "moved_away", "note": "انتقلت"}).status_code == 303
    )
    assert own_site.browser("provider").get(f"/provider{referral}").status_code == 404
    assert own_site.browser("provider").get("/api/provider/referrals").json()["rows"] == []


def test_a_step_that_is_not_possible_any_more_is_explained(own_site: Site) -> None:
    coordinator, referral = own_site.browser("coordinator"), path(own_site, "sent")
    answer = coordinator.post(f"{referral}/approve")
    assert answer.status_code == 409
    assert "Somebody may have acted before you." in answer.text


def test_an_exclusion_is_settled_by_a_coordinator(own_site: Site) -> None:
    coordinator, world = own_site.browser("coordinator"), own_site.world
    page = coordinator.get(f"/cases/{world.codes['excluding']}").text
    assert "ابن عمي يعمل هناك" in page
    assert (
        "ابن عمي يعمل هناك" not in own_site.browser("officer").get(f"/cases/{world.codes['excluding']}").text
    )
    target = f"/consents/{world.consents['excluding']}/settle"
    chosen = world.organizations["other"]
    assert coordinator.post(target, {"organization_id": "999999"}).status_code == 422
    answer = coordinator.post(target, {"organization_id": str(chosen)})
    assert answer.headers["location"] == f"/cases/{world.codes['excluding']}?done=settled"
    assert coordinator.post(target, {"organization_id": str(chosen)}).status_code == 409
    with session_scope(world.context.engine) as session:
        consent = session.get(Consent, world.consents["excluding"])
        assert consent is not None
        assert consent.excluded_organizations == [chosen]
        assert not consent.exclusion_open
        read = select(AuditEvent).where(AuditEvent.action == "consent.read_exclusion")
        assert [row.object_id for row in session.scalars(read)] == [consent.id]


def test_quarantine_is_tried_again(own_site: Site) -> None:
    admin = own_site.browser("admin")
    answer = admin.post("/submissions/reprocess")
    assert answer.headers["location"] == "/submissions?done=reprocessed"
    with session_scope(own_site.world.context.engine) as session:
        waiting = session.scalars(select(Submission.reason).where(Submission.status == "quarantined")).all()
        assert len(waiting) == 1  # still not readable, so it is back with a reason
        assert waiting[0]


def test_a_lost_tablet_is_revoked(own_site: Site) -> None:
    admin, tablet_id = own_site.browser("admin"), own_site.world.tablets["own"]
    answer = admin.post(f"/admin/tablets/{tablet_id}/revoke")
    assert answer.headers["location"] == "/admin?done=revoked"
    with session_scope(own_site.world.context.engine) as session:
        tablet = session.get(Tablet, tablet_id)
        assert tablet is not None
        assert tablet.revoked_at is not None
    assert "Revoked" in admin.get("/admin").text


def test_an_erased_case_still_opens(own_site: Site) -> None:
    world = own_site.world
    with session_scope(world.context.engine) as session:
        case = session.get(Case, world.cases["proposed"])
        assert case is not None
        assert case.data_key_id is not None
        Vault(session, world.context.masters).erase_key(case.data_key_id)
    officer = own_site.browser("officer").get(f"/cases/{world.codes['proposed']}")
    assert officer.status_code == 200
    assert "The data of this case were erased." in officer.text
    assert "زهراء" not in officer.text
    assert own_site.browser("coordinator").get(path(own_site, "proposed")).status_code == 200
