"""The entity lists that Ihala keeps in ODK Central: made by `ihala central provision`.

Nothing in them names a person. Properties that officers add are theirs: nobody here removes or overwrites them.
"""

from dataclasses import dataclass

ACTOR_PROPERTY = "office"
"""What an app user is told apart by: the code of the office that the tablet belongs to."""


@dataclass(frozen=True, slots=True)
class EntityList:
    """A list and the properties that Ihala writes, all text.

    `access_property`: a tablet downloads only the entities in which it equals the tablet's office, where the server
    can do that. None: every tablet has the whole list. `approval_required`: entities of a form wait for the approval of
    their submission. `only_with_form`: wanted only while a published form of ours creates or updates its entities.
    """

    name: str
    properties: tuple[str, ...]
    access_property: str | None = None
    approval_required: bool = False
    only_with_form: bool = False


SERVICES = EntityList(
    "services",
    (
        "service_type",
        "category",
        "organization",
        "district",
        "languages",
        "phone",
        "geometry",
    ),
)
"""The directory, for Collect's map: the whole of it on every tablet, because the nearest provider may stand in the next
district. Confidential addresses are never in it."""

REFERRALS = EntityList(
    "referrals",
    ("case_code", "service_type", "provider", "office", "due_date", "state"),
    access_property="office",
)
"""What is due for follow-up, each only on the tablets of its office."""

RETURNEES = EntityList("returnees", ("case_code", "office"), access_property="office", only_with_form=True)
"""Made by the assessment itself, so that a follow-up finds its case. Its other properties are the form's."""

ENTITY_LISTS = (SERVICES, REFERRALS, RETURNEES)
