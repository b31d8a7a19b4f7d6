"""Messages as whoever looks after them sees them: template, state, code of the error; never an address or a text."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api import message_texts
from api.auth import CurrentUser, Database, Require
from api.permissions import Permission
from api.redirects import see
from api.rendering import language_of, render
from api.texts import text_of
from casework.attempts import requeue
from db import accounts
from db.errors import DomainError
from db.models import Channel, MessageState, OutboxMessage, Role
from db.outbox import get_visible_message, list_messages

router = APIRouter(prefix="/messages")


@router.get("")
def messages_page(
    request: Request,
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.MESSAGE_READ))],
    view: MessageState = MessageState.FAILED,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Show how many messages wait, were sent or failed, by kind, and the newest of one state."""
    language = language_of(request)
    found = list_messages(session, user, view, datetime.now(UTC), page)
    settings = request.app.state.context.settings
    closed = [
        channel
        for channel, account in (
            (Channel.EMAIL, settings.mail_account()),
            (Channel.SMS, settings.sms_account()),
        )
        if account is None
    ]
    values = {
        "messages": found,
        "view": view,
        "states": {code: text_of(message_texts.MESSAGE_STATES, code, language) for code in MessageState},
        "rows": [_in_words(row, language) for row in found.rows],
        "kinds": sorted(
            (_template_name(template, language), number)
            for (state, template), number in found.by_template.items()
            if state == view
        ),
        "closed": [text_of(message_texts.CHANNELS, channel, language) for channel in closed],
    }
    return render(request, "messages.html", values)


def _template_name(template: str, language: str) -> str:
    text = message_texts.TEXTS.get(template)
    return template if text is None else text_of({template: text.subject}, template, language)


def _in_words(message: OutboxMessage, language: str) -> dict[str, object]:
    return {
        "id": message.id,
        "template": _template_name(message.template, language),
        "channel": text_of(message_texts.CHANNELS, message.channel, language),
        "attempts": message.attempts,
        "code": message.last_error,
        "reason": text_of(message_texts.FAILURES, message.last_error, language),
        "created_at": message.created_at,
        "next_attempt_at": message.next_attempt_at if message.state == MessageState.QUEUED else None,
    }


@router.post("/{message_id}/retry")
def retry(
    session: Database,
    user: Annotated[CurrentUser, Depends(Require(Permission.MESSAGE_RETRY))],
    message_id: int,
) -> Response:
    """Try a message that failed once more, with the next run of the worker."""
    message = get_visible_message(session, user, message_id)
    if message is None:
        raise DomainError("not_found", message_id=message_id)
    if message.state != MessageState.FAILED:
        raise DomainError("changed_meanwhile", message_id=message_id)
    requeue(message, datetime.now(UTC))
    if user.role != Role.PSEA_FOCAL_POINT:  # a row of the audit would tell of a complaint outside the line
        accounts.record_audit(session, user.user_id, "message.retry", "outbox_message", [message_id])
    return see("/messages", "queued")
