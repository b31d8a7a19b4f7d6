"""How an answer is compared with the recorded one: status, headers that matter, and the shape of the body."""

import io
import re
import zipfile
from typing import Any

import requests
from lxml import etree

ALIKE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z0-9!$]{64}|\d+")
CONTENT_KEYS = {"verbs", "warnings"}
"""Lists whose items are words of Central's own."""
LINK = "@odata.navigationLink"


def differences(answer: requests.Response, expected: dict[str, Any]) -> list[str]:
    """Tell in what an answer differs; empty where it does not."""
    found = []
    if answer.status_code != expected["status"]:
        return [f"status {answer.status_code}, recorded {expected['status']}: {answer.text[:200]}"]
    found += _headers(answer, expected["headers"])
    if "body_json" in expected:
        found += _json("", answer.json(), expected["body_json"])
    elif "zip" in expected:
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            found += _zip(archive, expected["zip"])
    elif "body_text" in expected and answer.request.method != "HEAD":
        found += _text(answer, expected["body_text"])
    elif not expected.get("body_base64") and answer.content:
        found.append("a body where none was recorded")
    return found


def _headers(answer: requests.Response, expected: dict[str, str]) -> list[str]:
    found = []
    for name, value in expected.items():
        own = answer.headers.get(name, "")
        is_event_hash = name == "ETag" and own.startswith('W/"eventhash:')
        if not is_event_hash and _alike(own) != _alike(value):
            found.append(f"{name}: {own!r}, recorded {value!r}")
    if "ETag" not in expected and "eventhash" in answer.headers.get("ETag", ""):
        found.append("an ETag of events where none was recorded")
    return found


def _alike(text: str) -> str:
    return ALIKE.sub("#", text)


def _json(path: str, own: Any, recorded: Any) -> list[str]:
    """Compare keys and kinds, through lists by what any of their items has; null fits everything."""
    if own is None or recorded is None:
        return []
    if isinstance(own, dict) and isinstance(recorded, dict):
        found = [f"{path}: without {name}" for name in recorded.keys() - own.keys()]
        found += [f"{path}: has {name}, not recorded" for name in own.keys() - recorded.keys()]
        for name in own.keys() & recorded.keys():
            if name == "code":
                found += (
                    [] if own[name] == recorded[name] else [f"code {own[name]}, recorded {recorded[name]}"]
                )
            elif name == "message" and "code" in recorded:
                if _alike(str(own[name])) != _alike(str(recorded[name])):
                    found.append(f"{path}.{name}: {own[name]!r}, recorded {recorded[name]!r}")
            elif name not in CONTENT_KEYS:
                found += _json(f"{path}.{name}", own[name], recorded[name])
        return found
    if isinstance(own, list) and isinstance(recorded, list):
        if bool(own) != bool(recorded):
            return [f"{path}: {len(own)} items, recorded {len(recorded)}"]
        found = [f"{path}[]: some without {name}" for name in _lacking(own, recorded)]
        return found + _json(f"{path}[]", _merged(own), _merged(recorded))
    number = (int, float)
    if type(own) is type(recorded) or (isinstance(own, number) and isinstance(recorded, number)):
        return []
    return [f"{path}: {type(own).__name__} {own!r}, recorded {type(recorded).__name__} {recorded!r}"]


def _lacking(own: list[Any], recorded: list[Any]) -> set[str]:
    """Name what every recorded item has and some item here has not; a repeat may be empty, and is then left out."""
    rows = [item for item in recorded if isinstance(item, dict)]
    always = set.intersection(*(set(row) for row in rows)) if rows else set()
    repeats = {name.split("@")[0] for name in always if name.endswith(LINK)}
    always = {name for name in always if name.split("@")[0] not in repeats}
    return {name for item in own if isinstance(item, dict) for name in always - item.keys()}


def _merged(items: list[Any]) -> Any:
    """Merge the items of a list into one that has all that any of them has."""
    if not all(isinstance(item, dict) for item in items):
        return next((item for item in items if item is not None), None)
    merged: dict[str, Any] = {}
    for item in items:
        for name, value in item.items():
            if isinstance(value, dict) and isinstance(merged.get(name), dict):
                merged[name] = _merged([merged[name], value])
            elif merged.get(name) is None or merged[name] == []:
                merged[name] = value
    return merged


def _text(answer: requests.Response, recorded: str) -> list[str]:
    kind = answer.headers.get("Content-Type", "")
    if "csv" in kind:
        own, other = answer.text.split("\n")[0], recorded.split("\n", maxsplit=1)[0]
        return [] if own.rstrip("\r") == other.rstrip("\r") else [f"columns {own}, recorded {other}"]
    if "xml" in kind:
        own_tags, tags = _tags(answer.content), _tags(recorded.encode())
        found = [f"XML without {tag}" for tag in tags - own_tags] + [
            f"XML has {tag}" for tag in own_tags - tags
        ]
        if "OpenRosaResponse" in recorded and _alike(answer.text) != _alike(recorded):
            found.append(f"{answer.text!r}, recorded {recorded!r}")
        return found
    return [] if _alike(answer.text) == _alike(recorded) else [f"{answer.text!r}, recorded {recorded!r}"]


def _tags(xml: bytes) -> set[str]:
    root = etree.fromstring(xml, etree.XMLParser(recover=True))
    return {str(node.tag) for node in root.iter() if isinstance(node.tag, str)}


def _zip(archive: zipfile.ZipFile, recorded: dict[str, str | None]) -> list[str]:
    found = []
    names = {name for name in archive.namelist() if not name.startswith("media/")}
    tables = {name for name in recorded if not name.startswith("media/")}
    if names != tables:
        found.append(f"files {names}, recorded {tables}")
    for name in names & tables:
        header = archive.read(name).decode().split("\n")[0].rstrip("\r")
        if header != recorded[name]:
            found.append(f"{name}: columns {header}, recorded {recorded[name]}")
    return found
