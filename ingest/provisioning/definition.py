"""What an XForm says about itself: its root, and the entity lists that it writes and reads."""

from dataclasses import dataclass
from functools import lru_cache
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import ParseError, fromstring

XFORMS = "{http://www.w3.org/2002/xforms}"
ENTITIES = "{http://www.opendatakit.org/xforms/entities}"
ROOT = "data"
"""With any other root Central publishes the form, but keeps no property and makes no entity, without an error."""


@dataclass(frozen=True, slots=True)
class Definition:
    """`saves`: entity list -> properties that the form saves to. `root` is empty where there is none."""

    root: str
    saves: dict[str, frozenset[str]]


@lru_cache(maxsize=16)
def read_definition(xml: str) -> Definition:
    """Read a definition; nothing is found in what is no XForm."""
    try:
        tree = fromstring(xml)
    except (ParseError, ValueError):
        return Definition("", {})
    instance = tree.find(f".//{XFORMS}model/{XFORMS}instance")
    root = next(iter(instance), None) if instance is not None else None
    if root is None:
        return Definition("", {})
    scopes = _lists_of(root)
    saves: dict[str, set[str]] = {name: set() for name in scopes.values()}
    for bind in tree.iter(f"{XFORMS}bind"):
        saved = bind.get(f"{ENTITIES}saveto")
        if saved is None:
            continue
        path = bind.get("nodeset", "")
        inside = [scope for scope in scopes if path.startswith(f"{scope}/")]
        if inside:
            saves[scopes[max(inside, key=len)]].add(saved)
    return Definition(_name(root), {name: frozenset(properties) for name, properties in saves.items()})


def _lists_of(root: Element) -> dict[str, str]:
    """Path of each part of the form that makes or updates an entity -> its list."""
    found: dict[str, str] = {}

    def look(node: Element, path: str) -> None:
        for meta in (child for child in node if _name(child) == "meta"):
            for entity in (child for child in meta if _name(child) == "entity" and child.get("dataset")):
                found[path] = entity.get("dataset", "")
        for child in node:
            look(child, f"{path}/{_name(child)}")

    look(root, f"/{_name(root)}")
    return found


def _name(node: Element) -> str:
    return node.tag.rpartition("}")[2]
