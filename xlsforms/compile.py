"""From a questionnaire in YAML to what a tablet needs: .xlsx, XForm and media.

Everything that a governorate keeps (services, places, documents, the alphabet of case codes) is added here
from its reader, so the YAML holds questions only. The version is the one in the YAML and a digest of all the
content: new places make a new version by themselves, and nobody ever sees two contents under one version.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yxf

from governorates import DEFAULT_GOVERNORATE, Governorate, load
from xlsforms.case_code import case_code_formulas
from xlsforms.choice_lists import LANGUAGE_TITLES, ChoiceRow, choice_rows, names_in_texts
from xlsforms.interpreters import needs_interpreter_formula
from xlsforms.workbook import workbook_bytes

HOME = Path(__file__).parent
SELECT = re.compile(r"select_(?:one|multiple) (\w+)")
PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
DIGEST_LENGTH = 8
TEXT_VERSION = "text_version"

Form = dict[str, Any]
"""yxf's structure: sheet name -> rows, each a mapping of column to text."""


class FormError(ValueError):
    """A questionnaire cannot be compiled; the message names the form and the question or list."""


@dataclass(frozen=True, slots=True)
class CompiledForm:
    """A questionnaire as tablets, Central and the ingester see it.

    `media` is file name -> bytes of what the form's manifest lists; the places are choices inside the form.
    """

    form_id: str
    version: str
    title: str
    xml: str = field(repr=False)
    media: dict[str, bytes] = field(repr=False)
    xlsx: bytes = field(repr=False)
    governorate_code: str

    def __hash__(self) -> int:
        return hash((self.form_id, self.version, self.governorate_code))


def list_forms() -> tuple[str, ...]:
    """Names of the questionnaires that can be compiled, in alphabetical order."""
    return tuple(sorted(path.stem for path in HOME.glob("*.yaml")))


@cache
def read_source(name: str) -> Form:
    """Read a questionnaire as written, without what governorates add. Treat the result as read-only.

    Raises:
        FormError: there is no such questionnaire.

    """
    if name not in list_forms():
        raise FormError(f"There is no form {name!r}; there are: {', '.join(list_forms())}.")
    form: Form = yxf.read_yaml((HOME / f"{name}.yaml").read_text(encoding="utf-8"))
    return form


def source_version(name: str) -> str:
    """Version that the questionnaire's author wrote into the YAML."""
    return str(read_source(name)["settings"][0]["version"])


def source_digest(name: str) -> str:
    """SHA-256 of the questionnaire's text, to be recorded beside its version in versions.toml."""
    return hashlib.sha256((HOME / f"{name}.yaml").read_bytes()).hexdigest()


def compile_form(name: str, governorate_code: str = DEFAULT_GOVERNORATE) -> CompiledForm:
    """Compile a questionnaire for a governorate; once a process.

    Raises:
        FormError: no such questionnaire, or it names a list or formula that does not exist.
        governorates.GovernorateDataError: the governorate's data are wrong.

    """
    return _compiled(name, governorate_code)


@cache
def _compiled(name: str, governorate_code: str) -> CompiledForm:
    from pyxform.xls2xform import convert

    form = _complete(name, load(governorate_code))
    settings = form["settings"][0]
    xlsx = workbook_bytes(form)
    xml: str = convert(xlsform=xlsx, validate=False, file_type=".xlsx").xform
    return CompiledForm(
        form_id=settings["form_id"],
        version=settings["version"],
        title=settings["form_title"],
        xml=xml,
        media={},
        xlsx=xlsx,
        governorate_code=governorate_code,
    )


def write_form(name: str, folder: Path, governorate_code: str = DEFAULT_GOVERNORATE) -> tuple[Path, ...]:
    """Write `<form_id>.xlsx`, `<form_id>.xml` and the media into a folder; returns the files written.

    Raises:
        FormError: see `compile_form`.

    """
    compiled = compile_form(name, governorate_code)
    contents = {
        f"{compiled.form_id}.xlsx": compiled.xlsx,
        f"{compiled.form_id}.xml": compiled.xml.encode(),
        **compiled.media,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for file_name, content in contents.items():
        (folder / file_name).write_bytes(content)
    return tuple(folder / file_name for file_name in contents)


def _complete(name: str, governorate: Governorate) -> Form:
    source = read_source(name)
    conditions = {"needs_interpreter": needs_interpreter_formula(governorate, _text_version(source))}
    known = {
        "calculation": case_code_formulas(governorate.code_alphabet, governorate.code_length),
        "relevant": conditions,
        "required": conditions,
    }
    known |= {title: names_in_texts(governorate, language) for language, title in LANGUAGE_TITLES.items()}
    survey = [_complete_row(name, row, known, source["required_message"]) for row in source["survey"]]
    default = LANGUAGE_TITLES[governorate.default_language]
    first = {"form_title": source["form_title"][default], "default_language": default}
    form = {
        "yxf": source["yxf"],
        "survey": survey,
        "choices": _complete_choices(name, survey, source.get("choices", []), governorate),
        "settings": [source["settings"][0] | first],
    }
    form["settings"][0]["version"] += f"-{_digest(form)[:DIGEST_LENGTH]}"
    return form


def _text_version(source: Form) -> str:
    """Version of the texts that the form reads out, which it writes into every submission."""
    rows = [row["calculation"] for row in source["survey"] if row.get("name") == TEXT_VERSION]
    return str(rows[0]).strip("'") if rows else ""


def _complete_row(
    name: str, row: dict[str, str], known: dict[str, dict[str, str]], message: dict[str, str]
) -> dict[str, str]:
    """Put in what stands for `{{...}}`: formulas in calculations, names in the texts of each language."""
    row = dict(row)
    for column, text in row.items():
        values = known.get(column.rpartition("::")[2], {})
        try:
            row[column] = PLACEHOLDER.sub(lambda found, values=values: values[found[1]], text)  # type: ignore[misc]
        except KeyError as missing:
            raise FormError(f"{name}, {row['name']}: there is no formula or name {missing}.") from None
    if row.get("required") and not any(key.startswith("required_message") for key in row):
        row |= {f"required_message::{title}": message[title] for title in LANGUAGE_TITLES.values()}
    return row


def _complete_choices(
    name: str, survey: list[dict[str, str]], own: list[ChoiceRow], governorate: Governorate
) -> list[ChoiceRow]:
    """Rows of every list that the survey uses: the governorate's, then the form's own additions."""
    used = dict.fromkeys(found[1] for row in survey if (found := SELECT.match(row.get("type", ""))))
    rows: list[ChoiceRow] = []
    for list_name in used:
        try:
            rows += choice_rows(list_name, governorate)
        except KeyError:
            raise FormError(f"{name}: no list {list_name!r} in the governorate or in choices.toml.") from None
        rows += [dict(row) for row in own if row["list_name"] == list_name]
    keys = [(row["list_name"], row["name"]) for row in rows]
    if len(set(keys)) != len(keys):
        raise FormError(f"{name}: a choice of the form is already in the governorate's list.")
    return rows


def _digest(form: Form) -> str:
    return hashlib.sha256(json.dumps(form, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
