"""The interface of the tablets: what ODK Collect calls to get forms and to send them filled.

The token in the path is the tablet's login. It is checked on every request and never logged
(`api.openrosa_log`); an answer is given only after the transaction is committed to disk.
"""

import hashlib
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import InterfaceError, OperationalError

from api.collect_qr import server_url
from api.context import AppContext
from api.openrosa_answers import (
    OPENROSA_HEADERS,
    Refused,
    form_list,
    manifest,
    message,
    xml_answer,
)
from api.openrosa_intake import GroupCommit
from api.openrosa_log import hide_tokens
from api.openrosa_post import Post, declared_length, read_post
from db import tablets
from db.errors import DomainError
from db.session import session_scope
from db.vault import Vault
from ingest.forms import published_forms
from ingest.sources.inbox import Receipt, receive
from xlsforms.compile import CompiledForm

logger = logging.getLogger(__name__)

Call = Callable[[Request], Coroutine[Any, Any, Response]]

VERSION = "1.0"
SMALL_BYTES = 300_000
"""Posts up to this size are read before their token is looked up, with the rest in one transaction."""


class OpenRosaRoute(APIRoute):
    """Checks the OpenRosa header before anything else, and answers refusals as OpenRosa XML."""

    def get_route_handler(self) -> Call:
        """Wrap the route."""
        call: Call = super().get_route_handler()

        async def answer(request: Request) -> Response:
            if request.headers.get("X-OpenRosa-Version") != VERSION:
                return message("missing_header")
            try:
                return await call(request)
            except Refused as refused:
                return message(refused.code)
            except (OperationalError, InterfaceError) as error:
                logger.warning("the database did not answer a tablet: %s", type(error).__name__)
                return message("unavailable")

        return answer


hide_tokens()
router = APIRouter(prefix="/openrosa/{token}", route_class=OpenRosaRoute)


@router.get("/formList")
def get_form_list(request: Request, token: str) -> Response:
    """List the forms that this installation publishes."""
    context = _context(request)
    _check_tablet(context, token)
    forms = published_forms(context.governorate.code)
    hashes = {form_id: _form_hash(form) for form_id, form in forms.items()}
    return xml_answer(form_list(forms.values(), hashes, _base_url(request, token)))


@router.get("/forms/{form_id}.xml")
def get_form(request: Request, token: str, form_id: str, version: str | None = None) -> Response:
    """Give a form's definition; `version`, where given, must be the published one."""
    context = _context(request)
    _check_tablet(context, token)
    form = _form(context, form_id)
    if version not in {None, form.version}:
        raise Refused("not_found")
    return xml_answer(form.xml)


@router.get("/forms/{form_id}/manifest")
def get_manifest(request: Request, token: str, form_id: str) -> Response:
    """List the media of a form with their hashes."""
    context = _context(request)
    _check_tablet(context, token)
    form = _form(context, form_id)
    media = [(name, _md5(content)) for name, content in form.media.items()]
    return xml_answer(manifest(media, f"{_base_url(request, token)}/forms/{form_id}/media"))


@router.get("/forms/{form_id}/media/{name}")
def get_media(request: Request, token: str, form_id: str, name: str) -> Response:
    """Give one media file."""
    context = _context(request)
    _check_tablet(context, token)
    content = _form(context, form_id).media.get(name)
    if content is None:
        raise Refused("not_found")
    return Response(content, headers=OPENROSA_HEADERS, media_type="application/octet-stream")


@router.head("/submission")
def head_submission(request: Request, token: str) -> Response:
    """Tell Collect how much it may send at once."""
    _check_tablet(_context(request), token)
    return Response(status_code=204, headers=OPENROSA_HEADERS)


@router.post("/submission")
async def post_submission(request: Request, token: str) -> Response:
    """Store one post. Collect deletes nothing before it has seen 201 or 202."""
    context = _context(request)
    if declared_length(request) not in range(1, SMALL_BYTES):
        await run_in_threadpool(_check_tablet, context, token)  # before reading megabytes from a stranger
    post = await read_post(request)
    receipt = None
    if not post.files and len(post.xml) < SMALL_BYTES:
        group: GroupCommit = request.app.state.intake
        receipt = await group.store(token, post.xml)
    if receipt is None:
        receipt = await run_in_threadpool(_receive, context, token, post)
    if receipt.kind == "created":
        context.wake()
    conflict = receipt.kind == "conflict" and receipt.reason
    return message(conflict or receipt.kind)


def _receive(context: AppContext, token: str, post: Post) -> Receipt:
    """Store in one transaction, committed when this returns."""
    now = datetime.now(UTC)
    try:
        with session_scope(context.engine) as session:
            tablet = tablets.get_tablet_by_token(session, context.governorate.code, token)
            if tablet is None:
                raise Refused(_refusal(token))
            receipt = receive(
                session,
                Vault(session, context.masters),
                tablet,
                post.xml,
                post.files,
                governorate_code=context.governorate.code,
                now=now,
            )
            tablets.touch_tablet(session, tablet, now)
            return receipt
    except DomainError as error:
        if error.code != "malformed_submission":
            raise
        raise Refused("malformed") from None  # nothing was stored, the tablet keeps it


def _check_tablet(context: AppContext, token: str) -> None:
    """Let known tablets pass; note that they were heard of."""
    with session_scope(context.engine) as session:
        tablet = tablets.get_tablet_by_token(session, context.governorate.code, token)
        if tablet is None:
            raise Refused(_refusal(token))
        tablets.touch_tablet(session, tablet, datetime.now(UTC))


def _refusal(token: str) -> str:
    return "unknown_tablet" if tablets.is_well_formed(token) else "bad_token"


def _form(context: AppContext, form_id: str) -> CompiledForm:
    form = published_forms(context.governorate.code).get(form_id)
    if form is None:
        raise Refused("not_found")
    return form


def _context(request: Request) -> AppContext:
    context: AppContext = request.app.state.context
    return context


def _base_url(request: Request, token: str) -> str:
    """Return the address under which this tablet reaches us: the public one where it is set."""
    public_url = _context(request).settings.public_url or str(request.base_url)
    return server_url(public_url, token)


@lru_cache(maxsize=64)
def _form_hash(form: CompiledForm) -> str:
    return _md5(form.xml.encode())


def _md5(content: bytes) -> str:
    """Return the hash by which Collect notices changes; it protects nothing."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
