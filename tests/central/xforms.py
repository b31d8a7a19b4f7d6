"""XForms as Central reads them: fields, files, entities; and a submission's XML as a row of the feed."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from lxml import etree

ODK_ENTITIES = "{http://www.opendatakit.org/xforms/entities}"
XFORMS = "{http://www.w3.org/2002/xforms}"
JAVAROSA = "{http://openrosa.org/javarosa}"
NUMBERS = {"int": int, "decimal": float}
META = "meta"

Row = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A question, group or repeat; `path` as Central writes it: /person/age."""

    path: str
    kind: str
    is_multiple: bool = False

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[1]


@dataclass
class Definition:
    """One version of a form."""

    form_id: str
    version: str
    title: str
    xml: str
    fields: list[Field]
    files: list[str] = field(default_factory=list)
    dataset: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    """Entity properties by the path that is saved to them."""
    label_path: str | None = None

    def md5(self) -> str:
        return hashlib.md5(self.xml.encode(), usedforsecurity=False).hexdigest()

    def to_row(self, xml: bytes, root: str) -> Row:
        """Turn a submission into the feed's row, without `__id` and `__system`; unknown answers are null."""
        return self._structure("", read_xml(xml), root)

    def _children(self, path: str) -> list[Field]:
        return [one for one in self.fields if one.path.rsplit("/", 1)[0] == path]

    def _structure(self, path: str, node: Any, root: str) -> Row:
        row: Row = {}
        for one in self._children(path):
            found = [] if node is None else [child for child in node if _local(child) == one.name]
            name = odata_name(one.name)
            if one.kind == "structure":
                row[name] = self._structure(one.path, found[0] if found else None, root)
            elif one.kind == "repeat":
                link = f"Submissions('{quote(root, safe='')}')/{one.path[1:].replace('/', '.')}"
                row[f"{name}@odata.navigationLink"] = link
                row[name] = [
                    self._structure(one.path, item, root) | {"__id": _row_id(root, one.path, number)}
                    for number, item in enumerate(found)
                ]
            else:
                row[name] = _typed(one, found[0].text if found else None)
        return row


def odata_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _row_id(root: str, path: str, number: int) -> str:
    """A repeat row's id: of its position, not of what stands there."""
    return hashlib.sha1(f"{root}{path}{number}".encode(), usedforsecurity=False).hexdigest()


def _typed(one: Field, text: str | None) -> Any:
    if text is None or not text.strip():
        return None
    if one.kind in NUMBERS:
        try:
            return NUMBERS[one.kind](text)
        except ValueError:
            return None
    if one.kind == "geopoint":
        latitude, longitude, *rest = (float(part) for part in text.split())
        point: Row = {"type": "Point", "coordinates": [longitude, latitude, *rest[:1]]}
        return point | ({"properties": {"accuracy": rest[1]}} if len(rest) > 1 else {})
    return text


def read_xml(xml: bytes) -> Any:
    """Parse what can be parsed: Central takes bodies that were cut off."""
    return etree.fromstring(xml, etree.XMLParser(recover=True, no_network=True, resolve_entities=False))


def find(node: Any, *names: str) -> Any:
    """Return the descendant by local names, or None."""
    for name in names:
        node = next((child for child in ([] if node is None else node) if _local(child) == name), None)
    return node


def text_of(node: Any, *names: str) -> str | None:
    found = find(node, *names)
    return None if found is None or not found.text else str(found.text)


def _local(node: Any) -> str:
    return "" if not isinstance(node.tag, str) else str(etree.QName(node).localname)


def parse_form(xml: str) -> Definition | None:
    """Read an XForm; None where no form id can be found."""
    html = read_xml(xml.encode())
    model = find(html, "head", "model")
    data = None if model is None else next(iter(model.find(f"{XFORMS}instance")), None)
    if data is None or not data.get("id"):
        return None
    binds = {bind.get("nodeset"): bind for bind in model.findall(f"{XFORMS}bind")}
    body = find(html, "body")
    repeats = {one.get("nodeset") for one in body.iter(f"{XFORMS}repeat")} if body is not None else set()
    multiple = {one.get("ref") for one in body.iter(f"{XFORMS}select")} if body is not None else set()
    base = f"/{_local(data)}"
    fields: list[Field] = []
    _collect(data, "", base, binds, repeats, multiple, fields)
    entity = find(data, META, "entity")
    properties = {
        path.removeprefix(base): saved
        for path, bind in binds.items()
        if (saved := bind.get(f"{ODK_ENTITIES}saveto"))
    }
    named = [one.get("src") or "" for one in model.findall(f"{XFORMS}instance")]
    is_seen = base == "/data"  # otherwise Central overlooks the entity without a word
    return Definition(
        form_id=str(data.get("id")),
        version=str(data.get("version") or ""),
        title=str(text_of(html, "head", "title") or data.get("id")),
        xml=xml,
        fields=fields,
        files=[src.rsplit("/", 1)[1] for src in named if src.startswith("jr://file")],
        dataset=str(entity.get("dataset")) if entity is not None and is_seen else None,
        properties=properties if is_seen else {},
    )


def _collect(
    node: Any,
    path: str,
    base: str,
    binds: dict[str, Any],
    repeats: set[str],
    multiple: set[str],
    fields: list[Field],
) -> None:
    for child in node:
        if not isinstance(child.tag, str):
            continue
        below = f"{path}/{_local(child)}"
        if any(one.path == below for one in fields):
            continue  # the template of a repeat stands before its first row
        full = base + below
        bind = binds.get(full)
        kind = "string" if bind is None else bind.get("type", "string")
        if full in repeats:
            kind = "repeat"
        elif len(child) or below in {f"/{META}", f"/{META}/entity"}:
            kind = "structure"
        kind = {"select": "string", "select1": "string"}.get(kind, kind)
        fields.append(Field(below, kind, full in multiple))
        _collect(child, below, base, binds, repeats, multiple, fields)
