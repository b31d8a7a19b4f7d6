"""A yes to a transfer, a hand-over or a letter: read out like every consent, taken back alone or with everything."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from casework import hand_overs, letters, sending, transfers
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.named_consents import Asked
from casework.renewals import renew_consent
from casework.respondents import Respondent
from casework.spoken_consents import SpokenConsent
from casework.withdrawals import ASKED_ON_OCCASION, withdraw
from db.consents import list_consent_facts
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.models import (
    Case,
    CaseEvent,
    CaseTransfer,
    Consent,
    HandOver,
    Letter,
    Need,
    Person,
    Referral,
    Withdrawal,
)
from db.offices import get_office_by_code
from db.session import session_scope
from db.vault import Vault
from db.visibility import visible_needs
from governorates import CONSENT_KINDS, LANGUAGES, Governorate, consent_text_version
from tests.factories.cases import make_assessment, open_case
from tests.factories.consents import Waiting, make_waiting

NOW = datetime.now(UTC)
YES = SpokenConsent(agreed=True, channel="desk", language="ar")
MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
MOI = Actor(None, "coordinator", "nineveh", ministry="moi")


class Scene:
    """One case of the Mosul office with two needs, and short ways to act on it."""

    def __init__(self, session: Session, vault: Vault, waiting: Waiting) -> None:
        self.session, self.vault, self.waiting = session, vault, waiting
        self.case_id = waiting.case_id
        self.officer = Actor(None, "officer", "nineveh", office_id=self.case.office_id)
        sinjar = get_office_by_code(session, "nineveh", "sinjar")
        assert sinjar is not None
        self.taking = Actor(None, "officer", "nineveh", office_id=sinjar.id)

    @property
    def case(self) -> Case:
        return self.session.get_one(Case, self.case_id, populate_existing=True)

    @property
    def need(self) -> Need:
        return self.session.scalars(
            select(Need).where(Need.case_id == self.case_id, Need.category == "mhpss")
        ).one()

    def transfer(self, spoken: SpokenConsent = YES, now: datetime = NOW) -> int:
        return transfers.offer(
            self.session, self.vault, self.case_id, self.taking.office_id or 0, self.officer,
            reason="safety", spoken=spoken, now=now,
        )  # fmt: skip

    def hand_over(self, spoken: SpokenConsent = YES, now: datetime = NOW) -> int:
        return hand_overs.offer_need(
            self.session, self.vault, self.need.id, "moi", MOMD, reason="needs_both", spoken=spoken, now=now
        )

    def letter(self, spoken: SpokenConsent = YES, now: datetime = NOW, **what: object) -> int:
        values = {"kind": "registration", "with_name": True} | what
        return letters.issue_letter(
            self.session, self.vault, self.case_id, self.officer,
            requested_by_person=True, spoken=spoken, now=now, **values,  # type: ignore[arg-type]
        ).id  # fmt: skip

    def take_back(self, scope: str, **what: object) -> int:
        return withdraw(
            self.session, self.vault, self.case_id, self.officer,
            channel="phone", scope=scope, now=NOW, **what,  # type: ignore[arg-type]
        )  # fmt: skip

    def events(self) -> list[tuple[str, str | None]]:
        rows = self.session.execute(select(CaseEvent.kind, CaseEvent.reason).order_by(CaseEvent.id)).all()
        return [(row[0], row[1]) for row in rows]

    def print_letter(self, letter_id: int, now: datetime = NOW) -> None:
        letters.read_letter(self.session, self.vault, self.case, letter_id, self.officer, now)

    def standing(self) -> set[str]:
        rows = self.session.scalars(
            select(Consent.kind).where(
                Consent.case_id == self.case_id, Consent.given, Consent.withdrawn_at.is_(None)
            )
        )
        return set(rows)


@pytest.fixture
def scene(session: Session, vault: Vault, governorate: Governorate) -> Scene:
    needs = (("counselling", "normal"), ("primary_health_care", "urgent"))
    return Scene(session, vault, make_waiting(session, vault, governorate, *needs))


def refused(code: str, act: object, *args: object, **kwargs: object) -> None:
    with pytest.raises(DomainError) as caught:
        act(*args, **kwargs)  # type: ignore[operator]
    assert caught.value.code == code


def sees(session: Session, actor: Actor, need: Need) -> bool:
    return session.scalar(visible_needs(actor).where(Need.id == need.id)) is not None


def test_everything_ends_offers_and_letters_with_rows_of_their_own(scene: Scene) -> None:
    transfer_id, hand_over_id, letter_id = scene.transfer(), scene.hand_over(), scene.letter()
    scene.print_letter(letter_id)
    assert scene.standing() == set(CONSENT_KINDS) - {"referral"}
    scene.take_back("everything")
    assert scene.standing() == set()
    session = scene.session
    for offer in (session.get_one(CaseTransfer, transfer_id), session.get_one(HandOver, hand_over_id)):
        consent = session.get_one(Consent, offer.consent_id)
        assert (offer.state, offer.answered_at, consent.withdrawn_at) == ("withdrawn", NOW, NOW)
    assert scene.events()[-2:] == [
        ("transfer_withdrawn", "consent_withdrawn"),
        ("hand_over_withdrawn", "consent_withdrawn"),
    ]
    refused("changed_meanwhile", transfers.accept, session, scene.vault, transfer_id, scene.taking, now=NOW)
    refused("not_found", hand_overs.accept, session, scene.vault, hand_over_id, MOI, now=NOW)
    refused("consent_required", scene.print_letter, letter_id)
    for again in (scene.transfer, scene.hand_over, scene.letter):
        refused("consent_required", again)
    assert session.scalars(select(Withdrawal.scope)).all() == ["everything"]


@pytest.mark.parametrize("kind", sorted(ASKED_ON_OCCASION))
def test_each_alone_leaves_the_rest(scene: Scene, kind: str) -> None:
    transfer_id, hand_over_id, letter_id = scene.transfer(), scene.hand_over(), scene.letter()
    before, history = scene.standing(), len(scene.events())
    scene.take_back(kind)
    assert scene.standing() == before - {kind}
    assert scene.waiting.state == "awaiting_consent"
    session, ended = scene.session, {"transfer": "transfer_withdrawn", "hand_over": "hand_over_withdrawn"}
    found = {
        "transfer": session.get_one(CaseTransfer, transfer_id).state,
        "hand_over": session.get_one(HandOver, hand_over_id).state,
    }
    assert found == {one: "withdrawn" if one == kind else "offered" for one in found}
    assert scene.events()[history:] == ([(ended[kind], "consent_withdrawn")] if kind in ended else [])
    if kind == "letter":
        refused("consent_required", scene.print_letter, letter_id)
        scene.print_letter(scene.letter())  # asked for again
    else:
        scene.print_letter(letter_id)
    if kind != "letter":
        refused("not_an_option", scene.take_back, kind)  # nothing is left of it


@pytest.mark.parametrize("kind", sorted(ASKED_ON_OCCASION))
def test_what_was_never_agreed_to_cannot_be_taken_back(scene: Scene, kind: str) -> None:
    refused("not_an_option", scene.take_back, kind)
    assert scene.session.scalars(select(Withdrawal)).all() == []
    facts = list_consent_facts(scene.session, [scene.case_id], 18)[scene.case_id]
    assert set(facts.kinds) == {"registration", "assessment", "statistics", "contact"}


def test_a_need_that_was_handed_over_comes_back_at_once(scene: Scene) -> None:
    session, need = scene.session, scene.need
    hand_over_id = scene.hand_over()
    hand_overs.accept(session, scene.vault, hand_over_id, MOI, now=NOW)
    assert (sees(session, MOI, need), sees(session, MOMD, need)) == (True, False)
    scene.take_back("hand_over")
    assert (sees(session, MOI, need), sees(session, MOMD, need)) == (False, True)
    assert (need.ministry, session.get_one(HandOver, hand_over_id).state) == (None, "withdrawn")
    assert scene.events()[-1] == ("hand_over_withdrawn", "consent_withdrawn")
    assert scene.hand_over()  # it may be offered again, with another yes


def test_a_case_that_was_taken_over_is_looked_after_where_it_is(scene: Scene) -> None:
    transfers.accept(scene.session, scene.vault, scene.transfer(), scene.taking, now=NOW)
    scene.officer = scene.taking
    scene.take_back("transfer")
    assert scene.case.office_id == scene.taking.office_id
    assert "transfer" not in scene.standing()


def test_a_category_taken_back_ends_its_hand_over_alone(scene: Scene) -> None:
    hand_over_id, transfer_id = scene.hand_over(), scene.transfer()
    scene.take_back("categories", categories=["health"])
    assert scene.session.get_one(HandOver, hand_over_id).state == "offered"
    scene.take_back("categories", categories=["mhpss"])
    assert scene.session.get_one(HandOver, hand_over_id).state == "withdrawn"
    assert scene.session.get_one(CaseTransfer, transfer_id).state == "offered"


@pytest.mark.parametrize("how", ["referral", "categories", "everything"])
def test_a_letter_about_a_referral_ends_with_it(scene: Scene, how: str) -> None:
    waiting = scene.waiting
    sending.send(
        scene.session, scene.vault, waiting.referral_id, waiting.coordinator, channel="desk", language="ar"
    )
    about, plain = scene.letter(kind="provider", referral_id=waiting.referral_id), scene.letter()
    scene.print_letter(about)
    category = scene.session.scalars(select(Need.category).where(Need.id.in_(_need_of(waiting)))).one()
    what = {"referral": {"referral_id": waiting.referral_id}, "categories": {"categories": [category]}}
    scene.take_back(how, **what.get(how, {}))
    refused("consent_required", scene.print_letter, about)
    if how == "everything":
        refused("consent_required", scene.print_letter, plain)
    else:
        scene.print_letter(plain)


def _need_of(waiting: Waiting) -> list[int]:
    return list(waiting.session.scalars(select(Referral.need_id).where(Referral.id == waiting.referral_id)))


def test_an_offer_and_a_letter_grow_old(scene: Scene) -> None:
    transfer_id, hand_over_id, letter_id = scene.transfer(), scene.hand_over(), scene.letter()
    end = scene.waiting.governorate.consent.end_of(NOW)
    session, vault, late = scene.session, scene.vault, end + timedelta(seconds=1)
    scene.print_letter(letter_id, end - timedelta(seconds=1))
    refused("consent_expired", scene.print_letter, letter_id, late)
    refused("consent_expired", transfers.accept, session, vault, transfer_id, scene.taking, now=late)
    refused("consent_expired", hand_overs.accept, session, vault, hand_over_id, MOI, now=late)


KINDS = ("transfer", "hand_over", "letter")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_asked_for_a_case_whose_consent_has_grown_old(scene: Scene, kind: str) -> None:
    end = scene.waiting.governorate.consent.end_of(NOW)
    act = getattr(scene, kind)
    refused("consent_expired", act, now=end + timedelta(days=135))
    assert kind not in scene.standing()
    asked = Asked("desk", "ar")
    renew_consent(scene.session, scene.vault, scene.case_id, scene.waiting.coordinator, asked, now=end)
    act(now=end + timedelta(days=135))


@pytest.mark.parametrize("kind", ["transfer", "hand_over"])
def test_nothing_is_taken_over_while_the_consent_to_be_helped_is_too_old(scene: Scene, kind: str) -> None:
    """Asked the day before the case's own consent ended, answered the day after."""
    end = scene.waiting.governorate.consent.end_of(NOW)
    offer_id = getattr(scene, kind)(now=end - timedelta(days=1))
    accept, actor = {
        "transfer": (transfers.accept, scene.taking),
        "hand_over": (hand_overs.accept, MOI),
    }[kind]
    day_after = end + timedelta(days=1)
    refused("consent_expired", accept, scene.session, scene.vault, offer_id, actor, now=day_after)
    asked = Asked("desk", "ar")
    renew_consent(scene.session, scene.vault, scene.case_id, scene.waiting.coordinator, asked, now=end)
    accept(scene.session, scene.vault, offer_id, actor, now=day_after)


@pytest.mark.parametrize("kind", KINDS)
def test_an_adult_needs_evidence_of_an_adult(scene: Scene, kind: str) -> None:
    husband = Respondent("proxy", "spouse", "caregiver_present")
    refused("proxy_evidence_unfit", getattr(scene, kind), SpokenConsent(True, "desk", "ar", None, husband))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_unreviewed_text_needs_an_interpreter(scene: Scene, kind: str, language: str) -> None:
    act, reviewed = getattr(scene, kind), language in {"ar", "en"}
    if not reviewed:
        refused("interpreter_required", act, SpokenConsent(True, "desk", language))
    act(SpokenConsent(True, "desk", language, None if reviewed else "أبو علي"))
    consent = scene.session.scalars(select(Consent).where(Consent.kind == kind)).one()
    assert (consent.language, consent.text_version) == (language, consent_text_version(kind))
    named = scene.vault.open("consent.interpreter", consent.interpreter)
    assert named == (None if reviewed else "أبو علي")


@pytest.mark.parametrize("kind", KINDS)
def test_a_child_and_who_may_not_be_called(scene: Scene, kind: str) -> None:
    """The rules of who answers and how are those of every consent."""
    act = getattr(scene, kind)
    withdraw(
        scene.session, scene.vault, scene.case_id, scene.officer, channel="desk", scope="contact", now=NOW
    )
    refused("contact_withdrawn", act, SpokenConsent(True, "safe_call", "ar"))
    head = scene.session.scalars(
        select(Person).where(Person.case_id == scene.case_id, Person.role == "head")
    ).one()
    head.age_years = 14
    scene.session.flush()
    refused("caregiver_required", act)
    caregiver = Respondent("caregiver", "parent", "caregiver_present", assent=True)
    refused(
        "assent_required",
        act,
        SpokenConsent(True, "desk", "ar", None, Respondent("caregiver", "parent", "caregiver_present")),
    )
    act(SpokenConsent(True, "desk", "ar", None, caregiver))
    consent = scene.session.scalars(select(Consent).where(Consent.kind == kind)).one()
    assert (consent.respondent, consent.proxy_evidence, consent.child_assent) == (
        "caregiver",
        "caregiver_present",
        True,
    )


def test_a_letter_names_its_words(scene: Scene) -> None:
    letter = scene.session.get_one(Letter, scene.letter())
    event = scene.session.scalars(select(CaseEvent).where(CaseEvent.object_id == letter.id)).one()
    assert event.details is not None
    assert set(event.details) == {"text_version"}


def test_taking_back_while_the_other_office_accepts(
    fresh_engine: Engine, masters: MasterKeys, governorate: Governorate
) -> None:
    """Whoever comes first: never an accepted case whose yes had been taken back before."""
    for _ in range(3):
        _race(fresh_engine, masters, governorate)


def _race(engine: Engine, masters: MasterKeys, governorate: Governorate) -> None:
    with session_scope(engine) as session:
        vault = Vault(session, masters)
        case_id = open_case(session, vault, governorate, make_assessment(governorate)).case_id or 0
        match_open_needs(session, vault, governorate, now=NOW)
        case = session.get_one(Case, case_id)
        giving = Actor(None, "officer", "nineveh", office_id=case.office_id)
        sinjar = get_office_by_code(session, "nineveh", "sinjar")
        assert sinjar is not None
        taking = Actor(None, "officer", "nineveh", office_id=sinjar.id)
        transfer_id = transfers.offer(
            session, vault, case_id, sinjar.id, giving, reason="safety", spoken=YES, now=NOW
        )
    start = threading.Barrier(2)
    done: dict[str, str] = {}

    def act(name: str) -> None:
        start.wait()
        try:
            with session_scope(engine) as session:
                vault = Vault(session, masters)
                if name == "accept":
                    transfers.accept(session, vault, transfer_id, taking, now=NOW)
                else:
                    withdraw(session, vault, case_id, MOMD, channel="desk", scope="everything", now=NOW)
            done[name] = "done"
        except DomainError as error:
            done[name] = error.code

    threads = [threading.Thread(target=act, args=(name,)) for name in ("accept", "withdraw")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with session_scope(engine) as session:
        transfer, case = session.get_one(CaseTransfer, transfer_id), session.get_one(Case, case_id)
        assert session.get_one(Consent, transfer.consent_id).withdrawn_at is not None
        won = {"accepted": taking, "withdrawn": giving}[transfer.state]
        assert case.office_id == won.office_id
    assert done == {"withdraw": "done", "accept": "done" if won is taking else "changed_meanwhile"}
