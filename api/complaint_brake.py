"""A brake on the public pages for complaints, by address: one connection cannot flood them nor stop another one.

Addresses are kept for an hour as keyed hashes that lead to no complaint. Trying phrases is counted by address and
code, so that guessing at somebody's complaint never keeps that person from it elsewhere, nor a neighbour on the
same connection from theirs.
"""

from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from fastapi import Request
from sqlalchemy.orm import Session

from db import complaints as query
from db.vault import Vault

WINDOW = timedelta(hours=1)
COMPLAINTS_ALLOWED = 20
WRONG_PHRASES_ALLOWED = 10


def new_complaints_index(request: Request, keys: Vault) -> bytes:
    """Under what the complaints from this address are counted."""
    return keys.blind("complaint_source", f"new:{_source(request)}")


def wrong_phrases_index(request: Request, keys: Vault, code: str) -> bytes:
    """Under what wrong phrases for this code from this address are counted."""
    return keys.blind("complaint_source", f"status:{code.strip().upper()[:60]}:{_source(request)}")


def is_braked(session: Session, index: bytes, allowed: int, now: datetime) -> bool:
    """Whether as much as is allowed was done within the last hour."""
    return query.count_attempts(session, index, now - WINDOW) >= allowed


def count_one(session: Session, index: bytes, now: datetime) -> None:
    """Note one attempt, and forget what is older than an hour."""
    query.create_attempt(session, index, now, now - WINDOW)


def _source(request: Request) -> str:
    """The address that asks; of IPv6 the network, because one household has many addresses."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(ip_network(f"{address}/64", strict=False)) if isinstance(address, IPv6Address) else host
