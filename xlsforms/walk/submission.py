"""The XML that ODK Collect sends for a filled form: only relevant nodes, empty ones included."""

from xml.sax.saxutils import escape, quoteattr

from xlsforms.walk.instance import Instance
from xlsforms.walk.nodes import Node

NAMESPACES = {
    "h": "http://www.w3.org/1999/xhtml",
    "jr": "http://openrosa.org/javarosa",
    "orx": "http://openrosa.org/xforms",
    "odk": "http://www.opendatakit.org/xforms",
}
META = "meta"


def submission_xml(instance: Instance) -> bytes:
    """Write a filled instance in UTF-8; `meta` and its children are in the OpenRosa namespace."""
    definition = instance.definition
    attributes = {f"xmlns:{prefix}": address for prefix, address in NAMESPACES.items()}
    attributes |= {"id": definition.form_id, "version": definition.version}
    head = " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
    inner = "".join(_element(child, instance, "") for child in instance.root.children)
    name = instance.root.name
    return f"<?xml version='1.0' ?><{name} {head}>{inner}</{name}>".encode()


def _element(node: Node, instance: Instance, prefix: str) -> str:
    relevant = instance.definition.bind(node.path).relevant
    # The caller has written everything above, so only the node's own condition is left to ask.
    if relevant is not None and not instance.is_relevant(node):
        return ""
    prefix = "orx:" if node.name == META and node.parent is instance.root else prefix
    name = f"{prefix}{node.name}"
    inner = escape(node.text) + "".join(_element(child, instance, prefix) for child in node.children)
    return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"
