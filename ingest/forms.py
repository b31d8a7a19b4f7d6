"""Which forms this installation publishes, and which versions of them it can read."""

import tomllib
from functools import cache
from threading import Lock

from xlsforms.compile import HOME, CompiledForm, compile_form, list_forms

_compiling = Lock()


def published_forms(governorate_code: str) -> dict[str, CompiledForm]:
    """Compile every form once a process; form id -> form. Treat the result as read-only."""
    with _compiling:  # else the first posts of a morning would each compile
        return _compile_all(governorate_code)


@cache
def _compile_all(governorate_code: str) -> dict[str, CompiledForm]:
    compiled = [compile_form(name, governorate_code) for name in list_forms()]
    return {form.form_id: form for form in compiled}


@cache
def _published_before() -> dict[str, frozenset[str]]:
    """Form id -> every version that its author ever wrote (xlsforms/versions.toml), without data digests."""
    table = tomllib.loads((HOME / "versions.toml").read_text(encoding="utf-8"))
    return {form_id: frozenset(versions) for form_id, versions in table.items()}


def unknown_form_reason(form_id: str, version: str | None, governorate_code: str) -> str | None:
    """Tell why a submission cannot be read: form_unknown, form_version_unknown, or None where it can.

    Tablets hold forms of earlier versions for weeks, and a version is the author's with a digest of the data
    (`2026112301-735cf3a8`; places that were imported since make another). Every version that the author
    wrote is read; codes that are gone become issues.
    """
    if form_id not in published_forms(governorate_code):
        return "form_unknown"
    authors = (version or "").partition("-")[0]
    return None if authors in _published_before().get(form_id, ()) else "form_version_unknown"
