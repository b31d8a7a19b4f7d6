"""The same form gives the same .xlsx bytes on every machine and every day."""

import io
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import yxf

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest moment that a zip archive can hold; stands for "no date"."""

DATES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(<)")
PROPERTIES = "docProps/core.xml"


def workbook_bytes(form: Mapping[str, Any]) -> bytes:
    """Write a form in yxf's structure as .xlsx.

    Raises:
        ValueError: a row has a column that `yxf.headers` of its sheet does not name.

    """
    written = io.BytesIO()
    yxf.write_xlsform(dict(form), written)
    return _without_dates(written)


def _without_dates(written: io.BytesIO) -> bytes:
    stable = io.BytesIO()
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(stable, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == PROPERTIES:
                content = DATES.sub(rb"\g<1>1980-01-01T00:00:00Z\2", content)
            target.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
    return stable.getvalue()
