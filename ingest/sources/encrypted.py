"""The content of encrypted submissions: Central decrypts, and the feed's rows get their answers.

Which submissions are encrypted is decided row by row: a project that turned encryption on later holds both kinds.
Whatever cannot be decrypted is left out, so the source keeps no ETag and asks for it again; without the right
passphrase nothing is read at all.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ingest.central.errors import CentralError
from ingest.central.exports import Export, get_export, list_fields, list_keys
from ingest.central.session import CentralSession
from ingest.central.submissions import IDS_PER_REQUEST
from ingest.csv_rows import CsvRow, FormField

CSV = "csv+json"
"""Media type of a row that came as CSV: its JSON has the shape of the feed, with every answer as text."""

Row = dict[str, Any]
_SPOILED = frozenset({"central_cut_off", "central_too_large"})
"""How an export ends in which one submission is damaged or out of all proportion."""


class Decrypter:
    """Decrypts through one session. `problems`: codes of what was left out, for the report of a run."""

    def __init__(self, client: CentralSession, passphrase: str | None) -> None:
        self._client, self._passphrase = client, passphrase
        self._fields: dict[str, list[FormField]] = {}
        self._opened: dict[int, str] = {}
        self._closed: set[int] = set()
        self.problems: set[str] = set()

    def __call__(self, form_id: str, rows: Sequence[Row]) -> list[Row]:
        """Give rows of the feed that are only metadata their answers; those that cannot be read are left out.

        Raises CentralError: `central_passphrase_missing`, `central_passphrase`, `central_encrypted`.
        """
        keys = self._keys(form_id)
        if not keys:
            return []  # the last encrypted submission is gone meanwhile
        by_root = {str(row["__id"]): row for row in rows}
        roots, found = list(by_root), {}
        for at in range(0, len(roots), IDS_PER_REQUEST):
            found |= self._read(form_id, roots[at : at + IDS_PER_REQUEST], keys)
        return [self._with_answers(by_root[root], row) for root, row in found.items() if self._is_whole(row)]

    @contextmanager
    def open_files(self, form_id: str, root: str) -> Iterator[tuple[CsvRow, Export] | None]:
        """Open a submission with its files; None where it is gone or cannot be decrypted.

        Raises CentralError, `central_too_large` where the files together are more than is taken.
        """
        keys = self._keys(form_id)
        try:
            with get_export(self._client, form_id, [root], keys, files=True) as export:
                rows = [row for row in export.read_rows(self._form_fields(form_id)) if row.root == root]
                yield (rows[0], export) if rows else None
                return
        except CentralError as error:
            if error.code != "central_cut_off":
                raise
        self._check_line(form_id, keys)
        yield None

    def _keys(self, form_id: str) -> dict[int, str]:
        """Map the keys that the passphrase opens to it. One passphrase serves all managed keys."""
        if not self._passphrase:
            raise CentralError("central_passphrase_missing")
        listed = list_keys(self._client, form_id)
        managed = {key.id for key in listed if key.is_managed}
        if listed and not managed:
            raise CentralError("central_encrypted")
        for key_id in managed - set(self._opened) - self._closed:
            if self._opens(form_id, key_id):
                self._opened[key_id] = self._passphrase
            else:
                self._closed.add(key_id)
        keys = {key_id: self._opened[key_id] for key_id in managed if key_id in self._opened}
        if managed and not keys:
            raise CentralError("central_passphrase")
        if self._closed & managed:
            self.problems.add("central_passphrase")
        if len(managed) < len(listed):
            self.problems.add("central_encrypted")
        return keys

    def _opens(self, form_id: str, key_id: int) -> bool:
        try:
            with get_export(self._client, form_id, [], {key_id: self._passphrase or ""}):
                return True
        except CentralError as error:
            if error.code != "central_passphrase":
                raise
            return False

    def _read(self, form_id: str, roots: Sequence[str], keys: dict[int, str]) -> dict[str, CsvRow]:
        """Read some submissions; a spoiled one is found by asking for half of them, and half of those."""
        fields = self._form_fields(form_id)
        try:
            with get_export(self._client, form_id, roots, keys) as export:
                wanted = set(roots)
                return {row.root: row for row in export.read_rows(fields) if row.root in wanted}
        except CentralError as error:
            if error.code not in _SPOILED:
                raise
        self._check_line(form_id, keys)
        if len(roots) == 1:
            self.problems.add("central_undecryptable")
            return {}
        half = len(roots) // 2
        return self._read(form_id, roots[:half], keys) | self._read(form_id, roots[half:], keys)

    def _check_line(self, form_id: str, keys: dict[int, str]) -> None:
        """Raise CentralError where an export breaks off without any submission in it: that is the line, or the proxy."""
        with get_export(self._client, form_id, [], keys) as export:
            export.read_rows(self._form_fields(form_id))

    def _form_fields(self, form_id: str) -> list[FormField]:
        if form_id not in self._fields:
            self._fields[form_id] = list_fields(self._client, form_id)
        return self._fields[form_id]

    def _is_whole(self, row: CsvRow) -> bool:
        """Say whether a row can be stored; one that lost its id on the way was decrypted into nonsense."""
        if row.status is not None:
            return False
        meta = row.answers.get("meta")
        if isinstance(meta, dict) and meta.get("instanceID"):
            return True
        self.problems.add("central_undecryptable")
        return False

    @staticmethod
    def _with_answers(row: Row, opened: CsvRow) -> Row:
        return opened.answers | {"__id": row["__id"], "__system": row["__system"]}
