"""Accounts, their sessions, failed sign-ins, and the audit trail."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.orm import Session

from db.models import AuditEvent, LoginFailure, Organization, Role, User, UserSession
from db.visibility import Viewer, visible_users
from governorates import load


def create_user(
    session: Session,
    *,
    login: str,
    password_hash: str,
    role: Role,
    governorate: str,
    office_id: int | None = None,
    ministry: str | None = None,
    organization_id: int | None = None,
    language: str | None = None,
) -> User:
    """Add an account; the scope column of its role (office, ministry, organization) says which rows it sees."""
    user = User(
        login=login,
        password_hash=password_hash,
        role=role,
        governorate=governorate,
        office_id=office_id,
        ministry=ministry,
        organization_id=organization_id,
        language=language or load(governorate).default_language,
    )
    session.add(user)
    session.flush()
    return user


def get_user_by_login(session: Session, login: str) -> User | None:
    """The account with this login, active or not."""
    return session.scalar(select(User).where(User.login == login))


def get_signed_in(
    session: Session, token_hash: bytes, governorate: str, now: datetime
) -> tuple[User, UserSession] | None:
    """The active account of this governorate and the session of a token, unless the session has run out."""
    statement = (
        select(User, UserSession)
        .join(UserSession, UserSession.user_id == User.id)
        .where(
            UserSession.token_hash == token_hash,
            UserSession.expires_at > now,
            User.active,
            User.governorate == governorate,
        )
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else (row[0], row[1])


def create_session(
    session: Session, *, user_id: int, token_hash: bytes, csrf_token: str, expires_at: datetime
) -> None:
    """Keep a new signed-in browser."""
    session.add(
        UserSession(token_hash=token_hash, user_id=user_id, csrf_token=csrf_token, expires_at=expires_at)
    )
    session.flush()


def delete_session(session: Session, token_hash: bytes) -> None:
    """Sign a browser out."""
    session.execute(delete(UserSession).where(UserSession.token_hash == token_hash))


def delete_expired_sessions(session: Session, now: datetime) -> None:
    """Forget the sessions that have run out."""
    session.execute(delete(UserSession).where(UserSession.expires_at <= now))


def set_language(session: Session, user_id: int, language: str) -> None:
    """Keep the language a user chose."""
    session.execute(update(User).where(User.id == user_id).values(language=language))


def record_login_failure(session: Session, login_index: bytes) -> None:
    """Note one failed sign-in under the keyed hash of the login that was typed."""
    session.add(LoginFailure(login_index=login_index))
    session.flush()


def count_login_failures(session: Session, login_index: bytes, since: datetime) -> int:
    """Failed sign-ins with this login since a moment."""
    statement = select(func.count()).where(LoginFailure.login_index == login_index, LoginFailure.at > since)
    return session.scalar(statement) or 0


def clear_login_failures(session: Session, login_index: bytes) -> None:
    """Forget the failures of a login that has now signed in."""
    session.execute(delete(LoginFailure).where(LoginFailure.login_index == login_index))


def list_users(session: Session, viewer: Viewer) -> list[tuple[User, dict[str, str] | None]]:
    """Accounts the viewer looks after, each with its organization's names, by role and login."""
    statement = (
        visible_users(viewer)
        .outerjoin(Organization, Organization.id == User.organization_id)
        .add_columns(Organization.names)
        .order_by(User.role, User.login)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def record_audit(
    session: Session,
    user_id: int | None,
    action: str,
    object_type: str,
    object_ids: Sequence[int | None],
    purpose: str | None = None,
) -> None:
    """Note who did or read what, one row an object, with ids and codes only."""
    rows = [
        {
            "user_id": user_id,
            "action": action,
            "object_type": object_type,
            "object_id": object_id,
            "purpose": purpose,
        }
        for object_id in object_ids
    ]
    if rows:
        session.execute(insert(AuditEvent), rows)


def list_all_users(session: Session, governorate: str) -> list[User]:
    """All accounts of a governorate, by role and login: for the command line of whoever runs the machine."""
    statement = select(User).where(User.governorate == governorate).order_by(User.role, User.login)
    return list(session.scalars(statement))


def has_users_elsewhere(session: Session, governorate: str) -> bool:
    """Whether this database has accounts of another governorate."""
    return bool(session.scalar(select(exists().where(User.governorate != governorate))))


def delete_sessions_of(session: Session, user_id: int) -> None:
    """Sign a user out everywhere."""
    session.execute(delete(UserSession).where(UserSession.user_id == user_id))
