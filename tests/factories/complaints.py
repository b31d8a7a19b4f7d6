"""Invented complaints, received through the real act."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from casework.complaints import COMPLAINANT, Receipt, Statement, receive_complaint
from casework.moves import Actor
from db.models import Role, User
from db.vault import Vault
from governorates import Governorate

TEXT = "قالت لي زنبقةالاختبار إن عليّ أن أدفع"
ADDRESS = "07709998877 Zanbaqatest"


def make_statement(**changes: Any) -> Statement:
    """An anonymous complaint about a fee, unless changed."""
    return replace(Statement("provider", "fee_asked", TEXT, "ar", "page"), **changes)


def complain(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    now: datetime,
    actor: Actor = COMPLAINANT,
    **changes: Any,
) -> Receipt:
    """Receive a complaint."""
    return receive_complaint(session, vault, governorate, make_statement(**changes), now, actor)


def add_answerer(
    session: Session, login: str, role: Role, governorate: str = "nineveh", ministry: str | None = None
) -> Actor:
    """An account that handles complaints, as the actor it is."""
    user = User(
        login=login, password_hash="-", role=role, governorate=governorate, ministry=ministry, language="ar"
    )
    session.add(user)
    session.flush()
    return Actor(user.id, role, governorate, ministry=ministry)
