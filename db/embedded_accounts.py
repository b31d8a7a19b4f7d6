"""Which system account the embedded server runs as, and what that account can reach.

PostgreSQL refuses to run as root. A person who is not root runs it as himself. Root hands it to an account
without rights: whoever owns the database files already, else the account `ihala` where an operator made one,
else `nobody`. No account is created and no mode is changed outside of the folders that belong to Ihala.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.embedded_errors import EmbeddedPostgresError

PREFERRED_ACCOUNTS = ("ihala", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The system account of the server: numeric user and group, and whether it is another one than ours."""

    uid: int
    gid: int
    is_other: bool

    def child_options(self) -> dict[str, Any]:
        """Return the `subprocess` options that make a child run as this account, with private new files."""
        options: dict[str, Any] = {"umask": 0o077, "cwd": "/"}
        if self.is_other:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options

    def give(self, path: Path) -> None:
        """Make the server's account the owner of one file or folder of ours."""
        if self.is_other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_enter(self, folder: Path) -> bool:
        """Tell whether the account can pass through `folder`; the kernel is asked, so ACLs count."""
        if not self.is_other:
            return os.access(folder, os.X_OK)
        test = shutil.which("test", path="/usr/bin:/bin")
        if test is None:
            raise EmbeddedPostgresError("programs_missing", "The program `test` (coreutils) is missing.")
        try:
            return (
                subprocess.run(  # noqa: S603 - a fixed program, no shell
                    [test, "-x", folder], check=False, timeout=30, **self.child_options()
                ).returncode
                == 0
            )
        except (OSError, subprocess.SubprocessError) as problem:
            raise EmbeddedPostgresError(
                "account_refused",
                f"PostgreSQL must not run as root, and this machine does not let root start a program as "
                f"user {self.uid}. Start Ihala as an ordinary user, or set IHALA_DATABASE_URL.",
            ) from problem


def server_account(*owned: Path) -> Account:
    """Choose the server's account; the first of the `owned` folders that exists decides when we are root.

    Raises `EmbeddedPostgresError("no_account")` when root finds no account without rights.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), is_other=False)
    for folder in owned:
        if folder.exists() and folder.stat().st_uid != 0:
            found = folder.stat()
            return Account(found.st_uid, found.st_gid, is_other=True)
    for name in PREFERRED_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid, is_other=True)
    raise EmbeddedPostgresError(
        "no_account",
        "PostgreSQL must not run as root, and this machine has neither an account `ihala` nor `nobody`. "
        "Create one (adduser --system ihala), start Ihala as an ordinary user, or set IHALA_DATABASE_URL.",
    )
