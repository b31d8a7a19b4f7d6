"""The form of a closed case is sent again: what it says is kept, and a person decides whether to open the case.

No need opens and nobody is proposed by that. Needs that are asked for stand by as withdrawn; the case's history
names them, so that reopening the case opens just these.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from casework.assessment import Issue, NeedAnswer
from casework.case_events import add_case_event
from casework.merged_edits import record_new_need
from casework.moves import SYSTEM
from casework.tasks import NEW_ANSWERS, open_task
from db import cases as query
from db.models import Case, CaseEventKind, Need, Submission
from db.queue import URGENCY_ORDER
from db.vault import Vault
from governorates import Governorate

STANDS_BY = "withdrawn"
"""Status of a need that a closed case asks for."""


def keep_answers(
    session: Session,
    vault: Vault,
    governorate: Governorate,
    case: Case,
    standing: Case,
    submission: Submission,
    answers: Sequence[NeedAnswer],
    now: datetime,
) -> list[Issue]:
    """Keep the needs of an edited form of a case that is closed, and give its office a task.

    `case` is the form's own, `standing` the closed one that it was merged into, or the same. The caller holds both.
    """
    known = {
        need.service_type: need for need in query.list_needs(session, standing.id) if not need.same_as_id
    }
    under_way = query.list_need_ids_with_live_referral(session, standing.id)
    asked = []
    for answer in answers:
        need = known.get(answer.service_type)
        if need is None:
            need = _add_need(session, governorate, case, standing, answer, now)
        elif need.id not in under_way:
            need.urgency = answer.urgency
        if need.status == STANDS_BY:
            asked.append(need.id)
    details = {"need_ids": asked}
    kind = CaseEventKind.EDITED_AFTER_CLOSING
    add_case_event(session, vault, standing, SYSTEM, kind, now, object_id=submission.id, details=details)
    urgency = min((answer.urgency for answer in answers), key=URGENCY_ORDER.index, default=None)
    open_task(session, standing, NEW_ANSWERS, now, urgency=urgency)
    return [Issue("edited_after_closing")]


def _add_need(
    session: Session, governorate: Governorate, case: Case, standing: Case, answer: NeedAnswer, now: datetime
) -> Need:
    need = Need(
        case_id=standing.id,
        service_type=answer.service_type,
        category=governorate.service_types[answer.service_type].category,
        urgency=answer.urgency,
        status=STANDS_BY,
        opened_at=now,
    )
    session.add(need)
    session.flush()
    if case is not standing:
        record_new_need(session, case.id, need)
    return need
