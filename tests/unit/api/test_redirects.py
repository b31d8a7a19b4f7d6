"""A link or form never leads people to another host."""

import pytest

from api.redirects import own_path, see


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "queue",
        "",
        None,
        "/ok\r\nSet-Cookie: a=b",
    ],
)
def test_foreign_addresses_become_the_first_page(address: str | None) -> None:
    assert own_path(address) == "/"


@pytest.mark.parametrize("address", ["/queue", "/queue?view=held&page=2", "/referrals/12"])
def test_own_addresses_stay(address: str) -> None:
    assert own_path(address) == address


def test_what_was_done_is_told_by_the_address() -> None:
    assert see("/queue", "held").headers["location"] == "/queue?done=held"
    assert see("/queue?page=2", "held").headers["location"] == "/queue?page=2&done=held"
    assert see("/queue").status_code == 303
