"""Two registrations become one case and two again: nothing is lost, nothing is promised twice."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from casework import closure, provider_acts, sending
from casework import referrals as acts
from casework.assessment import NeedAnswer
from casework.cases import take_in
from casework.consent import settle_exclusion
from casework.consent_gate import may_contact
from casework.disclosure import read_disclosures
from casework.duplicates import find_duplicates
from casework.erasure import erase_case
from casework.matching import match_open_needs
from casework.merges import merge, unmerge
from casework.moves import Actor
from db.case_sheets import list_visible_cases
from db.cases import get_assessment_consent
from db.consents import is_agreed
from db.errors import DomainError
from db.keyfile import MasterKeys
from db.matching import list_declined
from db.merges import get_joint_consent
from db.models import (
    AuditEvent,
    BlockingKey,
    Case,
    CaseMerge,
    Consent,
    DuplicatePair,
    Need,
    Office,
    Person,
    Referral,
    Submission,
)
from db.referrals import get_referral_parts, list_slot_mismatches
from db.vault import ErasedError, Vault
from db.visibility import visible_referrals
from governorates import Governorate
from governorates.codes import new_code
from referral_engine.sop import LIVE
from tests.factories.cases import make_assessment, make_consent, open_case, store_submission
from tests.factories.snapshots import snapshot_of

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
MOI = Actor(None, "coordinator", "nineveh", ministry="moi")
KEPT_APART = {"case_merge", "audit_event"}
"""Tables that keep the record of a merge and its undoing."""

Add = Callable[..., int]


@pytest.fixture
def add(session: Session, vault: Vault, governorate: Governorate) -> Add:
    def opened(*needs: tuple[str, str], **changes: Any) -> int:
        made = make_assessment(governorate, needs, case_code=new_code(secrets), **changes)
        case_id = open_case(session, vault, governorate, made).case_id
        assert case_id is not None
        return case_id

    return opened


def prepare(session: Session, vault: Vault, governorate: Governorate) -> None:
    while find_duplicates(session, vault, governorate).searched:
        pass
    match_open_needs(session, vault, governorate, now=datetime.now(UTC), seed=1)
    session.expire_all()


def pair_of(session: Session, one: int, other: int) -> int:
    found = session.scalars(
        select(DuplicatePair.id).where(
            DuplicatePair.first_case_id == min(one, other), DuplicatePair.second_case_id == max(one, other)
        )
    )
    return found.one()


def needs_of(session: Session, case_id: int) -> dict[str, Need]:
    session.expire_all()
    needs = session.scalars(select(Need).where(Need.case_id == case_id, Need.same_as_id.is_(None)))
    return {need.service_type: need for need in needs}


def referral_of(session: Session, need: Need) -> Referral:
    return session.scalars(
        select(Referral).where(Referral.need_id == need.id, Referral.state.in_(LIVE))
    ).one()


def content(session: Session) -> dict[str, tuple[int, str]]:
    session.flush()
    found = snapshot_of(session.connection())
    return {table: value for table, value in found.items() if table not in KEPT_APART}


TYPES = ("primary_health_care", "ration_card", "counselling", "womens_legal_counselling")
needs_strategy = st.dictionaries(
    st.sampled_from(TYPES), st.sampled_from(("normal", "urgent", "emergency")), min_size=1
)
lives = st.dictionaries(
    st.integers(0, 7), st.sampled_from(("approve", "send", "accept", "decline", "recall", "hold", "close"))
)


def live_on(session: Session, vault: Vault, referral: Referral, life: str) -> None:
    """Bring a proposal as far as its word says, through the real acts."""
    category = session.get_one(Need, referral.need_id).category
    coordinator = MOI if category == "womens_legal_counselling" else MOMD
    if life == "hold":
        acts.hold(session, vault, referral.id, coordinator, "await_person")
        return
    acts.approve(session, vault, referral.id, coordinator)
    if life == "approve":
        return
    if life == "recall":
        sending.recall(session, vault, referral.id, coordinator, "error", "خطأ")
        return
    sending.send(session, vault, referral.id, coordinator, channel="desk", language="ar")
    if life == "send":
        return
    parts = get_referral_parts(session, referral.id)
    assert parts is not None
    provider = Actor(None, "provider", "nineveh", organization_id=parts.organization.id)
    if life == "decline":
        provider_acts.decline(session, vault, referral.id, provider, "wrong_service", "ليست لدينا")
        return
    provider_acts.accept(session, vault, referral.id, provider)
    if life == "close":
        provider_acts.start(session, vault, referral.id, provider)
        provider_acts.deliver(session, vault, referral.id, provider)
        closure.confirm(session, vault, referral.id, coordinator)
        closure.close(session, vault, referral.id, coordinator, "goal_met")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=needs_strategy, other=needs_strategy, acted=lives, keep_first=st.booleans())
def test_merging_loses_nothing_and_undoing_restores_everything(
    session: Session,
    masters: MasterKeys,
    governorate: Governorate,
    one: dict[str, str],
    other: dict[str, str],
    acted: dict[int, str],
    keep_first: bool,
) -> None:
    savepoint = session.begin_nested()
    vault = Vault(session, masters)
    ids = [
        open_case(session, vault, governorate, make_assessment(governorate, list(needs.items()))).case_id or 0
        for needs in (one, other)
    ]
    prepare(session, vault, governorate)
    live = session.scalars(select(Referral).order_by(Referral.id)).all()
    for number, life in acted.items():
        if number < len(live):
            live_on(session, vault, live[number], life)
    before = content(session)
    referrals = {r.id: (r.need_id, r.state, r.capacity_id) for r in session.scalars(select(Referral))}
    kept, gone = ids if keep_first else ids[::-1]
    pair_id = pair_of(session, *ids)

    merge(session, vault, pair_id, kept, MOMD)
    session.expire_all()
    rows = session.scalars(select(Referral)).all()
    assert {r.id: (r.need_id, r.state, r.capacity_id) for r in rows} == referrals
    assert {r.case_id for r in rows} <= {kept}
    assert set(session.scalars(select(Need.case_id))) == {kept}
    assert set(needs_of(session, kept)) == set(one) | set(other)
    assert list_slot_mismatches(session) == []
    for_need = session.scalars(select(Referral.need_id).where(Referral.state.in_(LIVE))).all()
    assert len(for_need) == len(set(for_need))
    assert session.get_one(Case, gone).merged_into_id == kept
    # Nobody is promised a second place for what the household already has.
    busy = {session.get_one(Need, need_id).service_type for need_id in for_need}
    assert all(need.status != "open" for kind, need in needs_of(session, kept).items() if kind in busy)

    unmerge(session, pair_id, MOMD)
    session.expire_all()
    assert content(session) == before
    savepoint.rollback()
    session.expire_all()


def test_the_most_urgent_and_longest_waiting_goes_on(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    early = datetime(2026, 1, 1, tzinfo=UTC)
    first = add(("scholarship", "normal"))
    second = add(("scholarship", "emergency"), assessed_at=early)
    find_duplicates(session, vault, governorate)
    before, pair_id = content(session), pair_of(session, first, second)
    merge(session, vault, pair_id, first, MOMD)
    need = needs_of(session, first)["scholarship"]
    assert (need.urgency, need.opened_at, need.status) == ("emergency", early, "open")
    other = session.scalars(select(Need).where(Need.same_as_id == need.id)).one()
    assert (other.case_id, other.status) == (first, "merged")
    unmerge(session, pair_id, MOMD)
    session.expire_all()
    assert content(session) == before


def test_a_merged_household_is_matched_once(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    first, second = add(("primary_health_care", "normal")), add(("primary_health_care", "normal"))
    find_duplicates(session, vault, governorate)
    merge(session, vault, pair_of(session, first, second), first, MOMD)
    report = match_open_needs(session, vault, governorate, now=datetime.now(UTC), seed=1)
    assert (report.needs, report.proposed) == (1, 1)


def test_a_provider_that_declined_one_registration_is_not_asked_for_the_other(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    first, second = add(("primary_health_care", "normal")), add(("primary_health_care", "normal"))
    prepare(session, vault, governorate)
    declined = referral_of(session, needs_of(session, second)["primary_health_care"])
    live_on(session, vault, declined, "decline")
    kept = referral_of(session, needs_of(session, first)["primary_health_care"])
    merge(session, vault, pair_of(session, first, second), first, MOMD)
    sending.recall(session, vault, kept.id, MOMD, "error", "خطأ")
    match_open_needs(session, vault, governorate, now=datetime.now(UTC), seed=1)
    need = needs_of(session, first)["primary_health_care"]
    refused = list_declined(session, [need.id])[need.id]
    assert declined.service_at_location_id in refused
    offered = select(Referral.service_at_location_id).where(
        Referral.need_id == need.id, Referral.state.in_(LIVE)
    )
    assert not set(session.scalars(offered)) & set(refused)


def test_two_live_referrals_for_one_need_both_live_on_until_a_person_recalls_one(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    first, second = add(("primary_health_care", "normal")), add(("primary_health_care", "normal"))
    prepare(session, vault, governorate)
    merge(session, vault, pair_of(session, first, second), first, MOMD)
    session.expire_all()
    other = session.scalars(select(Need).where(Need.same_as_id.is_not(None))).one()
    extra = referral_of(session, other)
    assert (extra.case_id, other.status) == (first, "referred")
    sending.recall(session, vault, extra.id, MOMD, "error", "خطأ")
    assert other.status == "merged"  # not open: it must not be matched a second time
    assert list_slot_mismatches(session) == []
    unmerge(session, pair_of(session, first, second), MOMD)
    session.expire_all()
    assert (other.case_id, other.status, other.same_as_id) == (second, "open", None)


def test_what_happened_since_stays_and_follows(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    first, second = add(("ration_card", "normal")), add(("primary_health_care", "normal"))
    prepare(session, vault, governorate)
    pair_id = pair_of(session, first, second)
    merge(session, vault, pair_id, first, MOMD)
    referral = referral_of(session, needs_of(session, first)["primary_health_care"])
    live_on(session, vault, referral, "accept")
    unmerge(session, pair_id, MOMD)
    session.expire_all()
    assert (referral.case_id, referral.state) == (second, "accepted")
    consent = session.scalars(select(Consent).where(Consent.referral_id == referral.id)).one()
    assert consent.case_id == second
    assert read_disclosures(session, vault, [referral.id])[referral.id]
    assert list_slot_mismatches(session) == []


def test_the_narrower_consent_of_both_bounds_the_household(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    narrow = make_consent(
        governorate, categories=("health",), moi=False, contact=False, exclusions=("named_organization",),
        exclusion_note="ابن عمي",
    )  # fmt: skip
    first, second = add(("ration_card", "normal")), add(("primary_health_care", "normal"), consent=narrow)
    find_duplicates(session, vault, governorate)
    pair_id = pair_of(session, first, second)
    merge(session, vault, pair_id, first, MOMD)
    joint = get_assessment_consent(session, first)
    assert joint is not None
    with pytest.raises(DatabaseError, match="is kept"), session.begin_nested():
        session.execute(delete(Consent).where(Consent.id == joint.id))  # the wider bounds would stand again
    assert joint.categories == ["health"]
    assert "moi_office" not in joint.recipients
    assert (joint.in_force, joint.exclusion_open) == (True, True)
    assert not may_contact(session, first)
    assert is_agreed(session, second, "statistics")
    assert vault.open("consent.exclusion_note", joint.exclusion_note) == "ابن عمي"
    settle_exclusion(session, vault, MOMD, joint.id, [1])
    unmerge(session, pair_id, MOMD)
    session.expire_all()
    assert get_joint_consent(session, first) is None
    for case_id in (first, second):
        own = get_assessment_consent(session, case_id)
        assert own is not None
        assert (own.excluded_organizations, own.exclusion_open) == ([1], False)
    first_own = get_assessment_consent(session, first)
    assert first_own is not None
    assert set(first_own.categories) == set(governorate.categories)


def test_withdrawing_in_either_form_withdraws_the_household(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    first = add(("primary_health_care", "normal"))
    submission = store_submission(session, vault)
    made = make_assessment(governorate, [("ration_card", "normal")])
    second = take_in(session, vault, governorate, submission, made).case_id or 0
    prepare(session, vault, governorate)
    merge(session, vault, pair_of(session, first, second), first, MOMD)
    refusal = make_assessment(governorate, [], consent=make_consent(governorate, given=False))
    take_in(session, vault, governorate, submission, refusal)
    session.expire_all()
    assert {r.state for r in session.scalars(select(Referral))} == {"recalled"}
    assert {n.status for n in session.scalars(select(Need))} == {"withdrawn"}
    joint = get_assessment_consent(session, first)
    assert joint is not None
    assert not joint.in_force
    assert list_slot_mismatches(session) == []


def test_an_edit_of_a_merged_form_adds_to_the_household_and_can_be_parted(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    first = add(("primary_health_care", "normal"))
    submission = store_submission(session, vault)
    made = make_assessment(governorate, [("ration_card", "normal")])
    second = take_in(session, vault, governorate, submission, made).case_id or 0
    find_duplicates(session, vault, governorate)
    pair_id = pair_of(session, first, second)
    merge(session, vault, pair_id, first, MOMD)
    longer = (NeedAnswer("counselling", "urgent"), NeedAnswer("ration_card", "normal"))
    tighter = make_consent(governorate, categories=("health", "mhpss"))
    taken = take_in(session, vault, governorate, submission, replace(made, needs=longer, consent=tighter))
    assert "edited_after_merging" in {issue.code for issue in taken.issues}
    assert set(needs_of(session, first)) == {"primary_health_care", "ration_card", "counselling"}
    joint = get_assessment_consent(session, first)
    assert joint is not None
    assert set(joint.categories) == {"health", "mhpss"}
    unmerge(session, pair_id, MOMD)
    assert set(needs_of(session, first)) == {"primary_health_care"}
    assert set(needs_of(session, second)) == {"ration_card", "counselling"}
    assert get_joint_consent(session, first) is None


def test_an_edit_of_the_surviving_form_takes_back_only_its_own_needs(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    submission = store_submission(session, vault)
    made = make_assessment(governorate, [("counselling", "normal"), ("scholarship", "normal")])
    first = take_in(session, vault, governorate, submission, made).case_id or 0
    second = add(("ration_card", "normal"))
    find_duplicates(session, vault, governorate)
    merge(session, vault, pair_of(session, first, second), first, MOMD)
    fewer = replace(made, needs=(NeedAnswer("counselling", "normal"),))
    take_in(session, vault, governorate, submission, fewer)
    assert {kind: need.status for kind, need in needs_of(session, first).items()} == {
        "counselling": "open", "scholarship": "withdrawn", "ration_card": "open",
    }  # fmt: skip


def test_a_merge_of_a_merge_is_undone_in_the_reverse_order(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    ids = [add(("primary_health_care", "normal"), (kind, "normal")) for kind in TYPES[1:]]
    prepare(session, vault, governorate)
    pairs = [pair_of(session, ids[0], ids[1]), pair_of(session, ids[0], ids[2])]
    states = [content(session)]
    merge(session, vault, pairs[0], ids[0], MOMD)
    states.append(content(session))
    merge(session, vault, pairs[1], ids[2], MOMD)
    session.expire_all()
    assert [session.get_one(Case, id_).merged_into_id for id_ in ids] == [ids[2], ids[2], None]
    assert {r.case_id for r in session.scalars(select(Referral))} == {ids[2]}
    assert len(needs_of(session, ids[2])) == 4
    with pytest.raises(DomainError, match="changed_meanwhile"):  # one household by now
        merge(session, vault, pair_of(session, ids[1], ids[2]), ids[2], MOMD)
    with pytest.raises(DomainError, match="undo_later_first"):
        unmerge(session, pairs[0], MOMD)
    unmerge(session, pairs[1], MOMD)
    session.expire_all()
    assert content(session) == states[1]
    unmerge(session, pairs[0], MOMD)
    session.expire_all()
    assert content(session) == states[0]


def test_a_pair_of_a_merged_case_merges_the_case_it_went_into(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    ids = [add(("ration_card", "normal")) for _ in range(3)]
    find_duplicates(session, vault, governorate)
    merge(session, vault, pair_of(session, ids[0], ids[1]), ids[0], MOMD)
    with pytest.raises(DomainError, match="not_an_option"):
        merge(session, vault, pair_of(session, ids[1], ids[2]), ids[1], MOMD)
    merge(session, vault, pair_of(session, ids[1], ids[2]), ids[0], MOMD)
    session.expire_all()
    assert session.get_one(Case, ids[2]).merged_into_id == ids[0]


def test_both_printed_codes_and_both_offices_find_the_household(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    first, second = add(("primary_health_care", "normal")), add(("ration_card", "normal"))
    offices = session.scalars(select(Office).order_by(Office.id)).all()
    session.get_one(Case, first).office_id = offices[0].id
    session.get_one(Case, second).office_id = offices[1].id
    code = session.get_one(Case, second).printed_code
    prepare(session, vault, governorate)
    officer = Actor(None, "officer", "nineveh", office_id=offices[1].id)
    assert [case.id for case in list_visible_cases(session, officer, code)] == [second]
    merge(session, vault, pair_of(session, first, second), first, MOMD)
    session.expire_all()
    for viewer in (officer, MOMD):
        assert [case.id for case in list_visible_cases(session, viewer, code)] == [first]
    assert len(session.scalars(visible_referrals(officer)).all()) == 2
    referral = referral_of(session, needs_of(session, first)["primary_health_care"])
    acts.approve(session, vault, referral.id, MOMD)
    sending.send(session, vault, referral.id, officer, channel="desk", language="ar")
    stranger = Actor(None, "officer", "nineveh", office_id=offices[2].id)
    assert list_visible_cases(session, stranger, code) == []


def test_erasing_the_household_erases_every_key_and_hash(
    session: Session, vault: Vault, governorate: Governorate, masters: MasterKeys, add: Add
) -> None:
    first, second = add(("primary_health_care", "normal")), add(("ration_card", "normal"))
    prepare(session, vault, governorate)
    merge(session, vault, pair_of(session, first, second), first, MOMD)
    sealed = session.scalars(select(Person.given_name)).all()
    payloads = session.scalars(select(Submission.payload)).all()
    assert erase_case(session, vault, second, MOMD) == 2
    fresh = Vault(session, masters)
    assert len(sealed) == len(payloads) == 2
    for field, values in (("person.given_name", sealed), ("submission.payload", payloads)):
        for value in values:
            assert value is not None
            with pytest.raises(ErasedError):
                fresh.open_bytes(field, value)
    assert session.scalars(select(BlockingKey)).all() == []
    assert session.scalars(select(Person.phone_index)).all() == [None, None]
    with pytest.raises(DomainError, match="not_found"):
        erase_case(session, vault, first, replace(MOMD, governorate="anbar"))


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (MOI, "forbidden"),
        (Actor(None, "officer", "nineveh", office_id=1), "forbidden"),
        (Actor(None, "system", "nineveh"), "forbidden"),
        (replace(MOMD, governorate="anbar"), "not_found"),
    ],
)
def test_only_a_person_who_may_merges(
    session: Session, vault: Vault, governorate: Governorate, add: Add, actor: Actor, code: str
) -> None:
    first, second = add(("ration_card", "normal")), add(("ration_card", "normal"))
    find_duplicates(session, vault, governorate)
    with pytest.raises(DomainError, match=code):
        merge(session, vault, pair_of(session, first, second), first, actor)
    assert session.scalars(select(CaseMerge)).all() == []


def test_the_search_itself_merges_nothing(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    for _ in range(3):
        add(("ration_card", "normal"))
    prepare(session, vault, governorate)
    assert {pair.score for pair in session.scalars(select(DuplicatePair))} == {92}
    assert {pair.state for pair in session.scalars(select(DuplicatePair))} == {"open"}
    assert set(session.scalars(select(Case.merged_into_id))) == {None}
    assert session.scalars(select(CaseMerge)).all() == []


def test_a_merge_and_its_undoing_are_on_record(
    session: Session, vault: Vault, governorate: Governorate, add: Add
) -> None:
    first, second = add(("ration_card", "normal")), add(("ration_card", "normal"))
    find_duplicates(session, vault, governorate)
    pair_id = pair_of(session, first, second)
    merge(session, vault, pair_id, first, MOMD)
    unmerge(session, pair_id, MOMD)
    events = session.execute(
        select(AuditEvent.action, AuditEvent.object_id, AuditEvent.purpose).order_by(AuditEvent.id)
    ).all()
    assert [tuple(event) for event in events] == [
        ("case.merge", first, f"pair {pair_id}"),
        ("case.merge", second, f"pair {pair_id}"),
        ("case.unmerge", first, f"pair {pair_id}"),
        ("case.unmerge", second, f"pair {pair_id}"),
    ]
    record = session.scalars(select(CaseMerge)).one()
    assert record.undone_at is not None
    merge(session, vault, pair_id, second, MOMD)  # and once more, the other way round
    assert session.get_one(Case, first, populate_existing=True).merged_into_id == second
