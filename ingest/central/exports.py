"""Decrypted submissions, which Central gives out only as a ZIP of CSV tables and files.

The server decrypts while it answers. So a submission that cannot be decrypted breaks off the whole export, and what
was asked together with it has to be asked for again without it. The ZIP is held in memory within MAX_ZIP_BYTES: what
people said never lies on a disk in plain text. The passphrase goes in the body, since addresses are logged.
"""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ingest.central.attachments import MAX_FILE_BYTES
from ingest.central.errors import CentralError
from ingest.central.session import CentralSession, read_json
from ingest.central.submissions import any_of, read_limited
from ingest.csv_rows import CsvRow, CsvShapeError, FormField, read_rows

MAX_ZIP_BYTES = 100_000_000
"""As much as a tablet may send in one post."""
MAX_TABLE_BYTES = 64_000_000
MAX_MEMBERS = 2_000
MAX_RATIO = 200
RATIO_FROM_BYTES = 10_000_000
"""Small tables of empty cells shrink a lot; only large members are measured."""

MEDIA = "media/"
UNDECRYPTABLE = "400.12"

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
"""What reading a damaged archive raises."""


@dataclass(frozen=True, slots=True)
class ExportKey:
    """A key that submissions of a form are encrypted with; only a managed one can be opened by the server."""

    id: int
    is_managed: bool


class Export:
    """The members of one export."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = {info.filename: info for info in archive.infolist()}
        if len(archive.infolist()) > MAX_MEMBERS:
            raise CentralError("central_too_large")

    def read_rows(self, fields: Sequence[FormField]) -> list[CsvRow]:
        """Read the submissions. Raises CentralError."""
        names = [name for name in self._members if name.endswith(".csv") and not name.startswith(MEDIA)]
        tables = [self._members[name] for name in names]
        if sum(info.file_size for info in tables) > MAX_TABLE_BYTES or any(map(_is_bomb, tables)):
            raise CentralError("central_too_large")
        try:
            return read_rows((self._lines(name) for name in names), fields)
        except CsvShapeError:
            raise CentralError("central_answer") from None
        except _BROKEN:
            raise CentralError("central_cut_off") from None

    def list_files(self) -> list[str]:
        """List the names of the files, as the server wrote them: not paths, and not to be used as such."""
        return [
            name[len(MEDIA) :] for name in self._members if name.startswith(MEDIA) and not name.endswith("/")
        ]

    def read_file(self, name: str) -> bytes | None:
        """Read a file; None where it is larger than is kept. Raises CentralError where it is damaged."""
        info = self._members[f"{MEDIA}{name}"]
        if info.file_size > MAX_FILE_BYTES or _is_bomb(info):
            return None
        try:
            return self._archive.read(info)  # never more than `file_size`
        except _BROKEN:
            raise CentralError("central_cut_off") from None

    def _lines(self, name: str) -> Iterator[str]:
        with self._archive.open(self._members[name]) as member:
            yield from io.TextIOWrapper(member, encoding="utf-8-sig", errors="replace", newline="\n")


def list_keys(central: CentralSession, form_id: str) -> list[ExportKey]:
    """List the keys that a form's submissions are encrypted with now."""
    rows = read_json(central.get(f"{central.form(form_id)}/submissions/keys"))
    try:
        return [ExportKey(int(row["id"]), row["managed"] is True) for row in rows]
    except (KeyError, TypeError, ValueError):
        raise CentralError("central_answer") from None


def list_fields(central: CentralSession, form_id: str) -> list[FormField]:
    """List the fields of a form's newest version, in their order and under their own names."""
    rows = read_json(central.get(f"{central.form(form_id)}/fields", params={"odata": "false"}))
    try:
        return [FormField(tuple(str(row["path"]).strip("/").split("/")), str(row["type"])) for row in rows]
    except (KeyError, TypeError):
        raise CentralError("central_answer") from None


@contextmanager
def get_export(
    central: CentralSession,
    form_id: str,
    roots: Sequence[str],
    passphrases: Mapping[int, str],
    *,
    files: bool = False,
) -> Iterator[Export]:
    """Let Central decrypt some submissions; `passphrases`: key id -> passphrase. For none, it checks these only.

    Raises CentralError: `central_passphrase`, `central_cut_off` also where one of them cannot be decrypted,
    `central_too_large`.
    """
    params = {
        "attachments": "true" if files else "false",
        "deletedFields": "true",  # answers to questions that the newest version of the form no longer has
        "$filter": any_of(roots or [""]),
    }
    content = _download(central, f"{central.form(form_id)}/submissions.csv.zip", params, passphrases)
    with content, _opened(content) as archive:
        yield Export(archive)


def _download(
    central: CentralSession, path: str, params: Mapping[str, str], passphrases: Mapping[int, str]
) -> io.BytesIO:
    data = {str(key_id): passphrase for key_id, passphrase in passphrases.items()}
    try:
        with central.stream(path, method="POST", params=params, data=data) as response:
            content = read_limited(response, MAX_ZIP_BYTES)
            kind = response.headers.get("Content-Type", "")
    except CentralError as error:
        if error.problem == UNDECRYPTABLE:
            raise CentralError("central_passphrase", error.status, error.problem) from None
        raise
    if "zip" not in kind:
        raise CentralError("central_answer")
    if content is None:
        raise CentralError("central_too_large")
    return io.BytesIO(content)


def _opened(content: io.BytesIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(content)
    except _BROKEN:
        raise CentralError("central_cut_off") from None


def _is_bomb(info: zipfile.ZipInfo) -> bool:
    return info.file_size > RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1)
