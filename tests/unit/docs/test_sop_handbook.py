"""The handbook in docs/sop says what the code does, and nothing else."""

import xml.etree.ElementTree as ET

import pytest

from docs.sop_handbook import FOLDER, LANGUAGES, clock_words, handbook, pages
from docs.sop_words import BREACHES, GUARDS, NEEDS, RULES, WORDS
from governorates import choices, load
from governorates.model import BREACHES as CLOCK_BREACHES
from referral_engine import sop

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_what_the_tables_say(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == PAGES[name], "run `make handbook`"


def test_there_is_no_other_page() -> None:
    assert {path.name for path in FOLDER.iterdir()} == PAGES.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_move_clock_and_reason_is_told(language: str) -> None:
    page = handbook(load(), language)
    for state in sop.ReferralState:
        assert f"`{state}`" in page
    for move in sop.MOVES.values():
        assert f"`{move.name}`" in page
        for choice in choices(move.reason_list) if move.reason_list else ():
            assert f"`{choice.code}`" in page
    for state in sop.LIVE:
        assert all(clock in page for clock in clock_words(load(), state, language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_drawing_has_every_live_state_and_every_move_between_them(language: str) -> None:
    root = ET.fromstring(PAGES[f"states.{language}.svg"])  # noqa: S314  our own file
    tags = [element for element in root.iter() if element.get("class") == "tag"]
    between = [move for move in sop.MOVES.values() if move.target in sop.LIVE and move.sources]
    assert len({tag.get("cx") for tag in tags}) > 1
    drawn = [move for move in between if move.sources != {move.target}]
    assert len(tags) >= len(drawn)
    boxes = [element for element in root.iter() if element.get("class") == "state"]
    assert len(boxes) == len(sop.LIVE)


def test_the_words_are_complete_in_both_languages() -> None:
    assert GUARDS.keys() == set(sop.Guard)
    assert BREACHES.keys() == set(CLOCK_BREACHES)
    assert NEEDS.keys() == set(sop.NEED_AFTER.values())
    for names in (*WORDS.values(), *GUARDS.values(), *NEEDS.values(), *RULES):
        assert names.keys() == set(LANGUAGES)
