"""Archives that an export may not be: damaged, or out of all proportion."""

import io
import zipfile

import pytest

from ingest.central import exports
from ingest.central.errors import CentralError
from ingest.central.exports import Export

ROOT = "SubmissionDate,a,KEY,SubmitterID,Status,FormVersion\n"


def archive(**members: bytes) -> zipfile.ZipFile:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return zipfile.ZipFile(content)


def code_of(made: zipfile.ZipFile) -> str:
    with pytest.raises(CentralError) as caught:
        Export(made).read_rows([])
    return caught.value.code


def test_tables_are_read_and_files_named_as_members() -> None:
    made = archive(**{"f.csv": f"{ROOT}d,1,u,2,,3\n".encode(), "media/../x.csv": b"a", "media/dir/": b""})
    export = Export(made)
    assert [row.answers for row in export.read_rows([])] == [{"a": "1"}]
    assert export.list_files() == ["../x.csv"]  # a name in the archive, never a path of ours
    assert export.read_file("../x.csv") == b"a"


def test_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = b"0" * (exports.RATIO_FROM_BYTES + 1)
    assert code_of(archive(**{"f.csv": bomb})) == "central_too_large"
    assert Export(archive(**{"media/x": bomb})).read_file("x") is None
    monkeypatch.setattr(exports, "MAX_TABLE_BYTES", 10)
    assert code_of(archive(**{"f.csv": ROOT.encode()})) == "central_too_large"
    monkeypatch.setattr(exports, "MAX_MEMBERS", 1)
    assert code_of(archive(a=b"", b=b"")) == "central_too_large"


def test_what_is_no_export_is_refused() -> None:
    assert code_of(archive(**{"f.csv": b"a,b\n"})) == "central_answer"
    assert code_of(archive()) == "central_answer"


def test_damaged_member_is_an_answer_cut_off() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("f.csv", ROOT + "d,secret,u,2,,3\n")
        made.writestr("media/a.jpg", b"photo")
    spoiled = content.getvalue().replace(b"secret", b"Secret").replace(b"photo", b"phoTo")
    export = Export(zipfile.ZipFile(io.BytesIO(spoiled)))
    with pytest.raises(CentralError) as caught:
        export.read_rows([])
    assert caught.value.code == "central_cut_off"
    with pytest.raises(CentralError):
        export.read_file("a.jpg")


def test_member_is_read_no_further_than_its_directory_says() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("media/a.jpg", b"x" * 5000)
    made = zipfile.ZipFile(content)
    made.infolist()[0].file_size = 10
    with pytest.raises(CentralError):
        Export(made).read_file("a.jpg")  # ten bytes, whose checksum is another
