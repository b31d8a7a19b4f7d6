"""Refusals, in one place: each becomes a page in the user's language or JSON with a stable code.

Nothing of the cause but its code reaches the user: no traceback, no personal data.
"""

from collections.abc import Mapping
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException

from api.rendering import render
from db.errors import ERROR_CODES, DomainError
from referral_engine.sop import IllegalMove

API_PREFIX = "/api/"

PAGE_ERROR_CODES: Mapping[str, int] = {
    "sign_in_required": 401,
    "sign_in_failed": 401,
    "too_many_attempts": 429,
    "form_expired": 403,
    "bad_request": 400,
    "internal": 500,
}
"""Refusals that only arise at the edge, beside `db.errors.ERROR_CODES`."""

WAITED_TOO_LONG = frozenset({"40001", "40P01", "55P03", "57014"})
"""SQLSTATEs of a transaction that gave way to another one: trying again helps."""

HTTP_CODES: Mapping[int, str] = {
    403: "forbidden",
    404: "not_found",
    405: "bad_request",
    413: "submission_too_large",
    422: "bad_request",
}


class SignInRequired(Exception):  # noqa: N818  it is an invitation, not an error
    """Nobody is signed in."""


class PageError(Exception):
    """A refusal of the pages themselves, with a code of `PAGE_ERROR_CODES`."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.status = PAGE_ERROR_CODES[code]
        super().__init__(code)


def _answer(request: Request, status: int, code: str) -> Response:
    if request.url.path.startswith(API_PREFIX):
        return JSONResponse({"code": code}, status_code=status, headers={"Cache-Control": "no-store"})
    return render(request, "error.html", {"status": status, "code": code}, status=status)


def _sign_in_required(request: Request, _: Exception) -> Response:
    if request.url.path.startswith(API_PREFIX):
        return _answer(request, 401, "sign_in_required")
    if request.method != "GET" or request.url.path == "/":
        return RedirectResponse("/login", status_code=303)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(wanted, safe='')}", status_code=303)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError | PageError)  # noqa: S101  registered for these two only
    return _answer(request, error.status, error.code)


def _illegal_move(request: Request, _: Exception) -> Response:
    return _answer(request, ERROR_CODES["illegal_move"], "illegal_move")


def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = HTTP_CODES.get(status, "bad_request" if status < 500 else "internal")
    return _answer(request, status, code)


def _invalid_input(request: Request, _: Exception) -> Response:
    # The framework's own answer repeats what was typed; that may be personal data.
    return _answer(request, PAGE_ERROR_CODES["bad_request"], "bad_request")


def _bad_value(request: Request, _: Exception) -> Response:
    # A number beyond 64 bits, a zero byte in a text: no page of ours sends them.
    return _answer(request, PAGE_ERROR_CODES["bad_request"], "bad_request")


def _database_refused(request: Request, error: Exception) -> Response:
    if getattr(getattr(error, "orig", None), "sqlstate", None) not in WAITED_TOO_LONG:
        raise error
    return _answer(request, ERROR_CODES["busy"], "busy")


def crash_answer(request: Request) -> Response:
    """The answer when the program itself failed (`api.security` logs where)."""
    return _answer(request, 500, "internal")


def add_error_pages(app: FastAPI) -> None:
    """Turn every refusal into its page or JSON answer."""
    app.add_exception_handler(SignInRequired, _sign_in_required)
    app.add_exception_handler(DomainError, _refused)
    app.add_exception_handler(PageError, _refused)
    app.add_exception_handler(IllegalMove, _illegal_move)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_input)
    app.add_exception_handler(DataError, _bad_value)
    app.add_exception_handler(OperationalError, _database_refused)
