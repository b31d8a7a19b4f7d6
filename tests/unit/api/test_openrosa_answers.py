"""Answers to tablets: both languages, valid XML, and a message for everything that can happen."""

from typing import get_args

import pytest
from defusedxml.ElementTree import fromstring

from api.openrosa_answers import MESSAGES, form_list, manifest, message
from ingest.sources.inbox import Kind
from xlsforms.compile import CompiledForm


@pytest.mark.parametrize("code", MESSAGES)
def test_every_message_is_valid_in_both_languages(code: str) -> None:
    status, arabic, english = MESSAGES[code]
    answer = message(code)
    root = fromstring(bytes(answer.body))
    assert answer.status_code == status
    assert root[0].text == f"{arabic} / {english}"
    assert root[0].get("nature") == ("" if status < 300 else "error")
    assert any("\u0600" <= letter <= "\u06ff" for letter in arabic)
    assert english.isascii()


def test_every_outcome_has_a_message() -> None:
    conflicts = {"other_bytes", "edit_outdated", "edit_unknown"}
    assert (set(get_args(Kind)) - {"conflict"}) | conflicts <= set(MESSAGES)


def test_names_are_escaped() -> None:
    form = CompiledForm("f&g", "1<2", "A & B", "<x/>", {"a&b.png": b"x"}, b"", "nineveh")
    listed = fromstring(form_list([form], {"f&g": "0"}, "http://h/openrosa/t"))
    space = "{http://openrosa.org/xforms/xformsList}"
    assert listed.findtext(f"{space}xform/{space}name") == "A & B"
    assert listed.findtext(f"{space}xform/{space}version") == "1<2"
    assert fromstring(manifest([("a&b.png", "0")], "http://h")).tag.endswith("manifest")
