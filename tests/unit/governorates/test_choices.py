"""The shared choice lists: who may choose what, and what needs words."""

import pytest

from governorates import choice_codes, codes_with_words, offered_choices, offered_codes
from referral_engine.sop import MOVES, reason_to_expire


@pytest.mark.parametrize(
    ("list_name", "code"),
    [
        ("recall_reason", "consent_withdrawn"),
        ("recall_reason", "consent_expired"),
        ("recall_reason", "override_not_confirmed"),
        ("withdraw_reason", "override_not_confirmed"),
        ("pause_reason", "on_hold"),
        ("withdrawal_channel", "form_edit"),
    ],
)
def test_what_the_system_writes_is_not_offered(list_name: str, code: str) -> None:
    assert code in choice_codes(list_name)
    assert code not in offered_codes(list_name)
    assert code not in {choice.code for choice in offered_choices(list_name)}


def test_everything_else_is_offered_in_its_order() -> None:
    assert offered_codes("decline_reason") == choice_codes("decline_reason")


def test_another_reason_for_a_hold_needs_words() -> None:
    assert codes_with_words("hold_reason") == ("other",)


def test_every_clock_that_ends_a_referral_has_a_reason() -> None:
    assert set(choice_codes("expire_reason")) == {reason_to_expire(one) for one in MOVES["expire"].sources}
