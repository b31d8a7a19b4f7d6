"""From a field tree to an assessment: what is odd becomes an issue, nothing is lost, nothing raises."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.assessment import Assessment, Issue
from governorates import Governorate, load
from ingest.parse import parse_assessment
from ingest.quarantine import QuarantineError
from ingest.trees import Tree, from_odata, from_xml
from tests.unit.ingest.invented import assessment, case_code, changed, to_odata, to_xml
from xlsforms.compile import compile_form
from xlsforms.fill import fill_batch

RECEIVED = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
NINEVEH = load("nineveh")


@pytest.fixture(scope="module")
def nineveh() -> Governorate:
    return NINEVEH


def parse(tree: dict[str, Any]) -> Assessment:
    """Parse a tree as it comes out of XML."""
    return parse_assessment(from_xml(to_xml(tree)).tree, NINEVEH, received=RECEIVED)


def issues(result: Assessment) -> dict[str, Issue]:
    return {issue.code: issue for issue in result.issues}


def test_complete_assessment_has_no_issue(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh))
    assert result.issues == ()
    assert result.case_code == case_code(nineveh)
    assert result.consent.given
    assert result.consent.categories == ("housing", "health", "livelihoods")
    assert [(person.role, person.position, person.age_years) for person in result.persons] == [
        ("head", 0, 34),
        ("member", 1, 7),
    ]
    assert result.persons[0].given_name == "وردة"
    assert result.persons[0].phone == "07700000655"
    assert [(need.service_type, need.urgency) for need in result.needs] == [
        ("shelter_repair", "urgent"),
        ("primary_health_care", "normal"),
    ]
    assert result.residence.basis == "place"
    assert result.residence.district == "IQG15Q05"
    assert result.return_date == date(2026, 8, 21)
    assert result.disability is False
    assert result.documents == ("unified_card", "ration_card")
    assert result.assessed_at is not None


def test_xml_and_feed_give_the_same_assessment(nineveh: Governorate) -> None:
    tree = assessment(nineveh, residence__at_home="yes", residence__point="36.345 43.13 228.5 4.8")
    row = from_odata(to_odata(tree), "needs_assessment").tree
    assert parse_assessment(row, nineveh, received=RECEIVED) == parse(tree)


def test_every_form_that_the_generator_fills_is_understood(nineveh: Governorate) -> None:
    expected = {"place_not_listed", "minor_without_caregiver"}
    refusals = 0
    for filled in fill_batch(compile_form("needs_assessment"), 60, 7):
        result = parse_assessment(from_xml(filled.xml).tree, nineveh, received=datetime.now(UTC))
        refusals += not result.consent.given
        assert result.consent.given == (filled.profile != "refusal")
        assert {issue.code for issue in result.issues} <= expected
        assert bool(result.needs) == result.consent.given
    assert refusals > 0


def test_refusal_keeps_nothing_about_the_person(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, consent__given="no"))
    assert not result.consent.given
    assert (result.persons, result.needs, result.case_code, result.notes) == ((), (), None, None)
    assert result.residence.place is None
    assert result.consent.recipients == ()


@pytest.mark.parametrize("answer", [None, "maybe", "YES", {"x": "yes"}])
def test_nobody_is_registered_without_a_recorded_answer(nineveh: Governorate, answer: object) -> None:
    with pytest.raises(QuarantineError) as why:
        parse(assessment(nineveh, consent__given=answer))
    assert why.value.reason == "consent_missing"
    assert why.value.details == {}


def test_unknown_place_code_leaves_the_level_above(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, residence__place="DTM-99999999"))
    issue = issues(result)["place_unknown"]
    assert issue == Issue("place_unknown", "residence/place", {"value": "DTM-99999999"})
    assert result.residence.place is None
    assert result.residence.subdistrict is not None
    assert result.residence.basis == "subdistrict"


def test_unknown_place_in_words_is_not_quoted(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, residence__place="خلف بيت أم وردة"))
    assert issues(result)["place_unknown"].details == {}


def test_codes_unknown_all_the_way_up(nineveh: Governorate) -> None:
    odd = {f"residence__{level}": "X1" for level in ("governorate", "district", "subdistrict", "place")}
    result = parse(assessment(nineveh, **odd))
    assert [issue.code for issue in result.issues] == ["place_unknown"] * 4
    assert result.residence.basis == "unknown"


def test_district_in_the_place_of_a_place(nineveh: Governorate) -> None:
    assert "place_unknown" in issues(parse(assessment(nineveh, residence__place="IQG15Q05")))


def test_place_of_another_district_wins_and_is_pointed_out(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, residence__district="IQG15Q01", residence__subdistrict=None))
    assert issues(result)["place_inconsistent"].details["above"] == "IQG15Q01"
    assert result.residence.district == "IQG15Q05"


def test_place_that_is_not_listed(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, residence__place="unknown", residence__place_text="قرب الجسر"))
    assert issues(result)["place_not_listed"].details == {}
    assert result.residence.place_text == "قرب الجسر"
    assert result.residence.basis == "subdistrict"


def test_point_at_the_home_is_used(nineveh: Governorate) -> None:
    tree = assessment(nineveh, residence__at_home="yes", residence__point="٣٦.345 43.13 228.5 4.8")
    residence = parse(tree).residence
    assert (residence.basis, residence.longitude, residence.latitude) == ("home_point", 43.13, 36.345)
    assert residence.accuracy_m == 5


@pytest.mark.parametrize(
    ("point", "code", "details"),
    [
        ("52.52 13.405 0 5", "point_outside_country", {}),
        ("33.3128 44.3615 0 5", "point_far_from_place", {"km", "place"}),
        ("43.13 36.345 0 5", "point_outside_country", {}),  # longitude and latitude swapped
        ("here", "point_unreadable", {}),
        ("95 43 0 0", "point_unreadable", {}),
        ("nan nan 0 0", "point_unreadable", {}),
    ],
)
def test_odd_point_is_not_used_for_matching(
    nineveh: Governorate, point: str, code: str, details: set[str]
) -> None:
    result = parse(assessment(nineveh, residence__at_home="yes", residence__point=point))
    assert set(issues(result)) == {code}
    assert set(issues(result)[code].details) == set(details)
    assert result.residence.basis == "place"
    assert result.residence.longitude is None


def test_point_taken_elsewhere_is_not_the_home(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, residence__point="36.345 43.13 228.5 4.8"))
    assert set(issues(result)) == {"point_not_at_home"}
    assert result.residence.longitude is None


@pytest.mark.parametrize(("age", "issue"), [("300", "age_out_of_range"), ("-1", "age_out_of_range")])
def test_impossible_age(nineveh: Governorate, age: str, issue: str) -> None:
    result = parse(assessment(nineveh, person__age_years=age))
    assert set(issues(result)) == {issue}
    assert issues(result)[issue].details["value"] == int(age)
    assert result.persons[0].age_years is None


def test_age_in_letters_is_not_quoted(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, person__age_years="أربعون سنة"))
    assert issues(result)["type_unexpected"].details == {"expected": "integer"}


def test_eastern_arabic_digits(nineveh: Governorate) -> None:
    result = parse(
        assessment(nineveh, person__age_years="٣٤", contact__phone="٠٧٧٠ ٠٠٠ ٠٦٥٥", household__size="۲")
    )
    assert result.issues == ()
    assert (result.persons[0].age_years, result.persons[0].phone) == (34, "07700000655")
    assert result.household_size == 2


def test_phone_that_is_none_is_kept_as_typed(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, contact__phone="عند الجار"))
    assert issues(result)["phone_unreadable"].details == {}
    assert result.persons[0].phone == "عند الجار"


@pytest.mark.parametrize(
    ("day", "code"),
    [("2026-11-21", "date_in_future"), ("yesterday", "date_unreadable"), ("0001-01-01", "date_unreadable")],
)
def test_odd_dates(nineveh: Governorate, day: str, code: str) -> None:
    result = parse(assessment(nineveh, displacement__return_date=day))
    assert set(issues(result)) == {code}
    assert result.return_date is None


def test_day_is_that_of_the_people_not_of_the_server(nineveh: Governorate) -> None:
    late_evening = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)  # the 21st in Mosul
    tree = from_xml(to_xml(assessment(nineveh, displacement__return_date="2026-11-21"))).tree
    assert parse_assessment(tree, nineveh, received=late_evening).issues == ()


def test_tablet_clock_far_ahead(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, end="2031-01-01T00:00:00.000+03:00"))
    assert "date_in_future" in issues(result)
    assert result.assessed_at == datetime.fromisoformat("2026-11-15T08:45:38.000+03:00")


def test_unknown_choices(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, displacement__status="tourist", consent__categories="housing castles"))
    found = [(issue.field, issue.details) for issue in result.issues]
    assert ("displacement/status", {}) in found
    assert ("consent/categories", {"count": 1}) in found
    assert result.consent.categories == ("housing",)


def test_moi_offices_are_agreed_to_by_their_own_question_only(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, consent__recipients="moi_office local_cso"))
    assert result.consent.recipients == ("local_cso",)
    assert not result.consent.moi
    assert "choice_unknown" in issues(result)


@pytest.mark.parametrize(
    "odd", [{"consent__exclusions": "my_cousin"}, {"consent__exclusion_note": "جمعية كذا"}]
)
def test_exclusion_that_cannot_be_read_holds_everything_back(
    nineveh: Governorate, odd: dict[str, str]
) -> None:
    assert "named_organization" in parse(assessment(nineveh, **odd)).consent.exclusions


def test_needs_are_never_lost(nineveh: Governorate) -> None:
    result = parse(
        assessment(
            nineveh,
            needs__types="shelter_repair rental_support flying_carpet",
            needs__need=[
                {"service_type": "shelter_repair", "urgency": "normal"},
                {"service_type": "shelter_repair", "urgency": "emergency"},
            ],
        )
    )
    assert {need.service_type: need.urgency for need in result.needs} == {
        "shelter_repair": "emergency",
        "rental_support": "normal",
    }
    assert issues(result)["service_type_unknown"].details == {"count": 1}
    assert issues(result)["answer_missing"].details == {"service_type": "rental_support"}


def test_missing_answers_are_named(nineveh: Governorate) -> None:
    tree = changed(
        assessment(nineveh), person__given_name=None, person__age_years=None, case_code=None, needs=None
    )
    result = parse(tree)
    fields = {issue.field for issue in result.issues if issue.code == "answer_missing"}
    assert fields == {"person/given_name", "person/age_years", "case_code", "needs/types"}


def test_only_the_yes_survived(nineveh: Governorate) -> None:
    """The feed of a form cut off after the consent: a case with issues, not a loss."""
    result = parse({"consent": {"given": "yes"}})
    assert result.consent.given
    assert result.consent.recipients == ()
    assert "answer_missing" in issues(result)
    assert result.persons[0].role == "head"


def test_case_code_with_a_wrong_check_character(nineveh: Governorate) -> None:
    right = case_code(nineveh, "ABCD2FGH")
    wrong = right[:-1] + ("A" if right[-1] != "A" else "B")
    result = parse(assessment(nineveh, case_code=wrong))
    assert issues(result)["case_code_invalid"].details == {"value": wrong}
    assert result.case_code is None


def test_minor_without_caregiver(nineveh: Governorate) -> None:
    assert "minor_without_caregiver" in issues(parse(assessment(nineveh, person__age_years="15")))


def caregiver(nineveh: Governorate, **more: Any) -> dict[str, Any]:
    return assessment(
        nineveh,
        **{
            "person__age_years": "9",
            "consent__respondent": "caregiver",
            "consent__proxy_relation": "sibling",
            "consent__proxy_evidence": "caregiver_present",
            "consent__child_assent": "yes",
            "person__caregiver_name": "ليلى",
        }
        | more,
    )


def test_minor_with_caregiver(nineveh: Governorate) -> None:
    result = parse(caregiver(nineveh))
    assert result.issues == ()
    assert result.persons[1].role == "caregiver"
    assert (result.persons[1].given_name, result.persons[1].relation) == ("ليلى", "sibling")
    assert result.consent.child_assent is True


@pytest.mark.parametrize(
    ("language", "interpreter", "codes"),
    [
        ("ar", None, []),
        ("en", None, []),
        ("kmr", None, ["interpreter_missing"]),
        ("ckb", "  ", ["interpreter_missing"]),
        ("syr", None, ["interpreter_missing"]),
        ("kmr", "دلشاد، معلم", []),
    ],
)
def test_who_interpreted_what_nobody_reviewed(
    nineveh: Governorate, language: str, interpreter: str | None, codes: list[str]
) -> None:
    result = parse(assessment(nineveh, consent__language=language, consent__interpreter=interpreter))
    assert [code for code in issues(result) if code == "interpreter_missing"] == codes
    assert result.consent.interpreter == (None if interpreter is None else interpreter.strip() or None)


@pytest.mark.parametrize(
    ("age", "respondent", "evidence", "kept", "codes"),
    [
        ("9", "caregiver", "caregiver_present", "caregiver_present", set()),
        ("9", "caregiver", None, None, {"proxy_evidence_missing"}),
        ("9", "caregiver", "none", "none", {"proxy_evidence_missing"}),
        ("9", "caregiver", "power_of_attorney", None, {"proxy_evidence_unfit"}),
        ("34", "proxy", "caregiver_present", None, {"proxy_evidence_unfit"}),
        ("34", "caregiver", "caregiver_present", None, {"proxy_evidence_unfit"}),
        ("34", "proxy", "confirmed_by_phone", "confirmed_by_phone", set()),
        ("34", "proxy", "court_order", "court_order", set()),
        ("34", "proxy", "a smile", None, {"choice_unknown", "proxy_evidence_missing"}),
        (None, "caregiver", "caregiver_present", "caregiver_present", {"answer_missing"}),
        ("34", "self", "a smile", None, set()),
    ],
)
def test_what_shows_that_somebody_may_speak_for_the_person(
    nineveh: Governorate,
    age: str | None,
    respondent: str,
    evidence: str | None,
    kept: str | None,
    codes: set[str],
) -> None:
    answers = {
        "consent__respondent": respondent,
        "consent__proxy_evidence": evidence,
        "person__age_years": age,
    }
    result = parse(caregiver(nineveh, consent__proxy_reason="مريض", **answers))
    assert result.consent.proxy_evidence == kept
    assert set(issues(result)) == codes


def test_child_who_says_no_is_referred_nowhere(nineveh: Governorate) -> None:
    result = parse(caregiver(nineveh, consent__child_assent="no"))
    assert set(issues(result)) == {"child_assent_refused"}
    assert result.consent.categories == result.consent.recipients == ()
    assert not result.consent.moi


@pytest.mark.parametrize(("answer", "codes"), [("unknown", set()), (None, {"child_assent_missing"})])
def test_child_too_young_to_be_asked(nineveh: Governorate, answer: str | None, codes: set[str]) -> None:
    result = parse(caregiver(nineveh, consent__child_assent=answer))
    assert set(issues(result)) == codes
    assert result.consent.child_assent is None


def test_wrong_types_everywhere(nineveh: Governorate) -> None:
    tree: Tree = {
        "consent": {"given": "yes", "categories": ["a"], "language": {"x": "y"}},
        "person": "nobody",
        "household": {"member": ["x", {"age_years": ["1"]}], "size": {"n": "2"}},
        "needs": {"need": "shelter_repair"},
        "residence": ["IQG15"],
    }
    result = parse_assessment(tree, nineveh, received=RECEIVED)
    fields = {issue.field for issue in result.issues if issue.code == "type_unexpected"}
    assert {"consent/categories", "household/member[1]", "household/member[2]/age_years"} <= fields


NAMES = st.sampled_from(
    [
        "consent",
        "given",
        "categories",
        "exclusions",
        "child_assent",
        "respondent",
        "person",
        "given_name",
        "age_years",
        "residence",
        "governorate",
        "district",
        "subdistrict",
        "place",
        "point",
        "at_home",
        "household",
        "member",
        "size",
        "needs",
        "need",
        "types",
        "service_type",
        "urgency",
        "contact",
        "phone",
        "displacement",
        "status",
        "return_date",
        "start",
        "end",
        "case_code",
        "notes",
    ]
)
TEXTS = st.one_of(
    st.sampled_from(
        ["yes", "no", "unknown", "caregiver", "self", "IQG15", "IQG15Q05", "36.3 43.1 0 0", "1e999 1", "٣٤"]
    ),
    st.text(max_size=20),
    st.integers().map(str),
    st.datetimes().map(datetime.isoformat),
)
TREES = st.dictionaries(
    NAMES,
    st.recursive(
        TEXTS,
        lambda inner: st.one_of(
            st.dictionaries(NAMES, inner, max_size=6), st.lists(inner, min_size=1, max_size=3)
        ),
        max_leaves=12,
    ),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(tree=TREES, consent=st.sampled_from([{}, {"given": "yes"}, {"given": "no"}]))
def test_any_tree_gives_an_assessment_or_a_reason(tree: dict[str, Any], consent: dict[str, str]) -> None:
    if isinstance(tree.get("consent"), dict):
        tree["consent"] |= consent
    elif consent:
        tree["consent"] = consent
    try:
        result = parse_assessment(tree, NINEVEH, received=RECEIVED)
    except QuarantineError as why:
        assert why.reason == "consent_missing"
    else:
        assert isinstance(result, Assessment)
        assert all(
            isinstance(value, str | int | float) for i in result.issues for value in i.details.values()
        )


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.dictionaries(st.one_of(NAMES, st.text(max_size=8)), inner), st.lists(inner)),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(row=st.dictionaries(NAMES, JSON, max_size=6))
def test_any_row_of_a_feed_can_be_read(row: dict[str, Any]) -> None:
    tree = from_odata(row | {"__id": "uuid:1"}, "needs_assessment").tree
    try:
        parse_assessment(tree, NINEVEH, received=RECEIVED)
    except QuarantineError as why:
        assert why.reason == "consent_missing"
