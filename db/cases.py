"""Queries on cases, the people in them, their needs and consents."""

from collections.abc import Iterable

from sqlalchemy import and_, any_, delete, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from db.models import Case, Consent, Need, Office, Person, Referral, Submission, SubmissionIssue, Tablet
from referral_engine.sop import LIVE


def get_case_of_submission(session: Session, source: str, form_id: str, root_instance_id: str) -> Case | None:
    """The case that this submission opened, locked for the transaction against every other act on it."""
    return session.scalar(
        select(Case)
        .where(Case.source == source, Case.form_id == form_id, Case.root_instance_id == root_instance_id)
        .with_for_update(key_share=True)
    )


def lock_case(session: Session, case_id: int) -> None:
    """Hold a case until the transaction ends; taken before anything else that belongs to it."""
    session.execute(select(Case.id).where(Case.id == case_id).with_for_update(key_share=True))


def lock_need(session: Session, need_id: int) -> tuple[Need, Case] | None:
    """A need and its case, both held until the transaction ends, the case first."""
    case_id = session.scalar(select(Need.case_id).where(Need.id == need_id))
    if case_id is None:
        return None
    lock_case(session, case_id)
    row = session.execute(
        select(Need, Case)
        .join(Case, Case.id == Need.case_id)
        .where(Need.id == need_id)
        .with_for_update(of=Need, key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    return row.Need, row.Case


def get_case(session: Session, case_id: int) -> Case | None:
    """One case by its id."""
    return session.get(Case, case_id)


def get_standing_case(session: Session, case: Case) -> Case:
    """The case itself, or the one that it was merged into, held until the transaction ends."""
    if case.merged_into_id is None:
        return case
    statement = select(Case).where(Case.id == case.merged_into_id).with_for_update(key_share=True)
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def count_cases_with_code(session: Session, code: str, governorate: str | None = None) -> int:
    """How many cases, of one governorate or all, already use this code as their own or as the printed one."""
    used = or_(Case.code == code, Case.printed_code == code)
    wanted = used if governorate is None else and_(used, Case.governorate == governorate)
    return session.scalar(select(func.count()).select_from(Case).where(wanted)) or 0


def list_case_ids_with_phone(
    session: Session, governorate: str, phone_index: bytes, besides: int
) -> list[int]:
    """Other cases of the governorate that gave the same phone number (at most 20)."""
    return list(
        session.scalars(
            select(Person.case_id)
            .join(Case, Case.id == Person.case_id)
            .where(
                Person.phone_index == phone_index,
                Person.case_id != besides,
                Case.governorate == governorate,
            )
            .distinct()
            .order_by(Person.case_id)
            .limit(20)
        )
    )


def delete_persons(session: Session, case_id: int) -> None:
    """Remove the household of a case before a newer version of it is written, as a whole."""
    session.execute(delete(Person).where(Person.case_id == case_id))


def get_head(session: Session, case_id: int) -> Person | None:
    """The person whom the case is about."""
    return session.scalar(select(Person).where(Person.case_id == case_id, Person.role == "head"))


def list_needs(session: Session, case_id: int) -> list[Need]:
    """All needs of a case."""
    return list(session.scalars(select(Need).where(Need.case_id == case_id).order_by(Need.id)))


def list_need_ids_with_live_referral(session: Session, case_id: int) -> set[int]:
    """Needs of a case that have a referral under way."""
    return set(
        session.scalars(select(Referral.need_id).where(Referral.case_id == case_id, Referral.state.in_(LIVE)))
    )


def get_assessment_consent(session: Session, case_id: int) -> Consent | None:
    """The consent of the newest assessment of a case."""
    return session.scalar(
        select(Consent)
        .where(Consent.case_id == case_id, Consent.kind == "assessment")
        .order_by(Consent.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )


def get_office_for_district(session: Session, governorate: str, district: str | None) -> Office | None:
    """The office that serves a district, if any."""
    if district is None:
        return None
    return session.scalar(
        select(Office)
        .where(Office.governorate == governorate, literal(district) == any_(Office.districts))
        .order_by(Office.id)
        .limit(1)
    )


def get_office_id_of_tablet(session: Session, tablet_id: int | None, governorate: str) -> int | None:
    """The office of the governorate to which a tablet belongs."""
    return session.scalar(
        select(Office.id)
        .join(Tablet, Tablet.office_id == Office.id)
        .where(Tablet.id == tablet_id, Office.governorate == governorate)
    )


def add_issues(session: Session, issues: Iterable[SubmissionIssue]) -> None:
    """Record issues of a submission."""
    session.add_all(issues)
    session.flush()


def count_figures(session: Session) -> dict[str, int]:
    """The figures of the whole database: cases, needs by outcome, refusals, quarantined and lost submissions.

    `lost` counts current submissions that became neither a case, nor a refusal, nor a quarantined row.
    """
    open_need = Need.status == "open"
    held = exists().where(Referral.need_id == Need.id, Referral.holds_slot)
    row = session.execute(
        select(
            select(func.count()).select_from(Submission).scalar_subquery().label("stored"),
            select(func.count()).select_from(Case).scalar_subquery().label("cases"),
            select(func.count())
            .select_from(Submission)
            .where(Submission.status == "refused")
            .scalar_subquery()
            .label("refusals"),
            select(func.count())
            .select_from(Submission)
            .where(Submission.status == "quarantined")
            .scalar_subquery()
            .label("quarantined"),
            select(func.count())
            .select_from(Submission)
            .where(Submission.status == "received")
            .scalar_subquery()
            .label("waiting"),
            select(func.count()).select_from(Need).scalar_subquery().label("needs"),
            select(func.count()).select_from(Need).where(held).scalar_subquery().label("proposed"),
            select(func.count())
            .select_from(Need)
            .where(open_need, Need.unmet_reason.is_not(None))
            .scalar_subquery()
            .label("unmet"),
            select(func.count())
            .select_from(Need)
            .where(open_need, Need.unmet_reason.is_(None), ~held)
            .scalar_subquery()
            .label("undecided"),
            select(func.count())
            .select_from(Need)
            .where(Need.status == "informed")
            .scalar_subquery()
            .label("informed"),
        )
    ).one()
    return {name: int(value) for name, value in row._mapping.items()}


def count_unmet_by_reason(session: Session) -> dict[str, int]:
    """Open needs without an offer, by the reason recorded."""
    rows = session.execute(
        select(Need.unmet_reason, func.count())
        .where(Need.status == "open", Need.unmet_reason.is_not(None))
        .group_by(Need.unmet_reason)
        .order_by(func.count().desc(), Need.unmet_reason)
    )
    return {str(reason): int(number) for reason, number in rows}
