"""A long JSON list is read piece by piece, and only a whole one is a list."""

import json

import pytest

from ingest.central.errors import CentralError
from ingest.central.listing import read_items

ITEMS = [{"a": "نور ] , [ {", "b": [1, {"c": None}]}, {}, {"d": '"\\'}]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("indent", [None, 1])
def test_pieces_of_any_size(size: int, indent: int | None) -> None:
    whole = json.dumps(ITEMS, ensure_ascii=False, indent=indent).encode() + b"\n"
    assert list(read_items(whole[at : at + size] for at in range(0, len(whole), size))) == ITEMS
    assert list(read_items([b" [ ] "])) == []


@pytest.mark.parametrize(
    "body", ["", "[", "{}", '[{"a": 1}', '[{"a": 1} {"b": 2}]', "[1]", "[]x", "<html>", '[{"a": 1},', "null"]
)
def test_what_is_no_whole_list_is_refused(body: str) -> None:
    with pytest.raises(CentralError) as refused:
        list(read_items([body.encode()]))
    assert refused.value.code == "central_answer"


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(CentralError):
        list(read_items([b'[{"a": "\xff"}]']))
