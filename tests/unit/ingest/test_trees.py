"""One field tree, whichever source; and bytes that nobody should have to read."""

import pytest

from db.errors import DomainError
from governorates import Governorate, load
from ingest.trees import MAX_DEPTH, MAX_XML_BYTES, from_odata, from_xml
from tests.central.recorded import recorded
from tests.unit.ingest.invented import assessment, to_odata, to_xml


@pytest.fixture(scope="module")
def nineveh() -> Governorate:
    return load("nineveh")


def test_both_sources_give_the_same_tree(nineveh: Governorate) -> None:
    tree = assessment(nineveh, residence__point="36.345 43.13 228.5 4.8", residence__at_home="yes")
    xml = from_xml(to_xml(tree, instance_id="uuid:1"))
    odata = from_odata(to_odata(tree, instance_id="uuid:1"), "needs_assessment")
    assert xml.tree == odata.tree
    assert xml.tree["residence"]["point"] == "36.345 43.13 228.5 4.8"  # type: ignore[index,call-overload]
    assert xml.envelope.instance_id == odata.envelope.instance_id == "uuid:1"
    assert xml.envelope.form_version == odata.envelope.form_version


def test_recorded_submission_and_recorded_row_give_the_same_tree() -> None:
    """A real Central's own XML and feed of one submission, which has a repeat, a point and empty answers."""
    sent = recorded("submission-xml")["body_text"]
    row = recorded("single-submission")["body_json"]["value"][0]
    repeats = frozenset({"member"})
    xml = from_xml(sent.encode(), repeats).tree
    odata = from_odata(row, "returnee_assessment", repeats).tree
    assert len(xml["member"]) == 2
    assert xml == odata


def test_repeat_of_one_is_a_list_and_empty_is_absent() -> None:
    xml = b'<data id="f"><household><member><x>1</x></member><size/></household><e><f> </f></e>'
    reading = from_xml(xml + b"<meta><instanceID>uuid:1</instanceID></meta></data>")
    assert reading.tree == {"household": {"member": [{"x": "1"}]}, "meta": {"instanceID": "uuid:1"}}


def test_template_of_a_repeat_is_no_row() -> None:
    xml = (
        b'<data xmlns:jr="http://openrosa.org/javarosa" id="f"><needs><need jr:template=""><urgency>x</urgency></need>'
        b"</needs><meta><instanceID>uuid:1</instanceID></meta></data>"
    )
    assert "needs" not in from_xml(xml).tree


@pytest.mark.parametrize(
    ("xml", "cause"),
    [
        (b"", "not_xml"),
        (b"<data id='f'><meta><instanceID>uuid:1</instanceID>", "not_xml"),
        (b"\xff\xfe\x00<data/>", "not_xml"),
        (b"<?xml version='1.0' encoding='klingon'?><data/>", "not_xml"),
        (b'<!DOCTYPE data [<!ENTITY a "b">]><data id="f">&a;</data>', "dtd_forbidden"),
        (b'<!DOCTYPE data SYSTEM "file:///etc/passwd"><data id="f"/>', "dtd_forbidden"),
        (b'<data id="f"/>', "no_instance_id"),
        (b"<data><meta><instanceID>uuid:1</instanceID></meta></data>", "no_form_id"),
        (
            b'<data id="f"><meta><instanceID>' + b"x" * 65 + b"</instanceID></meta></data>",
            "identifier_too_long",
        ),
        (b'<data id="f">' + b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH + b"</data>", "too_deep"),
        (b'<data id="f">' + b"<a/>" * 20_001 + b"</data>", "too_many_nodes"),
        (b'<data id="f">' + b" " * MAX_XML_BYTES + b"</data>", "too_large"),
    ],
)
def test_bytes_that_cannot_be_read_are_refused(xml: bytes, cause: str) -> None:
    with pytest.raises(DomainError) as refused:
        from_xml(xml)
    assert (refused.value.code, refused.value.details) == ("malformed_submission", {"cause": cause})


def test_every_cut_of_a_submission_is_refused(nineveh: Governorate) -> None:
    """A post cut off anywhere is noticed, so that nothing is registered from half a form."""
    xml = to_xml(assessment(nineveh))
    for end in range(0, len(xml) - 1, 97):
        with pytest.raises(DomainError):
            from_xml(xml[:end])


def test_deep_and_wide_rows_of_the_feed_are_refused() -> None:
    row: dict[str, object] = {"__id": "uuid:1"}
    for _ in range(MAX_DEPTH + 1):
        row = {"a": row, "__id": "uuid:1"}
    with pytest.raises(DomainError):
        from_odata(row, "f")
    with pytest.raises(DomainError):
        from_odata({"__id": "uuid:1", "a": ["x"] * 20_001}, "f")


def test_submission_sent_without_an_id_goes_by_the_one_that_central_gave() -> None:
    row = {"__id": "a321ce5f-2d0c", "meta": {"instanceID": None}, "x": "y"}
    assert from_odata(row, "f").envelope.instance_id == "a321ce5f-2d0c"


def test_lone_surrogates_and_strange_geometry_are_text() -> None:
    row = {"__id": "u", "a": "x\ud800y", "b": {"type": "Point", "coordinates": "?"}, "c": {"type": "Point"}}
    tree = from_odata(row, "f").tree
    assert tree["a"] == "x?y"
    assert isinstance(tree["b"], str)


def test_only_answers_that_may_name_a_file_do() -> None:
    xml = (
        b'<data id="f"><photo>17636.jpg</photo><path>../../etc/x.jpg</path><text>Mosul</text>'
        b"<meta><instanceID>uuid:1</instanceID></meta></data>"
    )
    assert from_xml(xml).envelope.file_names == {"17636.jpg"}


def test_answers_do_not_show_in_repr(nineveh: Governorate) -> None:
    shown = repr(from_xml(to_xml(assessment(nineveh))))
    assert "وردة" not in shown
    assert "0770" not in shown


@pytest.mark.parametrize("odd", ["f" * 5000, "a\u200eb", "f" * 81])
def test_form_names_that_do_not_fit_are_cut_and_stay_apart(odd: str) -> None:
    xml = '<data id="{}" version="{}"><meta><instanceID>uuid:1</instanceID></meta></data>'
    one = from_xml(xml.format(odd, odd).encode()).envelope
    other = from_xml(xml.format(odd + "2", odd).encode()).envelope
    assert one.form_version is not None
    assert len(one.form_id) <= 80 >= len(one.form_version)
    assert one.form_id.isprintable()
    assert one.form_id != other.form_id
