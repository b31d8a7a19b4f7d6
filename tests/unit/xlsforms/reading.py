"""Reading single answers out of a submission in tests."""

from functools import cache

from lxml import etree

from governorates import DEFAULT_GOVERNORATE
from xlsforms.compile import compile_form
from xlsforms.fill import FilledForm, fill_batch


@cache
def filled_batch(governorate: str = DEFAULT_GOVERNORATE) -> list[FilledForm]:
    """Fill two hundred forms, once for the folders of tests that look at them."""
    return fill_batch(compile_form("needs_assessment", governorate), 200, seed=20261123)


def elements(xml: bytes, path: str) -> list[etree._Element]:
    """All elements at a path without root and namespaces."""
    steps = "/".join(f"*[local-name()='{name}']" for name in path.split("/"))
    return list(etree.fromstring(xml).xpath(steps))


def value(xml: bytes, path: str) -> str:
    """Text of the first element at a path, '' if there is none."""
    found = elements(xml, path)
    return (found[0].text or "") if found else ""


def paths(xml: bytes) -> set[str]:
    """Path without root of every element."""
    found: set[str] = set()

    def visit(element: etree._Element, above: str) -> None:
        for child in element:
            path = f"{above}{etree.QName(child).localname}"
            found.add(path)
            visit(child, f"{path}/")

    visit(etree.fromstring(xml), "")
    return found


def answered(xml: bytes) -> dict[str, list[str]]:
    """Path without root -> answers, for every element that holds text."""
    found: dict[str, list[str]] = {}

    def visit(element: etree._Element, above: str) -> None:
        for child in element:
            path = f"{above}{etree.QName(child).localname}"
            if child.text and not len(child):
                found.setdefault(path, []).append(child.text)
            visit(child, f"{path}/")

    visit(etree.fromstring(xml), "")
    return found
