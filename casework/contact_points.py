"""Where users and organizations are reached for work. Addresses are sealed, each with a key of its own."""

import re
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address

from sqlalchemy.orm import Session

from db import accounts
from db import contact_points as query
from db.errors import DomainError
from db.models import Channel
from db.vault import Vault

ADDRESS_FIELD = "contact_point.address"
LONGEST_ADDRESS = 254
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_MAIL = re.compile(r"[!-?A-~]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose address it is: a user, or an organization with the language of its messages."""

    user_id: int | None = None
    organization_id: int | None = None
    language: str | None = None


def set_contact_point(
    session: Session, vault: Vault, owner: Owner, channel: str, address: str, by: int | None
) -> None:
    """Keep this address in place of the former one, whose key is deleted. Raises DomainError `address_unreadable`.

    `by` is the user who sets it, for the audit trail.
    """
    plain = read_address(channel, address)
    _forget(session, vault, owner, channel)
    key_id = vault.create_key()
    sealed = vault.seal(key_id, ADDRESS_FIELD, plain)
    assert sealed is not None  # noqa: S101  a readable address is never empty
    query.create_contact_point(
        session,
        channel,
        sealed,
        key_id,
        user_id=owner.user_id,
        organization_id=owner.organization_id,
        language=owner.language,
    )
    _record(session, owner, "contact_point.set", by)


def remove_contact_point(session: Session, vault: Vault, owner: Owner, channel: str, by: int | None) -> bool:
    """Forget an address for good; False when there was none."""
    found = _forget(session, vault, owner, channel)
    if found:
        _record(session, owner, "contact_point.remove", by)
    return found


def read_address(channel: str, address: str) -> str:
    """An address in the one form in which it is kept: user@domain, or an international phone number (+964...).

    Raises DomainError `address_unreadable`.
    """
    text = address.strip()
    if channel == Channel.SMS:
        plain = "+" + re.sub(r"[\s().-]", "", text).removeprefix("+").removeprefix("00")
        if _PHONE.fullmatch(plain) and text.startswith(("+", "00")):
            return plain
        raise DomainError("address_unreadable", channel=channel)
    try:
        parsed = Address(addr_spec=text)
    except (MessageError, ValueError, IndexError):
        raise DomainError("address_unreadable", channel=channel) from None
    if len(text) > LONGEST_ADDRESS or not _MAIL.fullmatch(parsed.addr_spec):
        raise DomainError("address_unreadable", channel=channel)
    return parsed.addr_spec


def _forget(session: Session, vault: Vault, owner: Owner, channel: str) -> bool:
    found = query.get_contact_point(
        session, channel, user_id=owner.user_id, organization_id=owner.organization_id
    )
    if found is None:
        return False
    key_id = found.data_key_id
    query.delete_contact_point(session, found.id)
    if key_id is not None:
        vault.erase_key(key_id)
    return True


def _record(session: Session, owner: Owner, action: str, by: int | None) -> None:
    kind = "user_account" if owner.user_id is not None else "organization"
    accounts.record_audit(session, by, action, kind, [owner.user_id or owner.organization_id])
