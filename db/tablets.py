"""Queries on the officers' tablets. A token is shown once, when its tablet is added; its hash is kept."""

import hashlib
import re
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Select, bindparam, exists, select, update
from sqlalchemy.orm import Session

from db.models import Office, Tablet

TOKEN_LENGTH = 64
SEEN_EVERY = timedelta(minutes=1)

_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}")


def is_well_formed(token: str) -> bool:
    """Tell whether a text could be a tablet's token at all."""
    return _TOKEN.fullmatch(token) is not None


def create_tablet(session: Session, label: str, office_id: int) -> tuple[Tablet, str]:
    """Add a tablet and return it with its token, which cannot be shown again.

    The token has 384 random bits, so that a plain SHA-256 of it gives nothing away.
    """
    token = secrets.token_urlsafe(48)
    tablet = Tablet(label=label, token_hash=hash_token(token), office_id=office_id)
    session.add(tablet)
    session.flush()
    return tablet, token


_BY_TOKEN = (
    select(Tablet)
    .join(Office, Office.id == Tablet.office_id)
    .where(
        Tablet.token_hash == bindparam("token_hash"),
        Tablet.revoked_at.is_(None),
        Office.governorate == bindparam("governorate"),
    )
)


def get_tablet_by_token(session: Session, governorate: str, token: str) -> Tablet | None:
    """Find the governorate's tablet with a token; None where it is unknown or was revoked."""
    return session.scalar(_BY_TOKEN, {"token_hash": hash_token(token), "governorate": governorate})


def is_label_taken(session: Session, label: str) -> bool:
    """Tell whether any tablet has this label: labels are unique over all governorates."""
    return bool(session.scalar(select(exists().where(Tablet.label == label))))


def get_tablet_by_label(session: Session, governorate: str, label: str) -> Tablet | None:
    """Find a tablet of a governorate, revoked ones included, by what stands on its back."""
    return session.scalar(_of(governorate).where(Tablet.label == label))


def list_tablets(session: Session, governorate: str) -> list[Tablet]:
    """List the tablets of a governorate, revoked ones included, by label."""
    return list(session.scalars(_of(governorate).order_by(Tablet.label)))


def _of(governorate: str) -> Select[Tablet]:
    return select(Tablet).join(Office, Office.id == Tablet.office_id).where(Office.governorate == governorate)


def revoke_tablet(session: Session, tablet_id: int, now: datetime) -> bool:
    """Shut a tablet out from the commit on; False where there is none or it was shut out already."""
    revoked = session.scalar(
        update(Tablet)
        .where(Tablet.id == tablet_id, Tablet.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(Tablet.id)
    )
    return revoked is not None


def note_central_closed(session: Session, tablet_id: int, now: datetime) -> None:
    """Note that a revoked tablet has no access to ODK Central either."""
    session.execute(
        update(Tablet)
        .where(Tablet.id == tablet_id, Tablet.revoked_at.is_not(None), Tablet.central_closed_at.is_(None))
        .values(central_closed_at=now)
        .execution_options(synchronize_session=False)
    )


def touch_tablet(session: Session, tablet: Tablet, now: datetime) -> None:
    """Note that a tablet was heard of, at most once a minute, so that posts do not queue for its row."""
    if tablet.last_seen_at is None or now - tablet.last_seen_at >= SEEN_EVERY:
        session.execute(
            update(Tablet)
            .where(Tablet.id == tablet.id)
            .values(last_seen_at=now)
            .execution_options(synchronize_session=False)
        )


def hash_token(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).digest()
