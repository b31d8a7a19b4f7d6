"""Answer a round of the reintegration sustainability score, and read the rounds side by side."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from casework.case_events import add_case_event, hold_case, key_of
from casework.moves import Actor
from casework.reintegration_scores import UnknownAnswerError, score
from db import follow_ups as follow_up_query
from db import reintegration_scores as query
from db.errors import DomainError
from db.models import Case, CaseEventKind, ReintegrationScore
from db.vault import Vault
from governorates import score_questionnaire


@dataclass(frozen=True, slots=True)
class AnsweredRound:
    """One round: its scores, and the answers where they can still be read."""

    row: ReintegrationScore
    answers: Mapping[str, str | None]


def record_score(
    session: Session,
    vault: Vault,
    case_id: int,
    actor: Actor,
    *,
    round_code: str,
    answers: Mapping[str, str | None],
    now: datetime,
) -> ReintegrationScore:
    """Store a round's answers, sealed, and its scores. A round answered again keeps what was answered before.

    The follow-up that was due for this round is done. Raises what `hold_case` raises, `value_wrong` (a round,
    question or answer that does not exist, or no answer at all) or `case_erased`.
    """
    questionnaire = score_questionnaire()
    if round_code not in questionnaire.rounds:
        raise DomainError("value_wrong", field="round")
    try:
        scores = score(questionnaire, answers)
    except UnknownAnswerError as error:
        raise DomainError("value_wrong", field=str(error)) from error
    if not scores.answered:
        raise DomainError("value_wrong", field="answers")
    case = hold_case(session, case_id, actor)
    key_id = key_of(case)
    row = ReintegrationScore(
        case_id=case.id,
        round=round_code,
        questionnaire=questionnaire.version,
        answers=vault.seal_json(key_id, "reintegration_score.answers", dict(answers)),
        answered=scores.answered,
        **scores.dimensions,
        composite=scores.composite,
        composite_high=scores.composite_high,
        recorded_by=actor.user_id,
        recorded_at=now,
    )
    session.add(row)
    session.flush()
    months = questionnaire.rounds[round_code].months
    for waiting in follow_up_query.list_waiting_rounds(session, case.id, months):
        waiting.done_at, waiting.result, waiting.recorded_by = now, "reached", actor.user_id
    add_case_event(
        session, vault, case, actor, CaseEventKind.SCORE_RECORDED, now, object_id=row.id, reason=round_code
    )
    return row


def read_rounds(session: Session, vault: Vault, case: Case) -> dict[str, AnsweredRound]:
    """The newest answers of each round; of an erased case only the scores."""
    rows = query.list_newest_scores(session, case.id)
    opened = vault.open_many("reintegration_score.answers", [row.answers for row in rows.values()])
    return {
        code: AnsweredRound(row, json.loads(answers) if answers else {})
        for (code, row), answers in zip(rows.items(), opened, strict=True)
    }
