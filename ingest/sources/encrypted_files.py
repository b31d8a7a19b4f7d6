"""Files of encrypted submissions, which come decrypted in the ZIP of their submission alone.

In a ZIP of several submissions equal names collide. Central decrypts the files of an edit with the id of the first
version, which spoils their first 16 bytes (seen on v2026.2.2): they are not taken. Collect cannot edit encrypted
submissions, so there are few.
"""

import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence

from ingest.central.attachments import CentralFile
from ingest.central.errors import CentralError
from ingest.central.exports import Export
from ingest.csv_rows import CsvRow
from ingest.sources.encrypted import Decrypter, version_of

CONTENT = "submission.xml.enc"
NOT_KEPT = CentralFile(None, None)

_ENC = re.compile(r"\.enc$", re.IGNORECASE)
_NOT_IN_ZIP = re.compile(r"[/\\?<>:*|\"\x00-\x1f\x80-\x9f]")
"""What Central leaves out of the names of members."""


def plain_names(listed: Mapping[str, bool]) -> dict[str, bool]:
    """Name the files as the answers do, and leave out the content itself."""
    return {_ENC.sub("", name): there for name, there in listed.items() if name.lower() != CONTENT}


def read_files(
    decrypter: Decrypter, form_id: str, root: str, instance_id: str, wanted: Sequence[str]
) -> Iterator[tuple[str, CentralFile | None]]:
    """Read files of a version by the names that its answers have; None where one is not there.

    Nothing is kept of a version that is not the first, or not the current one any more. Raises CentralError.
    """
    if instance_id != root:
        yield from ((name, NOT_KEPT) for name in wanted)
        return
    try:
        with decrypter.open_files(form_id, root) as opened:
            for name in wanted:
                yield name, None if opened is None else _read(*opened, instance_id, name)
    except CentralError as error:
        if error.code != "central_too_large":  # known before the first file is read
            raise
        yield from ((name, NOT_KEPT) for name in wanted)


def _read(row: CsvRow, export: Export, instance_id: str, name: str) -> CentralFile | None:
    if version_of(row) != instance_id:
        return NOT_KEPT
    members = set(export.list_files())
    member = name if name in members else _NOT_IN_ZIP.sub("", name)
    if member not in members:
        return None
    try:
        return CentralFile(_type(name), export.read_file(member))
    except CentralError:
        return None  # damaged: it is asked for again, and must not hold up those of others


def _type(name: str) -> str | None:
    return mimetypes.guess_type(name, strict=False)[0]
