"""Templates into pages: one Jinja environment a language, with the few filters that pages need."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from api import i18n, texts
from api.assets import asset
from api.cookies import FORM_COOKIE, LANGUAGE_COOKIE, set_cookie
from api.error_texts import ERRORS
from api.navigation import navigation_of
from api.permissions import Permission, may, permits
from governorates import (
    Governorate,
    choice_name,
    format_code,
    format_complaint_code,
    name_in,
    offered_choices,
)

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment(language: str) -> Environment:
    """The templates as one language sees them. An unknown name in a template is an error, never an empty text."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.install_gettext_translations(i18n.translations(language), newstyle=True)  # type: ignore[attr-defined]
    env.globals.update(
        profiles=i18n.PROFILES,
        asset=asset,
        comma=i18n.comma(language),
        Permission=Permission,
        permits=permits,
        may=may,
        choices=offered_choices,
        error_text=partial(_error_text, language),
    )
    env.filters.update(
        code=lambda code: i18n.isolate(format_code(code)),
        printed=format_code,
        complaint_code=lambda code: i18n.isolate(format_complaint_code(code)),
        bdi=i18n.isolate,
        number=lambda value, digits=0: i18n.isolate(i18n.format_number(value, digits)),
        name=lambda names: name_in(names, language),
        choice=lambda code, list_name: choice_name(list_name, code, language),
        wait=lambda since: i18n.format_wait(since, language),
        until=lambda moment: i18n.format_until(moment, language),
        is_past=lambda moment: moment <= datetime.now(UTC),
        joined=lambda words: texts.joined(words, language),
        category=_category(language),
        state=partial(texts.state_name, language=language),
        day=_day(language),
        date=lambda value: i18n.isolate(i18n.format_date(value, language)),
        moment=_moment(language),
        month=lambda month: i18n.isolate(i18n.format_month(month, language)),
        in_words=lambda code, words: words.get(code, code),
        place=_place(language),
        service_type=_service_type(language),
    )
    return env


def _error_text(language: str, code: str) -> str:
    return texts.text_of(ERRORS, code, language)


def _governorate(context: Context) -> Governorate:
    governorate: Governorate = context["governorate"]
    return governorate


def _day(language: str) -> Any:
    @pass_context
    def day(context: Context, moment: datetime) -> Any:
        offset = _governorate(context).utc_offset_hours
        return i18n.isolate(i18n.format_day(moment, language, offset))

    return day


def _moment(language: str) -> Any:
    @pass_context
    def moment(context: Context, at: datetime) -> Any:
        offset = _governorate(context).utc_offset_hours
        return i18n.isolate(i18n.format_moment(at, language, offset))

    return moment


def _place(language: str) -> Any:
    @pass_context
    def place(context: Context, pcode: str) -> str:
        return texts.place_name(_governorate(context), pcode, language)

    return place


def _service_type(language: str) -> Any:
    @pass_context
    def service_type(context: Context, code: str) -> str:
        return texts.service_type_name(_governorate(context), code, language)

    return service_type


def _category(language: str) -> Any:
    @pass_context
    def category(context: Context, code: str) -> str:
        found = _governorate(context).categories.get(code)
        return code if found is None else name_in(found.names, language)

    return category


def language_of(request: Request) -> str:
    """The language of the answer: what the browser chose, else the governorate's first."""
    default = request.app.state.context.governorate.default_language
    return i18n.known_language(request.cookies.get(LANGUAGE_COOKIE), default)


def render(
    request: Request, template: str, values: Mapping[str, Any] | None = None, *, status: int = 200
) -> HTMLResponse:
    """A page in the user's language. Pages hold personal data or lead to it, so nobody may keep a copy."""
    language = language_of(request)
    profile = i18n.PROFILES[language]
    address = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    page = environment(language).get_template(template)
    governorate: Governorate = request.app.state.context.governorate
    user, csrf_token = getattr(request.state, "user", None), getattr(request.state, "csrf_token", "")
    body = page.render(
        language=language,
        profile=profile,
        governorate=governorate,
        user=user,
        navigation=navigation_of(user, request.url.path) if user else None,
        csrf_token=csrf_token,
        path=request.url.path,
        here=address if request.method == "GET" else "/",
        done=texts.done_text(request.query_params.get("done"), language),
        **(values or {}),
    )
    response = HTMLResponse(body, status_code=status, headers={"Cache-Control": "no-store"})
    if user is None and csrf_token and request.cookies.get(FORM_COOKIE) != csrf_token:
        set_cookie(request, response, FORM_COOKIE, csrf_token)
    return response
