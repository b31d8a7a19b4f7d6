"""The folders of the embedded server.

`data_folder` belongs to Ihala: `secrets/` (passwords), `owner.lock`, `start.lock`, `server-folder` (where the
server's own files are, when they are elsewhere). The server's own files stand in the *server folder*, which
is the data folder itself unless root runs Ihala in a place that the server's account can't reach (a clone in
/root): `pgdata/`, `run/` (the socket), `log/`, `programs/` (a copy, only where it is needed).
"""

import hashlib
import json
import os
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from db.embedded_accounts import Account, server_account
from db.embedded_errors import EmbeddedPostgresError
from db.private_files import create_private_file, replace_private_file

SERVER_ROOT = Path("/var/lib/ihala")
"""Where root keeps a database whose data folder is out of the server account's reach."""

MAX_SOCKET_PATH = 107
"""Bytes in a Unix socket's path on Linux, without the closing zero (unix(7): sun_path has 108)."""

ROLES = ("ihala_admin", "ihala_owner", "ihala_app")


@dataclass(frozen=True, slots=True)
class Folders:
    """Where everything of one embedded server stands, and the account that owns the server's part."""

    data_folder: Path
    server_folder: Path
    account: Account

    @property
    def pgdata(self) -> Path:
        """The database files (mode 700)."""
        return self.server_folder / "pgdata"

    @property
    def log(self) -> Path:
        """The server's log: starts, stops and errors, without statements and values."""
        return self.server_folder / "log" / "postgresql.log"


def open_folders(data_folder: Path, server_root: Path) -> Folders:
    """Create what is missing of the folders and return them. The caller holds `start.lock`.

    Raises `EmbeddedPostgresError` (`folder_unreachable`, `folder_refused`, `no_account`).
    """
    account = server_account(data_folder / "pgdata", data_folder)
    remembered = _remembered(data_folder / "server-folder")
    if remembered is not None:
        server_folder = _claim(remembered, data_folder)
        account = server_account(server_folder / "pgdata", data_folder)
    elif _reachable(data_folder, account):
        server_folder = data_folder
    else:
        server_folder = _create_elsewhere(data_folder, server_root, account)
    log_folder = server_folder / "log"
    if not log_folder.exists():
        # Ours, not the server account's: we open the log and hand it to the server, so that a link put
        # in its place by that account can't make root write elsewhere.
        log_folder.mkdir(mode=0o700)
    return Folders(data_folder, server_folder, account)


def make_data_folder(data_folder: Path) -> None:
    """Create the data folder if it is missing: private, but root's can be passed through (not listed)."""
    try:
        if not data_folder.exists():
            data_folder.parent.mkdir(parents=True, exist_ok=True)
            data_folder.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                data_folder.chmod(0o711)
        if not os.access(data_folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError
    except OSError as problem:
        raise EmbeddedPostgresError(
            "folder_refused",
            f"Ihala can't write to its data folder {data_folder} as user {os.geteuid()} (it may have been "
            "created by another user, such as root). Start Ihala as that user, or set IHALA_DATA_FOLDER to "
            "another folder.",
        ) from problem


def _reachable(data_folder: Path, account: Account) -> bool:
    if account.can_enter(data_folder):
        return True
    if not account.can_enter(data_folder.parent):
        return False
    # Only our own folder is in the way: the right to pass through it, not to list it, is enough.
    data_folder.chmod(stat.S_IMODE(data_folder.stat().st_mode) | stat.S_IXOTH)
    return account.can_enter(data_folder)


def _remembered(note: Path) -> Path | None:
    return Path(note.read_text().strip()) if note.exists() else None


def _claim(server_folder: Path, data_folder: Path) -> Path:
    """Check that the remembered server folder is there and is not shared with another data folder."""
    note = server_folder / "data-folder"
    if not note.exists():
        raise EmbeddedPostgresError(
            "folder_unreachable",
            f"The database files of {data_folder} should stand in {server_folder}, and that folder is gone. "
            "Put it back, or restore a backup into a new data folder (IHALA_DATA_FOLDER).",
        )
    other = Path(note.read_text().strip())
    if other != data_folder:
        if _remembered(other / "server-folder") == server_folder:
            raise EmbeddedPostgresError(
                "folder_shared",
                f"{data_folder} is a copy of {other}, and both would use the database files in "
                f"{server_folder}. Use {other}, or restore a backup into a new data folder.",
            )
        replace_private_file(note, f"{data_folder}\n".encode())  # the data folder was moved
    return server_folder


def _create_elsewhere(data_folder: Path, server_root: Path, account: Account) -> Path:
    """Make a server folder below `server_root` and remember it in the data folder."""
    try:
        server_root.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not account.can_enter(server_root):
            raise PermissionError
        # The digest tells a person which data folder it belongs to; the random part keeps the files of an
        # earlier data folder of the same path, whose passwords and keys are gone, apart.
        digest = hashlib.sha256(os.fsencode(data_folder)).hexdigest()[:12]
        server_folder = server_root / f"{digest}-{secrets.token_hex(4)}"
        server_folder.mkdir(mode=0o700)
        server_folder.chmod(0o711)
    except OSError as problem:
        raise EmbeddedPostgresError(
            "folder_unreachable",
            f"PostgreSQL must not run as root, and the account it runs as (user {account.uid}) can't "
            f"reach {_barrier(data_folder, account)}; {server_root} could not be used instead. Set "
            "IHALA_DATA_FOLDER to a folder that it can reach, or "
            "set IHALA_DATABASE_URL to a PostgreSQL server.",
        ) from problem
    create_private_file(server_folder / "data-folder", f"{data_folder}\n".encode())
    create_private_file(data_folder / "server-folder", f"{server_folder}\n".encode())
    return server_folder


def _barrier(folder: Path, account: Account) -> Path:
    for parent in [*reversed(folder.parents), folder]:
        if not account.can_enter(parent):
            return parent
    return folder


def socket_folder(folders: Folders, port: int) -> Path:
    """Return the private folder (mode 700) of the server's socket, created if it is missing.

    It is `run/` in the server folder, or, where that path is too long for a socket, a folder of a random
    name under the temporary folder, remembered in `socket-folder`.
    """
    usual = folders.server_folder / "run"
    # libpq takes a comma for the end of one of several hosts.
    if _socket_length(usual, port) <= MAX_SOCKET_PATH and "," not in str(usual):
        if not usual.exists():
            usual.mkdir(mode=0o700)
            folders.account.give(usual)
        return usual
    note = folders.data_folder / "socket-folder"
    remembered = _remembered(note)
    if remembered is not None and _is_private(remembered, folders.account):
        return remembered
    base = Path(tempfile.gettempdir())
    if _socket_length(base / "ihala-12345678", port) > MAX_SOCKET_PATH or not folders.account.can_enter(base):
        base = Path("/tmp")  # noqa: S108 - mkdtemp below makes a private folder of a random name
    created = Path(tempfile.mkdtemp(prefix="ihala-", dir=base))
    folders.account.give(created)
    replace_private_file(note, f"{created}\n".encode())
    return created


def _socket_length(folder: Path, port: int) -> int:
    return len(os.fsencode(folder / f".s.PGSQL.{port}"))


def _is_private(folder: Path, account: Account) -> bool:
    """Tell whether a folder in a public place is still the one we made: nobody else may have put it there."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid and stat.S_IMODE(found.st_mode) == 0o700
    )


def read_passwords(data_folder: Path, *, may_create: bool) -> dict[str, str]:
    """Return the password of each database role, from `secrets/database.json` (mode 600).

    With `may_create` a missing file is made with new random passwords; without it (the database exists
    already) that is an error, because nobody could log in with new ones.
    """
    folder = data_folder / "secrets"
    path = folder / "database.json"
    if not path.exists():
        if not may_create:
            raise EmbeddedPostgresError(
                "passwords_missing",
                f"The database in {data_folder} is there, but its passwords ({path}) are gone. Put the file "
                "back, or restore a backup into a new data folder (IHALA_DATA_FOLDER).",
            )
        folder.mkdir(mode=0o700, exist_ok=True)
        made = {role: secrets.token_urlsafe(32) for role in ROLES}
        create_private_file(path, json.dumps(made, indent=1).encode())
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise EmbeddedPostgresError("passwords_open", f"Other users can read {path}. Run: chmod 600 {path}")
    passwords: dict[str, str] = json.loads(path.read_text())
    return passwords


def hand_over(data_folder: Path) -> None:
    """Where root works in another user's data folder: leave that user the owner of the files made in it."""
    home = data_folder.stat()
    if os.geteuid() != 0 or home.st_uid == 0:
        return
    for name in (
        "owner.lock",
        "start.lock",
        "secrets",
        "secrets/database.json",
        "socket-folder",
        "log",
        "log/postgresql.log",
    ):
        made = data_folder / name
        if made.exists() and made.lstat().st_uid == 0:
            os.chown(made, home.st_uid, home.st_gid, follow_symlinks=False)
