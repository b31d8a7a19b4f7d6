"""Issues stand unsealed, so none may quote what a person typed."""

from typing import Any

import pytest

from governorates import Governorate
from tests.unit.ingest.invented import assessment
from tests.unit.ingest.test_parse import nineveh, parse

__all__ = ["nineveh"]

NAME, PHONE = "Warda", "07700000655"
BOXES = """
case_code start end
consent__language consent__respondent consent__proxy_relation consent__text_version consent__categories
consent__recipients consent__moi consent__exclusions
person__sex person__age_years
displacement__status displacement__return_date displacement__country
contact__language contact__answerer contact__phone
residence__governorate residence__district residence__place residence__at_home residence__point
profile__disability profile__documents profile__tenure
household__size
"""


@pytest.mark.parametrize("typed", [NAME, PHONE, PHONE[2:], NAME.lower(), "WARDASALM"])
def test_no_issue_quotes_a_name_or_a_phone_in_the_wrong_box(nineveh: Governorate, typed: str) -> None:
    boxes = BOXES.split()
    odd: dict[str, Any] = dict.fromkeys(boxes, typed)
    odd["household__member"] = [{"given_name": "x", "relation": typed, "sex": typed, "age_years": typed}]
    odd["needs__need"] = [{"service_type": typed, "urgency": typed}]
    result = parse(assessment(nineveh, **odd, needs__types=f"shelter_repair {typed}"))
    assert len(result.issues) > len(boxes) // 2
    for issue in result.issues:
        assert typed not in str(issue.details)
    assert typed not in result.consent.text_version


def test_a_thousand_unknown_codes_are_one_issue(nineveh: Governorate) -> None:
    result = parse(assessment(nineveh, needs__types=" ".join(f"x{i}" for i in range(1000))))
    [issue] = [issue for issue in result.issues if issue.code == "service_type_unknown"]
    assert issue.details == {"count": 1000}
