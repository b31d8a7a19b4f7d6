"""Small files that must be there whole or not at all, and locks between processes."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def create_private_file(path: Path, content: bytes) -> bool:
    """Create `path` (mode 600) with `content`, whole and on the disk; False when it exists already.

    The content is written under another name and then linked, so no reader ever sees half a file, and of
    two processes exactly one creates it.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return False
    finally:
        draft.unlink(missing_ok=True)
    fsync_folder(path.parent)
    return True


def replace_private_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of `path` (mode 600) in one step."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    if not create_private_file(draft, content):  # pragma: no cover - 64 random bits met twice
        raise FileExistsError(draft)
    draft.replace(path)
    fsync_folder(path.parent)


class FileLock:
    """An exclusive lock on a file, held by one open file of one process and gone with it, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._handle is not None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; True when this object holds it afterwards."""
        if self._handle is not None:
            return True
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it isn't held."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            # Said aloud, because a forked child has a copy of the handle and closing ours alone would not do.
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[None]:
        """Hold the lock for a block, waiting up to `seconds` for it; raises TimeoutError after that."""
        until = time.monotonic() + seconds
        while not self.try_acquire():
            if time.monotonic() > until:
                raise TimeoutError(self.path)
            time.sleep(0.02)
        try:
            yield
        finally:
            self.release()
