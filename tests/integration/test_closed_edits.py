"""The form of a closed case is sent again: its facts are kept, nothing opens, and somebody is told."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from casework import merges, reopening
from casework.cases import TakenIn, take_in
from casework.duplicates import find_duplicates
from casework.matching import match_open_needs
from casework.moves import Actor
from casework.tasks import finish_task
from db.case_sheets import list_case_issues
from db.models import Case, CaseEvent, DuplicatePair, Need, Referral, Submission, Task
from db.tasks import list_case_tasks, list_tasks
from db.vault import Vault
from governorates import Governorate
from tests.factories.cases import make_assessment, make_consent, open_case, store_submission

MOMD = Actor(None, "coordinator", "nineveh", ministry="momd")
BOTH = (("counselling", "urgent"), ("ration_card", "normal"))


@dataclass
class Scene:
    """A case that was closed with one need open."""

    session: Session
    vault: Vault
    governorate: Governorate
    case_id: int

    @property
    def case(self) -> Case:
        return self.session.get_one(Case, self.case_id, populate_existing=True)

    @property
    def officer(self) -> Actor:
        return Actor(8, "officer", "nineveh", office_id=self.case.office_id)

    def needs(self, case_id: int | None = None) -> dict[str, str]:
        own = select(Need).where(Need.case_id == (case_id or self.case_id)).order_by(Need.service_type)
        rows = self.session.scalars(own.execution_options(populate_existing=True))
        return {need.service_type: need.status for need in rows}

    def edit(self, needs: tuple[tuple[str, str], ...], case_id: int | None = None, **changes: Any) -> TakenIn:
        """Send the form of the case (or of the other one) again, as an edit of its first version."""
        case = self.session.get_one(Case, case_id or self.case_id)
        first = self.session.get_one(Submission, case.submission_id)
        again = store_submission(self.session, self.vault)
        again.root_instance_id, again.data_key_id = first.root_instance_id, case.data_key_id
        self.session.flush()
        assessment = make_assessment(self.governorate, needs, **changes)
        return take_in(self.session, self.vault, self.governorate, again, assessment)

    def close(self) -> None:
        now = datetime.now(UTC)
        reopening.close_case(
            self.session, self.vault, self.case_id, self.officer, reason="person_wishes", now=now
        )

    def reopen(self) -> None:
        now = datetime.now(UTC)
        reopening.reopen_case(
            self.session, self.vault, self.case_id, self.officer, reason="person_returned", now=now
        )

    def proposed(self) -> int:
        match_open_needs(self.session, self.vault, self.governorate, now=datetime.now(UTC))
        return len(self.session.scalars(select(Referral.id)).all())

    def tasks(self) -> list[tuple[str, str, str]]:
        rows = select(Task).order_by(Task.id).execution_options(populate_existing=True)
        return [(task.kind, task.state, task.urgency) for task in self.session.scalars(rows)]

    def marks(self) -> list[str]:
        found = [issue.code for _, issue in list_case_issues(self.session, MOMD, [self.case_id])]
        return [code for code in found if code == "edited_after_closing"]


@pytest.fixture
def scene(session: Session, vault: Vault, governorate: Governorate) -> Scene:
    case_id = open_case(session, vault, governorate, make_assessment(governorate)).case_id
    assert case_id is not None
    made = Scene(session, vault, governorate, case_id)
    made.close()
    return made


def test_facts_are_kept_and_nothing_opens(scene: Scene) -> None:
    taken = scene.edit(BOTH, place="IQG15Q07", household_size=9)
    assert taken.status == "updated"
    assert (scene.case.residence_district, scene.case.household_size) == ("IQG15Q07", 9)
    assert scene.case.closed_at is not None
    assert scene.needs() == {"counselling": "withdrawn", "ration_card": "withdrawn"}
    assert scene.proposed() == 0


def test_the_office_gets_one_task_and_the_coordinator_sees_it(scene: Scene) -> None:
    for _ in range(2):
        taken = scene.edit(BOTH)
        assert "edited_after_closing" in {issue.code for issue in taken.issues}
    assert scene.tasks() == [("new_answers", "open", "urgent")], "as urgent as the most urgent need"
    assert list_tasks(scene.session, scene.officer).total == 1
    assert [row.kind for row in list_case_tasks(scene.session, MOMD, [scene.case_id])] == ["new_answers"]
    assert scene.marks() == ["edited_after_closing"] * 2
    events = scene.session.scalars(select(CaseEvent.kind).order_by(CaseEvent.id)).all()
    assert events == ["case_closed", "edited_after_closing", "edited_after_closing"]


def test_reopening_opens_what_the_newest_form_asks_for(scene: Scene) -> None:
    scene.edit((("counselling", "normal"), ("hlp_legal_aid", "normal")))
    scene.edit((("ration_card", "emergency"),))
    scene.reopen()
    assert scene.needs() == {"counselling": "withdrawn", "hlp_legal_aid": "withdrawn", "ration_card": "open"}
    assert scene.tasks() == [("new_answers", "done", "normal")]
    assert scene.marks() == []
    assert scene.proposed() == 1


def test_an_edit_from_before_an_earlier_reopening_does_not_count(scene: Scene) -> None:
    scene.edit((("ration_card", "normal"),))
    scene.reopen()
    scene.edit(BOTH)
    scene.close()
    scene.reopen()
    assert scene.needs() == {"counselling": "open", "ration_card": "open"}


def test_reopening_without_an_edit_opens_what_closing_ended(scene: Scene) -> None:
    scene.reopen()
    assert scene.needs() == {"counselling": "open"}


def test_a_case_that_stays_closed_is_not_marked_for_ever(scene: Scene) -> None:
    scene.edit(BOTH)
    [task] = scene.session.scalars(select(Task))
    now = datetime.now(UTC)
    finish_task(scene.session, scene.vault, task.id, scene.officer, "dealt_with", now=now)
    assert scene.marks() == []
    assert scene.case.closed_at is not None
    assert scene.proposed() == 0


def test_a_refusal_of_a_closed_case_is_a_refusal_as_ever(scene: Scene) -> None:
    assert scene.edit(BOTH, consent=make_consent(scene.governorate, given=False)).status == "refused"
    assert scene.tasks() == []


def test_an_edit_of_a_case_that_is_open_opens_needs_as_ever(scene: Scene) -> None:
    scene.reopen()
    scene.edit(BOTH)
    assert scene.needs() == {"counselling": "open", "ration_card": "open"}
    assert scene.tasks() == []


def test_the_form_of_a_merged_registration_keeps_to_the_household_that_is_closed(scene: Scene) -> None:
    scene.reopen()
    other = open_case(
        scene.session, scene.vault, scene.governorate, make_assessment(scene.governorate)
    ).case_id
    find_duplicates(scene.session, scene.vault, scene.governorate)
    pair = scene.session.scalars(select(DuplicatePair)).one()
    merges.merge(scene.session, scene.vault, pair.id, scene.case_id, MOMD)
    scene.close()
    scene.edit(BOTH, other)
    assert scene.needs()["ration_card"] == "withdrawn"
    assert scene.proposed() == 0
    assert [kind for kind, *_ in scene.tasks()] == ["new_answers"]
    scene.reopen()
    assert scene.needs()["ration_card"] == "open"
    merges.unmerge(scene.session, pair.id, MOMD)
    assert "ration_card" in scene.needs(other), "it goes back to the registration that asked for it"
