"""A web user of ODK Central, and the private file that keeps his session token between runs."""

import contextlib
import os
import re
import tempfile
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

TOKEN = re.compile(r"[\x21-\x7e]{1,256}")
"""What a session token may look like; anything else would not fit into a header."""


@dataclass(frozen=True, slots=True)
class CentralAccount:
    """A web user of one project and the forms to read.

    Reading needs the role Project Viewer, writing back Project Manager; two accounts keep the rights small.
    `cache_folder` keeps the session token between runs, in a file of this account alone. `passphrase`: of the
    project's managed encryption, where it has one and this account is to read it.
    """

    url: str
    email: str
    password: str = field(repr=False)
    project_id: int
    form_ids: tuple[str, ...]
    cache_folder: Path
    passphrase: str | None = field(default=None, repr=False)


def token_file(account: CentralAccount) -> Path:
    """Return the file of this server's and this account's session token."""
    name = sha256(f"{account.url}\n{account.email}".encode()).hexdigest()[:16]
    return account.cache_folder / f"central-{name}.token"


def read_token(account: CentralAccount) -> str | None:
    """Read the token that the last run left, or another process; None where there is none that makes sense."""
    try:
        token = token_file(account).read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    return token if TOKEN.fullmatch(token) else None


def write_token(account: CentralAccount, token: str) -> None:
    """Keep a token for the next run, readable by nobody else.

    The file is put in place whole, as other processes read and write it too. Where it cannot be written,
    the next run signs in anew.
    """
    folder = account.cache_folder
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, prefix=".central-")  # mode 600
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(token)
            Path(name).replace(token_file(account))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
