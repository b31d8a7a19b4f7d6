"""Every message in every language: complete, without personal data, and neutral where a returnee may read it."""

import re
from itertools import product
from typing import Any

import pytest

from api.message_texts import CHANNELS, FAILURES, MESSAGE_STATES, TEXTS, render
from casework.message_templates import TEMPLATES, Audience
from db.models import Channel, MessageState
from governorates import LANGUAGES, choice_lists, choices, load
from governorates.directory import read_directory
from referral_engine.sop import ReferralState
from tests.factories.cases import make_assessment
from tests.unit.api.test_catalogues import codes_in

URL = "https://ihala.example.org"
SAMPLES: dict[str, Any] = {
    "referral": 4711,
    "new": 3,
    "waiting": 12,
    "overdue": 5,
    "needs": 6,
    "forms": 2,
    "minutes": 47,
}
PAIRS = [
    (code, channel, language)
    for code, template in TEMPLATES.items()
    for channel, language in product(template.channels, LANGUAGES)
]


def sample(code: str) -> dict[str, Any]:
    params = {name: SAMPLES[name] for name in TEMPLATES[code].params}
    if code == "overdue_digest":
        params["overdue"] = dict.fromkeys(map(str, ReferralState), 7)
    return params


def test_every_template_has_a_text_and_every_code_a_word() -> None:
    assert TEXTS.keys() == TEMPLATES.keys()
    assert MESSAGE_STATES.keys() == set(MessageState)
    assert CHANNELS.keys() == set(Channel)
    given = (
        codes_in(("api",), r'DeliveryError\(\s*"([a-z_]+)"')
        | codes_in(("api",), r'_answered\([^"]*"([a-z_]+)"')
        | codes_in(("api",), r'\((?:smtplib\.\w+|ssl\.\w+|TimeoutError|OSError), "([a-z_]+)"\)')
        | codes_in(("casework",), r'(?:_cancel\(|Decision\(\s*Verdict\.\w+, |NO_ADDRESS = )"([a-z_]+)"')
    )
    assert {"address_refused", "gateway_busy", "outside_hours", "erased", "no_address"} <= given
    assert FAILURES.keys() == given


@pytest.mark.parametrize(("code", "channel", "language"), PAIRS)
def test_a_message_is_whole_and_in_its_language(code: str, channel: str, language: str) -> None:
    text = render(code, channel, language, sample(code), URL)
    assert "%" not in text.subject + text.body
    words = text.body.replace(URL, "")
    assert bool(re.search(r"[\u0600-\u06FF]", words)) == (language != "en")
    assert bool(text.subject) == (channel == "email")
    assert "\n" not in text.subject
    for value in sample(code).values():
        for figure in value.values() if isinstance(value, dict) else [value]:
            assert str(figure) in text.body
    assert text == render(code, channel, language, sample(code), URL)
    path = TEXTS[code].path
    if path is not None:
        assert URL + path.replace("%(referral)s", "4711") in text.body
    assert URL not in render(code, channel, language, sample(code), None).body


def personal() -> set[str]:
    """What the invented case of the tests says of a person, and its code."""
    assessment = make_assessment(load(), case_code="234567892")
    person = assessment.persons[0]
    found = {person.given_name, person.father_name, person.grandfather_name, person.phone}
    return {str(word) for word in (*found, assessment.case_code) if word}


@pytest.mark.parametrize(("code", "channel", "language"), PAIRS)
def test_no_message_holds_anything_of_the_case(code: str, channel: str, language: str) -> None:
    text = render(code, channel, language, sample(code), URL)
    told = personal()
    assert len(told) == 5
    for word in told:
        assert word not in text.subject + text.body


def tell_tale() -> set[str]:
    """Words by which a reader would learn what the message is about: services, organizations, ministries."""
    governorate = load()
    directory = read_directory(governorate.directory_path, governorate)
    records = [
        *governorate.categories.values(),
        *governorate.service_types.values(),
        *governorate.ministries.values(),
        *directory.organizations.values(),
        *directory.services.values(),
    ]
    names = {name for record in records for name in record.names.values()}
    said_by_everybody = {
        "follow_up_kind",
        "station",
    }  # to visit, to call, reception: no word of what it is about
    names |= {
        name
        for part in choice_lists()
        if part not in said_by_everybody
        for choice in choices(part)
        for name in choice.names.values()
    }
    words = {
        "Ihala",
        "ihala",
        "referral",
        "إحالة",
        "ئیحالە",
        "ڕەوانەکردن",
        "رەوانەکرن",
        "return",
        "عائد",
        "http",
    }
    return {word for word in names | words if len(word) > 2}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_returnee_reads_is_neutral(language: str) -> None:
    seen = 0
    forbidden = tell_tale()
    for code, template in TEMPLATES.items():
        if Audience.RETURNEE not in template.audiences:
            continue
        seen += 1
        assert template.audiences == {Audience.RETURNEE}
        assert template.params == frozenset()
        for channel in template.channels:
            text = render(code, channel, language, {}, URL)
            assert not {word for word in forbidden if word in text.subject + text.body}
            assert not re.search(r"\d", text.body)
    assert seen
