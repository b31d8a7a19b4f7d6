"""The content of encrypted submissions: Central decrypts, and the feed's rows get their answers.

Which submissions are encrypted is decided row by row: a project that turned encryption on later holds both kinds.
Whatever cannot be decrypted is left out, so the source keeps no ETag and asks for it again; without the right
passphrase nothing is read at all.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from ingest.central.errors import CentralError
from ingest.central.exports import Export, get_export, list_fields, list_keys
from ingest.central.session import CentralSession
from ingest.central.submissions import IDS_PER_REQUEST
from ingest.csv_rows import CsvRow, FormField

CSV = "csv+json"
"""Media type of a row that came as CSV: its JSON has the shape of the feed, with every answer as text."""

Row = dict[str, Any]
_SPOILED = frozenset({"central_cut_off", "central_unreachable", "central_answer", "central_too_large"})
"""How an export may end in which one submission is damaged or out of all proportion; also how a bad line ends one."""
TRIES = 2
"""A single submission is asked for once more before it counts as damaged."""


class Decrypter:
    """Decrypts through one session. `problems`: codes of what was left out, for the report of a run."""

    def __init__(self, client: CentralSession, passphrase: str | None) -> None:
        self._client, self._passphrase = client, passphrase
        self._fields: dict[str, list[FormField]] = {}
        self._tried: dict[int, bool] = {}
        self.problems: set[str] = set()

    def __call__(self, form_id: str, rows: Sequence[Row]) -> list[Row]:
        """Give rows of the feed that are only metadata their answers; those that cannot be read are left out.

        Raises CentralError: `central_passphrase_missing`, `central_passphrase`, `central_encrypted`.
        """
        keys = self._keys(form_id)
        if not keys:
            return []  # the last encrypted submission is gone meanwhile
        by_root = {str(row["__id"]): row for row in rows}
        roots = list(by_root)
        found: dict[str, CsvRow] = {}
        for at in range(0, len(roots), IDS_PER_REQUEST):
            found |= self._read(form_id, roots[at : at + IDS_PER_REQUEST], keys)
        return [
            opened.answers | {"__id": root, "__system": by_root[root]["__system"]}
            for root, opened in found.items()
            if self._is_whole(by_root[root], opened)
        ]

    @contextmanager
    def open_files(self, form_id: str, root: str) -> Iterator[tuple[CsvRow, Export] | None]:
        """Open a submission with its files; None where it is gone or cannot be decrypted.

        Raises CentralError, `central_too_large` where the files together are more than is taken.
        """
        keys = self._keys(form_id)
        with ExitStack() as stack:
            opened = None
            try:
                export = stack.enter_context(get_export(self._client, form_id, [root], keys, files=True))
                rows = [row for row in export.read_rows(self._form_fields(form_id)) if row.root == root]
                opened = (rows[0], export) if rows else None
            except CentralError as error:
                if error.code not in _SPOILED - {"central_too_large"}:
                    raise
                self._check_line(form_id, keys)
            yield opened

    def _keys(self, form_id: str) -> dict[int, str]:
        """Map the keys that the passphrase opens to it. One passphrase serves all managed keys."""
        if not self._passphrase:
            raise CentralError("central_passphrase_missing")
        listed = list_keys(self._client, form_id)
        managed = {key.id for key in listed if key.is_managed}
        if listed and not managed:
            raise CentralError("central_encrypted")
        if len(managed) < len(listed):
            self.problems.add("central_encrypted")
        if len(managed) > 1:  # Central refuses all where the passphrase fits only some
            managed = self._opened_by_it(form_id, managed)
        return dict.fromkeys(managed, self._passphrase)

    def _opened_by_it(self, form_id: str, managed: set[int]) -> set[int]:
        """Return the keys that the passphrase opens. Raises CentralError where there is none."""
        for key_id in managed - self._tried.keys():
            self._tried[key_id] = self._opens(form_id, key_id)
        opened = {key_id for key_id in managed if self._tried[key_id]}
        if not opened:
            raise CentralError("central_passphrase")
        if opened < managed:
            self.problems.add("central_passphrase")
        return opened

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
        fields, wanted = self._form_fields(form_id), set(roots)
        for _ in range(TRIES if len(roots) == 1 else 1):
            try:
                with get_export(self._client, form_id, roots, keys) as export:
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
        """Raise CentralError where even an export without any submission breaks off: that is the line."""
        with get_export(self._client, form_id, [], keys) as export:
            export.read_rows(self._form_fields(form_id))

    def _form_fields(self, form_id: str) -> list[FormField]:
        if form_id not in self._fields:
            self._fields[form_id] = list_fields(self._client, form_id)
        return self._fields[form_id]

    def _is_whole(self, row: Row, opened: CsvRow) -> bool:
        """Say whether a submission can be stored; one that lost its id on the way was decrypted into nonsense."""
        if opened.status is not None:
            return False
        if version_of(opened) is not None or (opened.answers and not row["__system"].get("edits")):
            return True
        self.problems.add("central_undecryptable")
        return False


def version_of(row: CsvRow) -> str | None:
    """Return the id of the version that a row holds; KEY is that of the first one for ever."""
    meta = row.answers.get("meta")
    text = meta.get("instanceID") if isinstance(meta, dict) else None
    return text if isinstance(text, str) else None
