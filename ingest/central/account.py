"""A web user of ODK Central, and the private file that keeps his session token between runs."""

import os
import tomllib
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CentralAccount:
    """A web user of one project and the forms to read.

    Reading needs the role Project Viewer, writing back Project Manager; two accounts keep the rights small.
    `cache_folder` keeps the session token between runs, in a file of this account alone.
    """

    url: str
    email: str
    password: str = field(repr=False)
    project_id: int
    form_ids: tuple[str, ...]
    cache_folder: Path


def token_file(account: CentralAccount) -> Path:
    """Make the account's own token file, readable by nobody else, before pyODK writes into it."""
    account.cache_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = sha256(f"{account.url}\n{account.email}".encode()).hexdigest()[:16]
    path = account.cache_folder / f"central-{name}.toml"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    path.chmod(0o600)
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # cut off when the disk was full: pyODK would stumble over it for good
        path.write_text("")
    return path
