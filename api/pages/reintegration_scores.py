"""The reintegration sustainability score of a case: its rounds side by side, and the form of one round."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from api import plan_texts
from api.auth import CurrentUser, Database, Keys, Require
from api.case_frame import require_case
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.texts import text_of
from casework.score_rounds import read_rounds, record_score
from db import accounts
from db.errors import DomainError
from governorates import SCORE_DIMENSIONS, score_questionnaire

router = APIRouter(prefix="/cases/{code}/scores")

Reader = Annotated[CurrentUser, Depends(Require(Permission.SCORE_READ))]
Writer = Annotated[CurrentUser, Depends(Require(Permission.SCORE_WRITE))]

ANSWER_FIELD = "answer_"


async def answers_of_form(request: Request) -> dict[str, str | None]:
    """The answers as posted: indicator -> answer code, None where it is not known."""
    form = await request.form()
    return {
        name.removeprefix(ANSWER_FIELD): (value or None)
        for name, value in form.items()
        if name.startswith(ANSWER_FIELD) and isinstance(value, str)
    }


@router.get("")
def scores_page(request: Request, session: Database, keys: Keys, user: Reader, code: str) -> Response:
    """Show the rounds side by side. The answers are personal data: reading them is audited."""
    case, language = require_case(request, session, user, code), language_of(request)
    accounts.record_audit(session, user.user_id, "score.read", "case_file", [case.id])
    values = {
        "case": case,
        "questionnaire": score_questionnaire(),
        "rounds": read_rounds(session, keys, case),
        "dimensions": {one: text_of(plan_texts.DIMENSIONS, one, language) for one in SCORE_DIMENSIONS},
    }
    return render(request, "scores.html", values)


@router.get("/answers")
def answers_page(
    request: Request,
    session: Database,
    user: Writer,
    code: str,
    round_code: Annotated[str, Query(alias="round", max_length=20)] = "baseline",
) -> Response:
    """Show the questions of one round, to be asked and ticked on the phone."""
    case, language = require_case(request, session, user, code), language_of(request)
    questionnaire = score_questionnaire()
    if round_code not in questionnaire.rounds:
        raise DomainError("not_found")
    values = {
        "case": case,
        "questionnaire": questionnaire,
        "round": questionnaire.rounds[round_code],
        "dimensions": {one: text_of(plan_texts.DIMENSIONS, one, language) for one in SCORE_DIMENSIONS},
        "answer_field": ANSWER_FIELD,
    }
    return render(request, "score_answers.html", values)


@router.post("/answers")
def answer(
    request: Request,
    session: Database,
    keys: Keys,
    user: Writer,
    code: str,
    answers: Annotated[dict[str, str | None], Depends(answers_of_form)],
    round_code: Annotated[str, Form(alias="round", max_length=20)] = "",
) -> Response:
    """Store the answers of a round and their scores."""
    case = require_case(request, session, user, code)
    record_score(
        session, keys, case.id, user.actor, round_code=round_code, answers=answers, now=datetime.now(UTC)
    )
    return see(f"/cases/{case.code}/scores", "scored")
