"""What the stand-in keeps about forms: published versions, the draft, files, and who may fill them."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from tests.central.xforms import Definition


@dataclass
class StoredFile:
    """A file of a form."""

    content: bytes
    at: datetime

    def md5(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


@dataclass
class FormVersion:
    """One version; `published_at` is None while it is a draft. `suffix` marks managed encryption."""

    definition: Definition
    published_at: datetime | None = None
    suffix: str = ""
    files: dict[str, StoredFile] = field(default_factory=dict)
    is_workbook: bool = False

    @property
    def version(self) -> str:
        return self.definition.version + self.suffix


@dataclass
class FormFile:
    """A form with all its versions, the newest last. `assigned`: ids of the app users who may fill it."""

    form_id: str
    created_at: datetime
    number: int
    updated_at: datetime | None = None
    state: str = "open"
    key_id: int | None = None
    versions: list[FormVersion] = field(default_factory=list)
    draft: FormVersion | None = None
    assigned: set[int] = field(default_factory=set)

    @property
    def published(self) -> FormVersion | None:
        return self.versions[-1] if self.versions else None

    def find(self, version: str) -> FormVersion | None:
        return next((one for one in self.versions if one.version == version), None)
