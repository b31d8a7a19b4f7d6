"""One case of one office, its officer, another office's officer, and a referral that was sent."""

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from casework import provider_acts, referrals, sending
from casework.matching import match_open_needs
from casework.moves import Actor
from db.models import Case, CaseEvent, FollowUp, Need, Office, Referral
from db.referrals import get_referral_parts
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, open_case

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")


@dataclass
class CaseScene:
    """The case, the people around it, and short ways to look."""

    session: Session
    vault: Vault
    governorate: Governorate
    case_id: int
    officer: Actor
    elsewhere: Actor
    provider: Actor
    referral_id: int

    @property
    def case(self) -> Case:
        found = self.session.get(Case, self.case_id, populate_existing=True)
        assert found is not None
        return found

    @property
    def referral(self) -> Referral:
        found = self.session.get(Referral, self.referral_id, populate_existing=True)
        assert found is not None
        return found

    @property
    def need(self) -> Need:
        found = self.session.get(Need, self.referral.need_id, populate_existing=True)
        assert found is not None
        return found

    def send(self) -> None:
        referrals.approve(self.session, self.vault, self.referral_id, MOMD)
        sending.send(self.session, self.vault, self.referral_id, MOMD, channel="desk", language="ar")

    def deliver(self) -> None:
        self.send()
        for act in (provider_acts.accept, provider_acts.start, provider_acts.deliver):
            act(self.session, self.vault, self.referral_id, self.provider)

    def follow_ups(self, source: str) -> list[FollowUp]:
        statement = select(FollowUp).where(FollowUp.source == source).order_by(FollowUp.due_at, FollowUp.id)
        return list(self.session.scalars(statement.execution_options(populate_existing=True)))

    def events(self) -> list[str]:
        return list(self.session.scalars(select(CaseEvent.kind).order_by(CaseEvent.id)))


@pytest.fixture
def scene(session: Session, vault: Vault, governorate: Governorate) -> CaseScene:
    case_id = open_case(session, vault, governorate, make_assessment(governorate)).case_id
    assert case_id is not None
    match_open_needs(session, vault, governorate, now=datetime.now(UTC))
    case = session.get(Case, case_id)
    referral_id = session.scalar(select(Referral.id).where(Referral.case_id == case_id))
    assert case is not None
    assert referral_id is not None
    parts = get_referral_parts(session, referral_id)
    assert parts is not None
    other = session.scalars(select(Office.id).where(Office.id != case.office_id).order_by(Office.id)).first()
    return CaseScene(
        session,
        vault,
        governorate,
        case_id,
        officer=Actor(None, "officer", "nineveh", office_id=case.office_id),
        elsewhere=Actor(None, "officer", "nineveh", office_id=other),
        provider=Actor(None, "provider", "nineveh", organization_id=parts.organization.id),
        referral_id=referral_id,
    )
