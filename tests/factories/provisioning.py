"""Forms and tablets to provision: small ones, made with pyxform, one of them with entities."""

from functools import cache

from pyxform.xls2xform import convert

from ingest.provisioning.wanted import Wanted, WantedForm, WantedTablet, make_wanted

VERSION = "2026112301-00000001"
NEXT_VERSION = "2026112302-00000002"


@cache
def small_xml(form_id: str = "visit", version: str = VERSION, root: str = "data", save_to: str = "") -> str:
    """An XForm of two questions that reads a file and a list; with `save_to` it makes entities of that list."""
    survey = "| survey |||||\n| | type | name | label | save_to |\n"
    saved = "case_code" if save_to else ""
    office = "office" if save_to else ""
    survey += f"| | text | case_code | Case | {saved} |\n| | text | office | Office | {office} |\n"
    survey += "| | select_one_from_file districts.csv | district | District | |\n"
    survey += "| | select_one_from_file services.csv | service | Service | |\n"
    settings = "| settings |||||\n| | form_id | version | form_title | name |\n"
    settings += f"| | {form_id} | {version} | Visit | {root} |\n"
    entities = (
        f"| entities |||||\n| | list_name | label |\n| | {save_to} | ${{case_code}} |\n" if save_to else ""
    )
    xml: str = convert(xlsform=survey + settings + entities, file_type=".md", validate=False).xform
    return xml


def small_form(version: str = VERSION, save_to: str = "returnees", root: str = "data") -> WantedForm:
    """The form with its file."""
    return WantedForm(
        "visit",
        version,
        small_xml("visit", version, root, save_to),
        {"districts.csv": b"name,label\nmosul,Mosul\n"},
        frozenset({"case_code", "office"}),
    )


def small_wanted(*tablets: WantedTablet, form: WantedForm | None = None) -> Wanted:
    """One form, the lists, and tablets."""
    return make_wanted([form or small_form()], tablets or (WantedTablet("MOS-01", "mosul"),))
