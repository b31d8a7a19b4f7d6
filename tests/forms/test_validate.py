"""ODK Validate, the field's own checker, loads the form as Collect would."""

import shutil
from pathlib import Path

import pytest
from pyxform.validators.odk_validate import ODKValidateError, check_xform

from xlsforms.compile import CompiledForm


@pytest.fixture(autouse=True)
def java() -> None:
    """A missing runtime is a failure that says what to do, never a skip."""
    if shutil.which("java") is None:
        pytest.fail("ODK Validate needs a Java runtime: `make system-packages` installs one.", pytrace=False)


def _check(folder: Path, xml: str) -> list[str]:
    path = folder / "form.xml"
    path.write_text(xml, encoding="utf-8")
    return list(check_xform(str(path)))


def test_accepts_the_form(compiled: CompiledForm, tmp_path: Path) -> None:
    assert _check(tmp_path, compiled.xml) == []


def test_refuses_a_broken_form(compiled: CompiledForm, tmp_path: Path) -> None:
    broken = compiled.xml.replace("count-selected(", "count-chosen(")
    assert broken != compiled.xml
    with pytest.raises(ODKValidateError, match="count-chosen"):
        _check(tmp_path, broken)
