"""One field tree, whichever source: submission XML of ODK Collect, or a row of ODK Central's OData feed.

The normal form: groups are dicts, repeats are lists of dicts, answers are stripped text. An empty answer,
an empty group and a question that was not asked are all the same thing: absent. A geopoint is
"lat lon alt acc"; a select_multiple stays one text separated by blanks. Order of siblings is kept.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import XML, Element, ParseError, XMLParser

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from db.errors import DomainError
from xlsforms import contract

Node = str | dict[str, "Node"] | list["Node"]
Tree = dict[str, Node]

REPEATS = frozenset(contract.REPEATS)

MAX_XML_BYTES = 2_000_000
MAX_DEPTH = 24
MAX_NODES = 20_000
MAX_INSTANCE_ID = 64  # Central's own limit
MAX_FORM_NAME = 80

_UTF8_DECLARED = re.compile(
    rb"""(\xef\xbb\xbf)?<(\?xml [^>]*\bencoding=["']utf-8["'][^>]*>|\?xml (?![^>]*encoding)|[^?\x00])""", re.I
)
"""How XML begins that is UTF-8 by its own word."""
_FILE_NAME = re.compile(r"[^/\\\x00-\x1f]{1,250}\.[A-Za-z0-9]{1,8}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a submission says about itself. `instance_id` names this version.

    `deprecated_id` is the version that an edit replaces. `file_names` are answers that may name a file.
    """

    form_id: str
    form_version: str | None
    instance_id: str
    deprecated_id: str | None = None
    file_names: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """A submission's envelope and its answers (personal: never in `repr`)."""

    envelope: Envelope
    tree: Tree = field(repr=False)


def odata_names(paths: Iterable[str]) -> dict[str, str]:
    """Map the paths that Central renames for OData to a form's own: `given_name` -> `given-name`.

    Central's rule: a name begins with a letter or `_`, and whatever is not `A-Za-z0-9_` becomes one `_`.
    """
    names = {}
    for path in paths:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            own = "/".join(parts[:end])
            renamed = "/".join(
                re.sub(r"[^A-Za-z0-9_]+", "_", re.sub(r"^([^A-Za-z_])", r"_\1", one)) for one in parts[:end]
            )
            if renamed != own:
                names[renamed] = own
    return names


_OWN_NAMES: Mapping[str, str] = odata_names(contract.FIELDS)


def malformed(cause: str) -> DomainError:
    """Return the refusal of a submission that cannot be read; `cause` is a code."""
    return DomainError("malformed_submission", cause=cause)


def from_xml(xml: bytes, repeats: frozenset[str] = REPEATS, *, instance_id: str | None = None) -> Reading:
    """Read submission XML. `repeats` are the paths (`household/member`) that are lists even with one row.

    `instance_id`: what Central calls a submission that was sent without an id.

    Raises DomainError `malformed_submission` with a `cause`: too_large, not_xml, dtd_forbidden, too_deep,
    too_many_nodes, no_form_id, no_instance_id, identifier_too_long.
    """
    if len(xml) > MAX_XML_BYTES:
        raise malformed("too_large")
    root = _parse(xml)
    reader = _ElementReader(repeats)
    node = reader.read(root, "", 1)
    tree = node if isinstance(node, dict) else {}
    meta = tree.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    instance_id = _identifier(meta.get("instanceID"), MAX_INSTANCE_ID) or instance_id
    form_id = form_name(root.get("id"))
    if form_id is None:
        raise malformed("no_form_id")
    if instance_id is None:
        raise malformed("no_instance_id")
    envelope = Envelope(
        form_id=form_id,
        form_version=form_name(root.get("version")),
        instance_id=instance_id,
        deprecated_id=_identifier(meta.get("deprecatedID"), MAX_INSTANCE_ID),
        file_names=frozenset(reader.file_names),
    )
    return Reading(envelope, tree)


def from_odata(
    row: Mapping[str, Any],
    form_id: str,
    repeats: frozenset[str] = REPEATS,
    names: Mapping[str, str] = _OWN_NAMES,
) -> Reading:
    """Read one row of the feed, fetched with `$expand=*`. `names`: see `odata_names`; the tree has the form's own.

    The version's id is `meta/instanceID`; a submission that was sent without one has only Central's `__id`.
    Raises DomainError `malformed_submission` (cause no_instance_id, too_deep, too_many_nodes).
    """
    node = _from_json(row, "", repeats, _Budget(names))
    tree = node if isinstance(node, dict) else {}
    meta = tree.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    system = row.get("__system")
    version = system.get("formVersion") if isinstance(system, Mapping) else None
    instance_id = _identifier(meta.get("instanceID"), MAX_INSTANCE_ID) or _identifier(
        row.get("__id"), MAX_INSTANCE_ID
    )
    if instance_id is None:
        raise malformed("no_instance_id")
    envelope = Envelope(form_id, form_name(version), instance_id)
    return Reading(envelope, tree)


def form_name(value: object) -> str | None:
    """Return a form's id or version as it is stored.

    One that does not fit its column names no form of ours, and its submission is kept all the same: it is
    cut, with a digest that keeps different ones apart.
    """
    if not isinstance(value, str) or not value.strip():
        return None
    text = value.strip()
    if len(text) <= MAX_FORM_NAME and text.isprintable():
        return text
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
    return "".join(letter for letter in text[: MAX_FORM_NAME - 13] if letter.isprintable()) + f"~{digest}"


def _identifier(value: object, limit: int) -> str | None:
    """Return the id of a submission as text; refuse one that does not fit its column."""
    if not isinstance(value, str) or not value.strip():
        return None
    text = value.strip()
    if len(text) > limit or not text.isprintable():
        raise malformed("identifier_too_long")
    return text


def _parse(xml: bytes) -> Element:
    """Parse XML that declares nothing. Raises DomainError `malformed_submission` (not_xml, dtd_forbidden)."""
    try:
        if b"<!" not in xml and _UTF8_DECLARED.match(xml):
            # Read as UTF-8, whatever else it may be meant as, it holds no declaration: what guards against
            # these is written in Python and takes several times as long.
            return XML(xml, XMLParser(encoding="utf-8"))  # noqa: S314
        return fromstring(xml, forbid_dtd=True)
    except ParseError:
        raise malformed("not_xml") from None
    except DefusedXmlException:
        raise malformed("dtd_forbidden") from None
    except (ValueError, LookupError):  # an encoding that does not exist or does not fit
        raise malformed("not_xml") from None


class _ElementReader:
    """Turns elements into nodes; refuses XML deeper or larger than any form. `file_names`: see Envelope."""

    def __init__(self, repeats: frozenset[str]) -> None:
        self.repeats = repeats
        self.left = MAX_NODES
        self.file_names: set[str] = set()

    def read(self, element: Element, path: str, depth: int) -> Node | None:
        self.left -= 1
        if depth > MAX_DEPTH:
            raise malformed("too_deep")
        if self.left < 0:
            raise malformed("too_many_nodes")
        if not len(element):
            text = (element.text or "").strip()
            if "." in text and _FILE_NAME.fullmatch(text):
                self.file_names.add(text)
            return text or None
        group: Tree = {}
        for child in element:
            if child.attrib and any(_local(name) == "template" for name in child.attrib):
                continue  # the empty pattern of a repeat, which some clients leave in
            name = _local(child.tag)
            child_path = f"{path}/{name}" if path else name
            node = self.read(child, child_path, depth + 1)
            if node is not None:
                _put(group, name, node, always_list=child_path in self.repeats)
        return group or None


def _put(group: Tree, name: str, node: Node, *, always_list: bool) -> None:
    present = group.get(name)
    if isinstance(present, list):
        present.append(node)
    elif present is not None:
        group[name] = [present, node]
    else:
        group[name] = [node] if always_list else node


def _local(tag: str) -> str:
    return tag.rpartition("}")[2] if "}" in tag else tag


class _Budget:
    """Nodes still allowed in one row, and the paths that Central renamed."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.left = MAX_NODES
        self.names = names

    def spend(self, depth: int) -> None:
        self.left -= 1
        if self.left < 0:
            raise malformed("too_many_nodes")
        if depth > MAX_DEPTH:
            raise malformed("too_deep")


def _from_json(
    value: object, path: str, repeats: frozenset[str], budget: _Budget, depth: int = 1
) -> Node | None:
    budget.spend(depth)
    if isinstance(value, Mapping):
        if value.get("type") in _GEOMETRIES:
            return _from_geojson(value)
        group: Tree = {}
        for key, child in value.items():
            name = str(key)
            if name in {"__system", "__id"} or "@odata." in name or name.startswith("@"):
                continue
            child_path = f"{path}/{name}" if path else name
            node = _from_json(child, child_path, repeats, budget, depth + 1)
            if node is not None:
                child_path = budget.names.get(child_path, child_path)
                name = child_path.rpartition("/")[2]
                wrap = child_path in repeats and not isinstance(node, list)
                group[_clean(name)] = [node] if wrap else node
        return group or None
    if isinstance(value, list | tuple):
        rows = [_from_json(item, path, repeats, budget, depth + 1) for item in value]
        return [row for row in rows if row is not None] or None
    return _text(value)


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _clean(str(value)).strip() or None


def _clean(text: str) -> str:
    """Text without lone surrogates, which JSON may carry and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


_GEOMETRIES = {"Point": 0, "LineString": 1, "Polygon": 2}


def _from_geojson(value: Mapping[str, Any]) -> str | None:
    """GeoJSON (longitude first) as ODK text: points "lat lon alt acc", joined by "; " in lines and areas."""
    coordinates: Any = value.get("coordinates")
    properties = value.get("properties")
    accuracy = properties.get("accuracy") if isinstance(properties, Mapping) else None
    kind = _GEOMETRIES[str(value["type"])]
    try:
        points = [coordinates] if kind == 0 else coordinates if kind == 1 else coordinates[0]
        return "; ".join(_odk_point(point, accuracy) for point in points) or None
    except (TypeError, IndexError, KeyError, ValueError):
        return _text(str(coordinates)[:200])  # unreadable: kept as text, so that parsing raises an issue


def _odk_point(point: Any, accuracy: Any) -> str:
    longitude, latitude = point[0], point[1]
    altitude = point[2] if len(point) > 2 else 0
    return f"{latitude} {longitude} {altitude or 0} {accuracy or 0}"
