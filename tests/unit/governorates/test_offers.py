"""Clocks of transfers and hand-overs: right data read, wrong data refused with their place."""

import datetime as dt
import shutil
from pathlib import Path

import pytest

from governorates import GovernorateDataError, available, load
from governorates.calendar import offer_due_at
from governorates.model import URGENCIES
from governorates.offers import OFFERS, read_offer_clocks
from governorates.reader import HOME

THURSDAY = dt.datetime(2026, 11, 26, 9, tzinfo=dt.UTC)


@pytest.mark.parametrize("code", available())
def test_every_governorate_has_a_clock_for_every_offer(code: str) -> None:
    assert load(code).offer_clocks.keys() == {(offer, urgency) for offer in OFFERS for urgency in URGENCIES}


def test_an_emergency_does_not_wait_for_sunday() -> None:
    nineveh = load("nineveh")
    assert offer_due_at(nineveh, "transfer", "emergency", THURSDAY) == THURSDAY + dt.timedelta(hours=4)
    normal = offer_due_at(nineveh, "transfer", "normal", THURSDAY)
    assert normal == THURSDAY + dt.timedelta(hours=48 + 48)  # Friday and Saturday stand still


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("[transfer]", "[transfers]", "[transfer] is missing"),
        ("[hand_over]", "[hand_overs]", "[hand_over] is missing"),
        ("[transfer]\nemergency = { hours = 4 }", "[transfer]\nemergency = { hours = 0 }", "hours"),
        ("[hand_over]\nemergency = { hours = 4 }\n", "[hand_over]\n", "no clock for emergency"),
    ],
)
def test_wrong_data_name_their_place(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    path = tmp_path / "sop.toml"
    shutil.copy(HOME / "nineveh" / "sop.toml", path)
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(GovernorateDataError) as caught:
        read_offer_clocks(path)
    assert complaint in str(caught.value)
    assert "sop.toml" in str(caught.value)
