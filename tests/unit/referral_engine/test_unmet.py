"""Each obstacle gives its own unmet reason."""

import numpy as np
import pytest

from referral_engine import Rule, match
from referral_engine.reasons import Unmet
from tests.unit.referral_engine.worlds import FLOOR, CrookedTravel, need, needs_frame, offer, offers_frame

ADULT = Rule(1, 1, "age", "between", (18, None))
OWNER = Rule(2, 1, "tenure", "in", ("tenant",))


def _unmet(needs: list, offers: list, rules: tuple = (), blocked: float = 0.0, **settings: object):
    travel = CrookedTravel(1, blocked=blocked)
    frames = needs_frame(needs), offers_frame(offers)
    result = match(*frames, rules, travel, floor_minutes_per_km=FLOOR, seed=1, **settings)
    return result.unmet.loc[1, "reason"], result.unmet.loc[1, "details"]


CASES = [
    (Unmet.NO_SERVICE, need(service_type="scholarship", exclusion_open=True), offer()),
    (Unmet.EXCLUSION_OPEN, need(exclusion_open=True), offer()),
    (Unmet.CONSENT, need(consent_categories=("mhpss",)), offer()),
    (Unmet.CONSENT, need(consent_kinds=("national_ngo",)), offer()),
    (Unmet.CONSENT, need(consent_kinds=("local_cso",)), offer(organization_kind="moi_office")),
    (Unmet.CONSENT, need(excluded_organizations=(1,)), offer()),
    (Unmet.CONSENT, need(exclude_own_subdistrict=True), offer()),
    (Unmet.RESIDENCE_UNKNOWN, need(exclude_own_subdistrict=True, subdistrict=None), offer()),
    (Unmet.RESIDENCE_UNKNOWN, need(longitude=np.nan, latitude=np.nan), offer()),
    (Unmet.RESIDENCE_UNKNOWN, need(governorate=None, district=None, subdistrict=None), offer()),
    (Unmet.OUTSIDE_AREA, need(), offer(area=("IQG15Q02",))),
    (Unmet.NOT_ELIGIBLE, need(age=12.0), offer()),
    (Unmet.TOO_FAR, need(), offer(longitude=46.0)),
    (Unmet.TOO_FAR, need(), offer(max_minutes=0.1)),
    (Unmet.DECLINED_BY_ALL, need(declined=(101,)), offer()),
    (Unmet.NO_SLOT, need(), offer(free_slots=0)),
    (Unmet.NO_SLOT, need(), offer(free_slots=-2)),
    (Unmet.NO_SLOT, need(), offer(capacity_status="no_capacity")),
    (Unmet.NO_SLOT, need(), offer(capacity_status="assessment_required", free_slots=0)),
    (Unmet.CAPACITY_UNCONFIRMED, need(), offer(freshness="hidden")),
    (Unmet.CAPACITY_UNCONFIRMED, need(), offer(freshness="hidden", free_slots=0)),
    (Unmet.WAITING_LIST_ONLY, need(), offer(capacity_status="waitlist")),
    (Unmet.WAITING_LIST_ONLY, need(), offer(capacity_status="waitlist", free_slots=0)),
]


@pytest.mark.parametrize(("reason", "need_row", "offer_row"), CASES)
def test_each_obstacle_alone_gives_its_reason(reason, need_row, offer_row) -> None:
    assert _unmet([need_row], [offer_row], (ADULT,))[0] == reason


def test_every_reason_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(Unmet) - {Unmet.OUTSIDE_GOVERNORATE}


def test_a_place_without_any_way_is_too_far() -> None:
    assert _unmet([need()], [offer()], blocked=1.1)[0] == "too_far"


def test_a_full_offer_beyond_the_cap_is_too_far_even_where_its_exclusion_is_not_recorded() -> None:
    probe = match(
        needs_frame([need()]),
        offers_frame([offer()]),
        [],
        CrookedTravel(1),
        floor_minutes_per_km=FLOOR,
        seed=1,
    )
    pair = probe.candidates.iloc[0]
    assert pair["minutes"] > 1.05 * pair["km"] * FLOOR, "the cap below must lie above the floor of this pair"
    full = offer(free_slots=0, max_minutes=(pair["minutes"] + pair["km"] * FLOOR) / 2)
    assert _unmet([need()], [full], exclusions=0)[0] == "too_far"


def test_another_governorate_is_told_from_another_area_when_the_governorate_served_is_known() -> None:
    elsewhere = need(governorate="IQG08", district="IQG08Q01", subdistrict="IQG08Q01N01")
    assert _unmet([elsewhere], [offer()])[0] == "outside_area"
    assert _unmet([elsewhere], [offer()], governorate="IQG15")[0] == "outside_governorate"
    assert _unmet([need()], [offer(area=("IQG08",))], governorate="IQG15")[0] == "outside_area"


def test_the_reason_is_that_of_the_offer_that_came_furthest_and_details_count_the_stages() -> None:
    offers = [
        offer(organization_id=9),
        offer(area=("IQG08",)),
        offer(area=("IQG08",), free_slots=0),
        offer(longitude=46.0, free_slots=0),
    ]
    reason, details = _unmet([need(excluded_organizations=(9,))], offers)
    assert reason == "too_far"
    assert details == [
        {"code": "excluded_organization", "count": 1},
        {"code": "area", "count": 2},
        {"code": "too_far", "count": 1},
    ]
    full = [*offers, offer(free_slots=0)]
    assert _unmet([need(excluded_organizations=(9,))], full)[0] == "no_slot"


def test_the_rule_that_blocked_most_is_named() -> None:
    offers = [offer(), offer(service_id=2), offer(service_id=3, area=("IQG08",))]
    rules = (ADULT, OWNER, Rule(3, 2, "tenure", "in", ("tenant",)), Rule(4, 3, "sex", "in", ("male",)))
    reason, details = _unmet([need(age=12.0)], [*offers, offer(service_id=2)], rules)
    assert reason == "not_eligible"
    assert details == [
        {"code": "area", "count": 1},
        {"code": "not_eligible", "count": 3},
        {"code": "rule_blocks", "rule_id": 3, "count": 2},
    ]


def test_a_need_that_lost_the_last_slot_to_others_is_told_so() -> None:
    reason, details = _unmet([need(), need(urgency="emergency")], [offer(free_slots=1)])
    assert (reason, details) == ("no_slot", [{"code": "slots_taken", "count": 1}])
