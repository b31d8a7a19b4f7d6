"""Reading a compiled XForm, as pyxform writes it, into a definition."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from defusedxml.ElementTree import fromstring

from xlsforms.walk.definition import Bind, ChoiceList, Control, Definition, Section, Shape, Texts
from xlsforms.walk.expression import LIST, Call, Literal, Path, references
from xlsforms.walk.nodes import Expression, Node
from xlsforms.walk.parser import parse
from xlsforms.walk.values import ExpressionError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

XFORMS = "{http://www.w3.org/2002/xforms}"
HTML = "{http://www.w3.org/1999/xhtml}"
JAVAROSA = "{http://openrosa.org/javarosa}"


@lru_cache(maxsize=8)
def read_definition(xml: str) -> Definition:
    """Read an XForm as pyxform writes it.

    Raises:
        ExpressionError: an expression uses something that this walker does not know.

    """
    html = fromstring(xml)
    model = _find(html, f"{HTML}head/{XFORMS}model")
    instances = model.findall(f"{XFORMS}instance")
    primary = instances[0][0]
    shape = _shape(primary, "")
    body = _items(_find(html, f"{HTML}body"))
    texts, default = _texts(_find(model, f"{XFORMS}itext"))
    binds = {bind.path: bind for bind in map(_bind, model.findall(f"{XFORMS}bind"))}
    return Definition(
        form_id=primary.get("id", ""),
        version=primary.get("version", ""),
        shape=shape,
        shapes={found.path: found for found in shape.walk()},
        binds=binds,
        dependents=_dependents(binds),
        body=body,
        controls={item.path: item for item in _flat(body) if isinstance(item, Control)},
        repeats={
            item.path: item
            for item in _flat(body)
            if isinstance(item, Section) and item.repeats and item.path
        },
        instances={element.get("id", ""): _secondary(element) for element in instances[1:]},
        texts=texts,
        default_language=default,
    )


def _find(element: "Element", path: str) -> "Element":
    found = element.find(path)
    if found is None:
        raise ExpressionError(f"the form has no {path}")
    return found


def local_name(element: "Element") -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def _shape(element: "Element", above: str) -> Shape:
    name = local_name(element)
    shape = Shape(name, f"{above}/{name}", f"{JAVAROSA}template" in element.attrib)
    for child in element:
        # pyxform writes a repeat twice, as a template and as a first instance; one shape stands for both.
        if local_name(child) not in [found.name for found in shape.children]:
            shape.children.append(_shape(child, shape.path))
    return shape


def _expression(text: str | None) -> Expression | None:
    return parse(text) if text else None


def _bind(element: "Element") -> Bind:
    return Bind(
        path=element.get("nodeset", ""),
        kind=element.get("type", "string"),
        relevant=_expression(element.get("relevant")),
        constraint=_expression(element.get("constraint")),
        required=_expression(element.get("required")),
        calculate=_expression(element.get("calculate")),
        readonly=element.get("readonly") == "true()",
        preload=element.get(f"{JAVAROSA}preloadParams", "") or element.get(f"{JAVAROSA}preload", ""),
    )


def _dependents(binds: Mapping[str, Bind]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for bind in binds.values():
        for target in _triggers(bind, binds) if bind.calculate else ():
            found.setdefault(target, []).append(bind.path)
    return {target: tuple(paths) for target, paths in found.items()}


def _triggers(bind: Bind, binds: Mapping[str, Bind]) -> frozenset[str]:
    """Paths on which a calculation depends, those that decide its relevance included."""
    found = references(bind.calculate, bind.path) if bind.calculate else frozenset()
    path = bind.path
    while path:
        relevant = binds[path].relevant if path in binds else None
        found |= references(relevant, path) if relevant else frozenset()
        path = path.rpartition("/")[0]
    return found


def _items(element: "Element") -> tuple[Control | Section, ...]:
    found: list[Control | Section] = []
    for child in element:
        name = local_name(child)
        if name == "group":
            inner = child.find(f"{XFORMS}repeat")
            # The group around a repeat has the repeat's own path and adds only a title.
            found.append(
                Section(child.get("ref"), False, None, _items(child)) if inner is None else _repeat(inner)
            )
        elif name in ("input", "select", "select1", "upload", "trigger"):
            found.append(_control(child, name))
    return tuple(found)


def _repeat(element: "Element") -> Section:
    count = _expression(element.get(f"{JAVAROSA}count"))
    return Section(element.get("nodeset"), True, count, _items(element))


def _control(element: "Element", kind: str) -> Control:
    path = element.get("ref", "")
    itemset = element.find(f"{XFORMS}itemset")
    if itemset is None:
        return Control(path, kind, None)
    options = parse(itemset.get("nodeset", ""))
    if not isinstance(options, Path) or not isinstance(options.start, Call):
        raise ExpressionError(f"the choices of {path} come from no secondary instance")
    (instance,) = options.start.arguments
    return Control(
        path,
        kind,
        ChoiceList(
            options=options,
            instance=str(instance.value) if isinstance(instance, Literal) else "",
            value_name=_find(itemset, f"{XFORMS}value").get("ref", ""),
            label_name=_text_id(_find(itemset, f"{XFORMS}label").get("ref", "")),
        ),
    )


def _text_id(reference: str) -> str:
    """Return the element named in `jr:itext(itextId)`."""
    return reference.removeprefix("jr:itext(").removesuffix(")")


def _flat(items: tuple[Control | Section, ...]) -> Iterator[Control | Section]:
    for item in items:
        yield item
        if isinstance(item, Section):
            yield from _flat(item.items)


def _secondary(element: "Element") -> Node:
    instance = Node("instance")
    root = Node(local_name(element[0]), instance, kind=LIST)
    for item in element[0]:
        node = Node(local_name(item), root)
        for cell in item:
            Node(local_name(cell), node, cell.text or "")
    return instance


def _texts(itext: "Element") -> tuple[Texts, str]:
    texts: dict[str, dict[str, str]] = {}
    default = ""
    for translation in itext:
        language = translation.get("lang", "")
        default = language if translation.get("default") or not default else default
        texts[language] = {
            text.get("id", ""): "".join(_find(text, f"{XFORMS}value").itertext()) for text in translation
        }
    return texts, default
