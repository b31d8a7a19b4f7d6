"""The contract says of the compiled form what is true of it."""

from xlsforms import contract
from xlsforms.compile import CompiledForm, list_forms
from xlsforms.walk.definition import Definition
from xlsforms.walk.xform import read_definition


def _definition(compiled: CompiledForm) -> Definition:
    return read_definition(compiled.xml)


def _of_kind(definition: Definition, kind: str) -> set[str]:
    return {path.split("/", 2)[2] for path, bind in definition.binds.items() if bind.kind == kind}


def test_forms_are_all_named() -> None:
    assert set(contract.FORM_IDS) == set(list_forms())


def test_fields_are_those_of_the_form(compiled: CompiledForm) -> None:
    definition = _definition(compiled)
    leaves = [shape.path.split("/", 2)[2] for shape in definition.shape.walk() if not shape.children]
    named = [*contract.FIELDS, *contract.WORKING_FIELDS, *contract.NOTE_FIELDS]
    assert len(set(named)) == len(named)
    assert set(named) == set(leaves)


def test_kinds_are_those_of_the_form(compiled: CompiledForm) -> None:
    definition = _definition(compiled)
    multiple = {path.split("/", 2)[2] for path, item in definition.controls.items() if item.kind == "select"}
    assert set(contract.SELECT_MULTIPLE_FIELDS) == multiple
    assert set(contract.INTEGER_FIELDS) == _of_kind(definition, "int")
    assert set(contract.DATE_FIELDS) == _of_kind(definition, "date")
    assert set(contract.MOMENT_FIELDS) == _of_kind(definition, "dateTime")
    assert set(contract.POINT_FIELDS) == _of_kind(definition, "geopoint")
    assert {f"/data/{path}" for path in contract.REPEATS} == set(definition.repeats)


def test_every_free_text_is_personal(compiled: CompiledForm) -> None:
    definition = _definition(compiled)
    typed = {
        path.split("/", 2)[2]
        for path, control in definition.controls.items()
        if control.kind == "input"
        and definition.bind(path).kind in ("string", "geopoint")
        and not definition.bind(path).readonly
    }
    assert set(contract.PERSONAL_FIELDS) == typed


def test_notes_are_the_questions_nobody_answers(compiled: CompiledForm) -> None:
    definition = _definition(compiled)
    notes = {path.split("/", 2)[2] for path in definition.controls if definition.bind(path).readonly}
    assert set(contract.NOTE_FIELDS) == notes


def test_no_field_begins_with_the_name_of_a_repeat_beside_it(compiled: CompiledForm) -> None:
    """ODK Central refuses entity fields so named: it takes `member_count` for a part of repeat `member`."""
    definition = _definition(compiled)
    for repeat in definition.repeats:
        above, _, name = repeat.rpartition("/")
        beside = [child.name for child in definition.shapes[above].children if child.name != name]
        assert not [other for other in beside if other.startswith(name)]


def test_the_root_is_data(compiled: CompiledForm) -> None:
    assert _definition(compiled).shape.name == "data"
