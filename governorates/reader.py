"""Reads a governorate's folder; every check that the data must pass happens here, on load."""

from functools import cache
from pathlib import Path
from types import MappingProxyType

from governorates.capacities import read_capacity_ages
from governorates.choices import choice_codes
from governorates.complaints import read_complaint_procedure
from governorates.errors import GovernorateDataError
from governorates.languages import LANGUAGES
from governorates.model import Governorate, Language
from governorates.offers import read_offer_clocks
from governorates.offices import read_offices
from governorates.places import group_by_parent, read_places
from governorates.procedures import read_procedures
from governorates.services import read_mandates, read_taxonomy
from governorates.tables import read_toml, rows_of
from governorates.tasks import read_task_clocks
from governorates.waterways import read_barriers, read_crossings, read_uncharted

HOME = Path(__file__).parent
DEFAULT_GOVERNORATE = "nineveh"
IDENTITY_FILE = "governorate.toml"


def available() -> tuple[str, ...]:
    """Return the codes of the governorates that have a folder here."""
    return tuple(sorted(path.parent.name for path in HOME.glob(f"*/{IDENTITY_FILE}")))


@cache
def load(code: str = DEFAULT_GOVERNORATE) -> Governorate:
    """Return a governorate, read once a process.

    Raises `GovernorateDataError` naming the file and the row or key that is wrong.
    """
    if code not in available():
        raise GovernorateDataError(IDENTITY_FILE, f"governorate {code!r}", "has no folder")
    return read_governorate(HOME / code)


def read_governorate(folder: Path) -> Governorate:
    """Read and check the folder of a governorate, wherever it lies."""
    identity = read_toml(folder / IDENTITY_FILE)
    places = read_places(folder / "places.csv")
    pcode = identity.text("pcode")
    if pcode not in places or places[pcode].level != "governorate":
        raise identity.error(f"pcode {pcode!r} is no governorate of places.csv")
    languages = _languages(folder / "languages.toml")
    ministries, owners = read_mandates(folder / "mandates.toml")
    categories, service_types = read_taxonomy(folder / "taxonomy.toml", owners)
    operator = ministries[identity.text("operator", tuple(ministries))]
    if operator.asked_apart:
        raise identity.error(f"operator {operator.code!r} cannot be the ministry that is asked for apart")
    procedures = read_procedures(folder / "sop.toml", service_types)
    barriers = read_barriers(folder / "barriers.toml")
    return Governorate(
        code=folder.name,
        pcode=pcode,
        folder=folder,
        operator=operator,
        languages=tuple(languages),
        language_details=MappingProxyType(languages),
        places=MappingProxyType(places),
        children_of=MappingProxyType(group_by_parent(places)),
        ministries=MappingProxyType(ministries),
        categories=MappingProxyType(categories),
        service_types=MappingProxyType(service_types),
        clocks=MappingProxyType(procedures.clocks),
        follow_ups=MappingProxyType(procedures.follow_ups),
        follow_up_attempts=procedures.follow_up_attempts,
        deadline_rules=procedures.deadline_rules,
        weekend=procedures.weekend,
        holidays=procedures.holidays,
        utc_offset_hours=procedures.utc_offset_hours,
        crossings=read_crossings(folder / "crossings.csv", barriers),
        barriers=tuple(barriers.values()),
        uncharted=read_uncharted(folder / "barriers.toml"),
        code_alphabet=procedures.code_alphabet,
        code_length=procedures.code_length,
        consent=procedures.consent,
        offices=read_offices(folder / "offices.toml", places),
        capacity_ages=read_capacity_ages(folder / "sop.toml"),
        task_clocks=MappingProxyType(read_task_clocks(folder / "sop.toml", choice_codes("task"))),
        complaints=read_complaint_procedure(folder / "sop.toml"),
        contact=procedures.contact,
        offer_clocks=MappingProxyType(read_offer_clocks(folder / "sop.toml")),
    )


def _languages(path: Path) -> dict[str, Language]:
    """Return the languages offered, the default first."""
    table = read_toml(path)
    details = {
        row.text("code", LANGUAGES): Language(
            row.text("code"), row.text("direction", ("rtl", "ltr")), row.flag("reviewed"), row.names()
        )
        for row in rows_of(table, "language")
    }
    offered = table.values.get("languages")
    if not isinstance(offered, list) or not offered or set(offered) != details.keys():
        raise table.error("languages must list exactly the codes of the [[language]] tables")
    return {code: details[code] for code in offered}
