"""Fingerprints of what a match was made from: a replay compares them and names the input that changed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from referral_engine.eligibility import Rule
from referral_engine.travel import TravelTable


def digest_frame(frame: pd.DataFrame) -> str:
    """Give the SHA-256 of a checked frame (columns in the order of its specification, rows by id)."""
    columns: dict[str, list[Any]] = {"": frame.index.tolist()}
    for name in frame.columns:
        values = frame[name]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            values = values.astype("int64")
        columns[str(name)] = values.tolist()
    return _sha256(columns)


def digest_rules(rules: Iterable[Rule]) -> str:
    """Give the SHA-256 of the rules, whatever their order."""
    rows = [[r.rule_id, r.service_id, r.attribute, r.operator, r.values] for r in rules]
    return _sha256(sorted(rows, key=lambda row: json.dumps(row, default=str)))


def digest_settings(settings: Mapping[str, Any]) -> str:
    """Give the SHA-256 of named plain values."""
    return _sha256(dict(settings))


def digest_travel(tables: Iterable[TravelTable]) -> str:
    """Give the SHA-256 of every journey that was asked for, in the order of the blocks."""
    whole = hashlib.sha256()
    for table in tables:
        for part in (table.known, table.minutes, table.km, table.river):
            whole.update(np.ascontiguousarray(part).tobytes())
    return whole.hexdigest()


def digest_all(parts: Mapping[str, str]) -> str:
    """Give the SHA-256 of the digests of the parts."""
    return _sha256(dict(parts))


def _sha256(plain: Any) -> str:
    text = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
