"""The cookies of the pages. None can be read by a script or sent by another site's form."""

from datetime import timedelta

from fastapi import Request
from fastapi.responses import Response

SESSION_COOKIE = "ihala_session"
FORM_COOKIE = "ihala_form"
LANGUAGE_COOKIE = "ihala_language"
SESSION_LENGTH = timedelta(hours=12)
LANGUAGE_KEPT = timedelta(days=365)


def set_cookie(
    request: Request, response: Response, name: str, value: str, max_age: timedelta = SESSION_LENGTH
) -> None:
    """Set one cookie; only over TLS when the settings say that this installation has it."""
    response.set_cookie(
        name,
        value,
        max_age=int(max_age.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.app.state.context.settings.secure_cookies,
        path="/",
    )
